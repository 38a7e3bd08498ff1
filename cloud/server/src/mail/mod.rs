//! Mail to operators. In the order of the `mod` lines: what a letter says, how it becomes a row and a job in the
//! transaction that gives the reason, and how it leaves.

mod letter;
mod outbox;
mod post;
mod send;

pub use letter::{Letter, RolloutStopped};
pub use outbox::tell_managers;
pub use post::Postman;
pub use send::{SendError, send};

#[cfg(test)]
pub(crate) mod relay;
#[cfg(test)]
mod tests;
