//! The agent: reads one Active Directory domain, read-only, and pushes signed change batches to the cloud.
//!
//! Read it as the data flows: the directory, one cycle, the spool, the link to the cloud.

pub mod clock;
pub mod platform;
pub mod signer;
pub mod directory;
pub mod cycle;
pub mod spool;
