//! Makes accounts of a cycle: one reading of a directory, applied whole in one transaction.
//!
//! Read it in the order of the `mod` lines: load the cycle, check that it continues what we have, apply people (with what
//! vanished from many of them left as it was), then departures under the guard, those from deleted imports among them,
//! replace the structure, compare the set, write the run.

mod cycle;
mod storable;
mod record;
mod diff;
mod people;
mod vanished;
mod ended;
mod departures;
mod structure;
mod waiting;
mod set;
mod reason;
mod order;
mod refuse;
mod run;

pub use run::{ApplyError, apply_next, set_aside};

#[cfg(test)]
mod tests;
#[cfg(test)]
mod attacks;
#[cfg(test)]
mod measure;
