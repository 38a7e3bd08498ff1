//! The values of one attribute of one object, wherever they come from: stored, from the object's place, or from its links.

use super::{
    attribute::{Attr, Source},
    entry::{Entry, EntryId, Life, Values},
    forest::Forest,
};
use chrono::DateTime;
use std::collections::BTreeSet;

/// Values still in the forest, not yet copied.
#[derive(Debug)]
pub enum Reading<'a> {
    None,
    Stored(&'a Values),
    Text(String),
    Bytes([u8; 16]),
    Links(Links<'a>),
    Texts(Vec<String>),
}

/// Links to other objects, to be written as their names.
pub enum Links<'a> {
    Set(&'a BTreeSet<EntryId>),
    One(EntryId),
}

impl Links<'_> {
    pub fn len(&self) -> usize {
        match self {
            Links::Set(ids) => ids.len(),
            Links::One(_) => 1,
        }
    }

    pub fn contains(&self, id: EntryId) -> bool {
        match self {
            Links::Set(ids) => ids.contains(&id),
            Links::One(only) => *only == id,
        }
    }

    pub fn slice(&self, start: usize, end: usize) -> Vec<EntryId> {
        match self {
            Links::Set(ids) => ids.iter().skip(start).take(end.saturating_sub(start)).copied().collect(),
            Links::One(id) => vec![*id],
        }
    }
}

impl Forest {
    pub fn read(&self, id: EntryId, attr: Attr) -> Reading<'_> {
        let entry = self.entry(id);
        match attr.source() {
            Source::Stored => entry.get(attr).map_or(Reading::None, Reading::Stored),
            Source::DistinguishedName => Reading::Text(self.dn(id)),
            Source::Guid => Reading::Bytes(entry.guid.to_bytes_le()),
            Source::RelativeName => Reading::Text(entry.relative_name.value.clone()),
            Source::RelativeNameOf(kind) => relative_name(entry, kind),
            Source::Member => links(&entry.members),
            Source::MemberOf => links(&entry.member_of),
            Source::DirectReports => links(&entry.reports),
            Source::Manager => entry.manager.map_or(Reading::None, |manager| Reading::Links(Links::One(manager))),
            Source::UsnCreated => Reading::Text(entry.usn_created.to_string()),
            Source::UsnChanged => Reading::Text(entry.usn_changed.to_string()),
            Source::WhenCreated => Reading::Text(generalized_time(entry.when_created)),
            Source::WhenChanged => Reading::Text(generalized_time(entry.when_changed)),
            Source::IsDeleted => is_deleted(entry),
            Source::WellKnownObjects => self.well_known_objects(id),
        }
    }

    /// `B:32:GUID:DN`, on the domain head only (MS-ADTS 6.1.1.4).
    fn well_known_objects(&self, id: EntryId) -> Reading<'_> {
        if id != self.landmarks.domain {
            return Reading::None;
        }
        Reading::Texts(self.well_known().map(|(guid, id)| format!("B:32:{guid}:{}", self.dn(id))).to_vec())
    }

    /// The fixed identifiers by which default containers are found although they may have been redirected.
    pub fn well_known(&self) -> [(&'static str, EntryId); 3] {
        [
            ("A9D1CA15768811D1ADED00C04FD8D5CD", self.landmarks.users),
            ("AA312825768811D1ADED00C04FD8D5CD", self.landmarks.computers),
            ("18E2EA80684F11D2B9AA00C04F79F805", self.landmarks.deleted_objects),
        ]
    }
}

fn is_deleted<'a>(entry: &Entry) -> Reading<'a> {
    match entry.life {
        Life::Live => Reading::None,
        Life::Deleted => Reading::Text("TRUE".to_owned()),
    }
}

fn links(ids: &BTreeSet<EntryId>) -> Reading<'_> {
    if ids.is_empty() { Reading::None } else { Reading::Links(Links::Set(ids)) }
}

fn relative_name<'a>(entry: &Entry, kind: &str) -> Reading<'a> {
    if entry.relative_name.kind == kind { Reading::Text(entry.relative_name.value.clone()) } else { Reading::None }
}

/// `20261122034800.0Z`, as Active Directory prints times.
pub fn generalized_time(seconds: u64) -> String {
    let time = i64::try_from(seconds).ok().and_then(|seconds| DateTime::from_timestamp(seconds, 0)).unwrap_or_default();
    time.format("%Y%m%d%H%M%S.0Z").to_string()
}
