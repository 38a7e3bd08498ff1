//! Remembers what selections make of a newcomer: almost all people share a few sets of them.

use std::collections::HashMap;

use rollcall_protocol::person::InImport;

use super::scope::Scope;
use crate::spool::memberships;
use crate::spool::reading::{Draft, HoldIndex};

/// The memberships that some selections stand for, in every form that is needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merge {
    pub memberships: Vec<InImport>,
    /// As they lie in the spool.
    pub packed: Vec<u8>,
    /// As a record ends with them.
    pub end: String,
}

/// What was worked out so far.
#[derive(Debug)]
pub struct Merged<'a> {
    scope: &'a Scope,
    known: HashMap<Vec<HoldIndex>, Merge>,
}

/// Sets of selections that are remembered.
const MOST: usize = 4_096;

impl<'a> Merged<'a> {
    pub fn new(scope: &'a Scope) -> Self {
        Self { scope, known: HashMap::new() }
    }

    /// For somebody whom nothing else holds.
    pub fn of(&mut self, holds: &[HoldIndex]) -> Result<&Merge, serde_json::Error> {
        if !self.known.contains_key(holds) {
            // A directory that puts everybody into other groups must not fill the memory.
            if self.known.len() >= MOST {
                self.known.clear();
            }
            let memberships = self.scope.memberships(holds, &[]);
            let (packed, end) = (memberships::pack(&memberships), Draft::end_of(&memberships)?);
            self.known.insert(holds.to_vec(), Merge { memberships, packed, end });
        }
        self.known.get(holds).ok_or_else(|| serde::ser::Error::custom("it was put there"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cycle::scope::fixtures::*;

    #[test]
    fn the_same_selections_make_the_same_every_time() {
        let scope = scope(vec![import(11, &[ou(21), ou(22)], &[])]);
        let mut merged = Merged::new(&scope);

        let first = merged.of(&[0]).unwrap().clone();

        assert_eq!(first.memberships, scope.memberships(&[0], &[]));
        assert_eq!(memberships::unpack(&first.packed).as_ref(), Some(&first.memberships));
        assert_ne!(merged.of(&[0, 1]).unwrap(), &first);
        assert_eq!(merged.of(&[0]).unwrap(), &first);
    }
}
