//! What of a cycle waits in memory while it is streamed, and how much of it may: counted in bytes, because one agent must
//! not take the memory that all tenants share.

use std::collections::HashSet;

use rollcall_protocol::{
    evidence::{Departure, Evidence},
    item::Item,
};
use rollcall_store::structure::Node;
use uuid::Uuid;

use super::{
    people::{CHUNK, Present},
    structure,
};

/// Far more than the largest directories have: 500,000 departures with where each went, or 200,000 places with their names.
const REST_BYTES: usize = 128 * 1024 * 1024;
/// Texts of one multi-row statement. Each is held some ten times over until it is written: as it came, parsed, compared
/// with the one before, and bound.
const CHUNK_BYTES: usize = 4 * 1024 * 1024;
/// Everybody whom one whole reading may show.
pub const SEEN: usize = 2_000_000;
/// Longest distinguished name, and longest name of a place. Active Directory's own bounds lie far below.
const NAME: usize = 4 * 1024;

/// What waits until all people are in.
#[derive(Debug, Default)]
pub struct Rest {
    pub departures: Vec<Departure>,
    pub nodes: Vec<Node>,
    bytes: usize,
}

/// A name longer than any directory's.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("has a name longer than {NAME} bytes")]
pub struct LongName;

impl Rest {
    /// Keeps what is no person; answers what is one.
    pub fn take(&mut self, item: Item) -> Result<Option<Box<serde_json::value::RawValue>>, LongName> {
        match item {
            Item::Present(json) => return Ok(Some(json)),
            Item::Departed(departure) => {
                self.grow::<Departure>(&[text_of(&departure.evidence)])?;
                self.departures.push(departure);
            }
            Item::Ou(ou) => {
                self.grow::<Node>(&[&ou.dn, &ou.name])?;
                self.nodes.push(structure::of_ou(ou));
            }
            Item::Group(group) => {
                self.grow::<Node>(&[&group.dn, &group.name])?;
                self.nodes.push(structure::of_group(group));
            }
        }
        Ok(None)
    }

    fn grow<T>(&mut self, texts: &[&str]) -> Result<(), LongName> {
        if texts.iter().any(|text| text.len() > NAME) {
            return Err(LongName);
        }
        self.bytes += size_of::<T>() + texts.iter().map(|text| text.len()).sum::<usize>();
        Ok(())
    }

    pub const fn is_too_much(&self) -> bool {
        self.bytes > REST_BYTES
    }
}

fn text_of(evidence: &Evidence) -> &str {
    match evidence {
        Evidence::LeftScope { dn } => dn,
        Evidence::Excluded { by } => by,
        Evidence::Deleted | Evidence::LeftGroup { .. } | Evidence::Deselected | Evidence::Absent { .. } => "",
    }
}

/// People that wait for their multi-row statement; no person twice in it.
#[derive(Debug, Default)]
pub struct Chunk {
    pub people: Vec<Present>,
    guids: HashSet<Uuid>,
    bytes: usize,
}

impl Chunk {
    /// Answers the chunk before when this person needs a new one.
    pub fn push(&mut self, present: Present) -> Option<Vec<Present>> {
        let full = self.people.len() >= CHUNK || self.bytes >= CHUNK_BYTES || self.guids.contains(&present.person.guid);
        let before = full.then(|| {
            self.guids.clear();
            self.bytes = 0;
            std::mem::take(&mut self.people)
        });
        self.guids.insert(present.person.guid);
        self.bytes += present.json.get().len();
        self.people.push(present);
        before
    }
}

#[cfg(test)]
mod tests {
    use rollcall_protocol::{
        evidence::Stance,
        person::{Person, PersonRecord},
    };
    use serde_json::value::RawValue;

    use super::*;
    use crate::testing::person;

    fn moved(dn: String) -> Item {
        Item::Departed(Departure {
            guid: Uuid::nil(),
            import: Uuid::nil(),
            evidence: Evidence::LeftScope { dn },
            stance: Stance::Apply,
        })
    }

    #[test]
    fn texts_count_and_not_only_their_number() {
        let mut rest = Rest::default();
        let long = "x".repeat(NAME);
        for _ in 0..20_000 {
            assert_eq!(rest.take(moved(long.clone())).map(|kept| kept.is_none()), Ok(true));
        }
        assert!(!rest.is_too_much(), "80 MB");
        for _ in 0..20_000 {
            rest.take(moved(long.clone())).unwrap();
        }
        assert!(rest.is_too_much(), "160 MB");
    }

    #[test]
    fn half_a_million_departures_as_directories_make_them_fit() {
        let mut rest = Rest::default();
        for _ in 0..500_000 {
            rest.take(moved("CN=Ana Bauer,OU=Archive,OU=Staff,DC=contoso,DC=example".into())).unwrap();
        }
        assert!(!rest.is_too_much());
    }

    #[test]
    fn a_name_that_no_directory_has_is_not_kept() {
        let mut rest = Rest::default();
        assert_eq!(rest.take(moved("x".repeat(NAME + 1))).err(), Some(LongName));
        assert!(rest.departures.is_empty());
    }

    #[test]
    fn large_records_are_written_in_smaller_chunks() {
        let mut chunk = Chunk::default();
        let large = |number: u128| {
            let title = Some("x".repeat(200 * 1024));
            let record =
                PersonRecord::write(Person { title, ..person(number, "Ana Bauer", Uuid::nil().into()) }).unwrap();
            Present { person: record.person, json: RawValue::from_string(record.json).unwrap() }
        };
        let written: Vec<usize> =
            (1..=50).filter_map(|number| chunk.push(large(number))).map(|chunk| chunk.len()).collect();
        assert_eq!(written, [21, 21], "some 4 MB each");
    }
}
