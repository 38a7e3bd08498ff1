//! The agent at work: a check-in that waits for instructions, and a worker that reads and sends. Both end within
//! seconds of being told to.

pub mod machine;
pub mod keeping;
pub mod pending;
pub mod joining;
pub mod desk;
pub mod schedule;
pub mod listener;
pub mod mending;
pub mod guarded;
pub mod worker;
pub mod supervisor;
pub mod standby;
