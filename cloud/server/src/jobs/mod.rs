//! The workers: claim a due job of the next tenant in turn, run it under a lease, and say how it ended.

mod worker;
mod payload;
mod lease;
mod failed;
mod drop_bundles;

pub use worker::{run_due, run_workers};
