//! The agent: reads one Active Directory domain, read-only, and pushes signed change batches to the cloud.
//!
//! Read it as the data flows: the directory, one cycle and its spool, the link to the cloud; then who keeps them going.
//! Each module knows only those above it; a test of the project holds this order.

pub mod stamp;
pub mod version;
pub mod clock;
pub mod exit;
pub mod platform;
pub mod diagnostic;
pub mod belongings;
pub mod directory;
pub mod config;
pub mod log;
pub mod signer;
pub mod identity;
pub mod previous_key;
pub mod spool;
pub mod cycle;
pub mod cloud;
pub mod diagnosis;
pub mod folder;
pub mod machine;
pub mod desk;
pub mod update;
pub mod check;
pub mod bundle;
pub mod service;
pub mod setup;
pub mod cli;
