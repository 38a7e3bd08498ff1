//! Counts what clients did: a test asks it whether anything but reading ever happened.

use super::wire::request::{Operation, Scope};
use serde::Serialize;
use std::{
    collections::BTreeSet,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Everything that reached the directory since it started.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    pub connections: u64,
    pub handshakes: u64,
    pub binds: u64,
    pub refused_binds: u64,
    pub base_reads: u64,
    pub searches: u64,
    pub entries: u64,
    pub abandons: u64,
    pub unbinds: u64,
    pub extended: u64,
    /// Add, modify, rename, delete and compare requests: all refused, none expected.
    pub writes: u64,
    pub unreadable_messages: u64,
    pub bytes_in: u64,
    pub bytes_out: u64,
    /// Every attribute that any search asked for, lower case.
    pub attributes: BTreeSet<String>,
}

#[derive(Debug, Default)]
pub struct Ledger(Mutex<Tally>);

impl Ledger {
    pub fn tally(&self) -> Tally {
        self.lock().clone()
    }

    pub fn reset(&self) {
        *self.lock() = Tally::default();
    }

    pub fn note(&self, change: impl FnOnce(&mut Tally)) {
        change(&mut self.lock());
    }

    pub fn note_operation(&self, operation: &Operation) {
        let mut tally = self.lock();
        match operation {
            Operation::Bind(_) => tally.binds += 1,
            Operation::Unbind => tally.unbinds += 1,
            Operation::Search(search) => {
                match search.scope {
                    Scope::Base => tally.base_reads += 1,
                    Scope::OneLevel | Scope::Subtree => tally.searches += 1,
                }
                let names =
                    search.attributes.iter().map(|name| name.split(';').next().unwrap_or(name).to_ascii_lowercase());
                tally.attributes.extend(names);
            }
            Operation::Modify | Operation::Add | Operation::Delete | Operation::ModifyDn | Operation::Compare => {
                tally.writes += 1;
            }
            Operation::Abandon => tally.abandons += 1,
            Operation::Extended { .. } => tally.extended += 1,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Tally> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
