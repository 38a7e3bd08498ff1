//! Decides what becomes of a reading in which something of a few people, or of very many, could not be read.
//!
//! A few keep something back: they stay as they are known. Very many are a read right that is missing: nothing counts.

use std::collections::BTreeMap;

use uuid::Uuid;

use crate::directory::reader::Incomplete;

/// People who are there and could not be read, with what was missing of each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Withheld(BTreeMap<Uuid, &'static str>);

/// A right is missing where more than this many people cannot be read …
pub const AT_LEAST: u64 = 3;
/// … and more than this share of everybody.
const PERCENT: u64 = 20;

impl From<BTreeMap<Uuid, &'static str>> for Withheld {
    fn from(people: BTreeMap<Uuid, &'static str>) -> Self {
        Self(people)
    }
}

impl Withheld {
    pub fn note(&mut self, guid: Uuid, what: &'static str) {
        self.0.insert(guid, what);
    }

    pub fn extend(&mut self, others: BTreeMap<Uuid, &'static str>) {
        self.0.extend(others);
    }

    pub fn people(&self) -> usize {
        self.0.len()
    }

    /// The first of them, for whoever has to look; a GUID names nobody.
    pub fn first(&self) -> Option<(Uuid, &'static str)> {
        self.0.first_key_value().map(|(guid, what)| (*guid, *what))
    }

    /// Whether a reading with this many others in it counts.
    pub fn check(&self, read: u64) -> Result<(), Incomplete> {
        let unreadable = self.0.len() as u64;
        let of = read + unreadable;
        match self.first() {
            Some((_, what)) if unreadable > AT_LEAST && unreadable * 100 > of * PERCENT => {
                Err(Incomplete::ReadRightMissing { what, unreadable, of })
            }
            Some(_) | None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn withheld(people: u128) -> Withheld {
        let mut withheld = Withheld::default();
        for number in 0..people {
            withheld.note(Uuid::from_u128(number), "userAccountControl");
        }
        withheld
    }

    #[test]
    fn a_fifth_may_keep_something_back_and_more_is_a_missing_right() {
        assert_eq!(withheld(20).check(80), Ok(()));
        let missing = Incomplete::ReadRightMissing { what: "userAccountControl", unreadable: 21, of: 100 };
        assert_eq!(withheld(21).check(79), Err(missing));
    }

    #[test]
    fn three_people_are_never_a_crowd() {
        assert_eq!(withheld(3).check(0), Ok(()));
        assert!(withheld(4).check(0).is_err());
    }
}
