//! One object of the forest: its place, its links and its stored values. Values that many people have in common are shared.

use super::{attribute::Attr, dn::RelativeName, sid::Sid};
use std::{collections::BTreeSet, sync::Arc};
use uuid::Uuid;

/// The place of an object in the forest; it stays the same when the object is renamed or moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EntryId(pub(super) u32);

pub type Value = Arc<[u8]>;

#[derive(Debug, Clone)]
pub enum Values {
    One(Value),
    Many(Arc<[Value]>),
}

impl Values {
    pub fn one(value: impl AsRef<[u8]>) -> Self {
        Self::One(value.as_ref().into())
    }

    pub fn many<V: AsRef<[u8]>>(values: impl IntoIterator<Item = V>) -> Self {
        Self::Many(values.into_iter().map(|value| Value::from(value.as_ref())).collect())
    }

    pub fn as_slice(&self) -> &[Value] {
        match self {
            Values::One(value) => std::slice::from_ref(value),
            Values::Many(values) => values,
        }
    }
}

#[derive(Debug, Clone)]
pub struct Entry {
    pub guid: Uuid,
    pub relative_name: RelativeName,
    pub parent: Option<EntryId>,
    pub children: BTreeSet<EntryId>,
    pub members: BTreeSet<EntryId>,
    pub member_of: BTreeSet<EntryId>,
    pub manager: Option<EntryId>,
    pub reports: BTreeSet<EntryId>,
    pub life: Life,
    pub usn_created: u64,
    pub usn_changed: u64,
    pub when_created: u64,
    pub when_changed: u64,
    stored: Vec<(Attr, Values)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    Live,
    /// A tombstone: only those who may look into the deleted objects' container see it.
    Deleted,
}

impl Entry {
    pub fn new(guid: Uuid, relative_name: RelativeName, parent: Option<EntryId>) -> Self {
        Self {
            guid,
            relative_name,
            parent,
            children: BTreeSet::new(),
            members: BTreeSet::new(),
            member_of: BTreeSet::new(),
            manager: None,
            reports: BTreeSet::new(),
            life: Life::Live,
            usn_created: 0,
            usn_changed: 0,
            when_created: 0,
            when_changed: 0,
            stored: Vec::new(),
        }
    }

    pub fn stored(&self) -> &[(Attr, Values)] {
        &self.stored
    }

    pub fn get(&self, attr: Attr) -> Option<&Values> {
        self.stored.iter().find(|(stored, _)| *stored == attr).map(|(_, values)| values)
    }

    /// The first value, as text.
    pub fn text(&self, attr: Attr) -> Option<&str> {
        self.get(attr)?.as_slice().first().and_then(|value| std::str::from_utf8(value).ok())
    }

    pub fn number(&self, attr: Attr) -> Option<i64> {
        self.text(attr)?.parse().ok()
    }

    pub fn sid(&self) -> Option<Sid> {
        Sid::from_bytes(self.get(Attr::ObjectSid)?.as_slice().first()?)
    }

    pub fn has_class(&self, class: &str) -> bool {
        self.get(Attr::ObjectClass)
            .is_some_and(|values| values.as_slice().iter().any(|value| value.eq_ignore_ascii_case(class.as_bytes())))
    }

    pub fn set(&mut self, attr: Attr, values: Values) {
        match self.stored.iter_mut().find(|(stored, _)| *stored == attr) {
            Some((_, old)) => *old = values,
            None => self.stored.push((attr, values)),
        }
    }

    pub fn clear(&mut self, attr: Attr) {
        self.stored.retain(|(stored, _)| *stored != attr);
    }

    /// Keeps only what a tombstone keeps.
    pub fn keep_only(&mut self, attrs: &[Attr]) {
        self.stored.retain(|(stored, _)| attrs.contains(stored));
        self.stored.shrink_to_fit();
    }

    pub fn shrink(&mut self) {
        self.stored.shrink_to_fit();
    }
}
