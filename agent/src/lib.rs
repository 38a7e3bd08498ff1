//! The agent: reads one Active Directory domain, read-only, and pushes signed change batches to the cloud.
//!
//! Read it as the data flows: the directory, one cycle, the spool, the link to the cloud; then who keeps them going.

pub mod stamp;
pub mod version;
pub mod clock;
pub mod exit;
pub mod platform;
pub mod diagnostic;
pub mod belongings;
pub mod config;
pub mod log;
pub mod signer;
pub mod identity;
pub mod previous_key;
pub mod directory;
pub mod cycle;
pub mod spool;
pub mod cloud;
pub mod service;
pub mod check;
pub mod bundle;
pub mod update;
pub mod setup;
pub mod cli;
