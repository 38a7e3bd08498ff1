//! Whom of all that call the cloud takes in right now: how often one agent may ask, and how much of the cloud it and all of
//! them together may hold at once.

mod pace;
mod room;

#[cfg(test)]
pub use pace::Stopwatch;
pub use pace::{Errand, Pace};
pub use room::{Room, Turn};
