//! The agent: reads one Active Directory domain, read-only, and pushes signed change batches to the cloud.

pub mod platform;
pub mod directory;
