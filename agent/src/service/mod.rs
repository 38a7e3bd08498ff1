//! The agent at work: a check-in that waits for instructions, and a worker that reads and sends. Both end within
//! seconds of being told to.

pub mod begun;
pub mod joining;
pub mod schedule;
pub mod overtaking;
pub mod epochs;
pub mod breather;
pub mod listener;
pub mod errands;
pub mod clerk;
pub mod mending;
pub mod guarded;
mod readings;
mod deliveries;
pub mod worker;
pub mod workshop;
pub mod updater;
pub mod supervisor;
pub mod launcher;
pub mod standby;
