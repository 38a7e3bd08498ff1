//! How the agent comes to a newer version of itself, and back when that one fails.
//!
//! The program of the installer stays where it is and decides what runs: itself, or a newer version that was fetched,
//! verified and lies below the data folder. A new version is on trial until the cloud has accepted a check-in of it.

pub mod pinned;
pub mod files;
pub mod ledger;
pub mod choose;
pub mod store;
pub mod fetch;
pub mod child;
