//! What the one who asks may see: attributes taken from sight, and whether tombstones show.

use super::{
    attribute::Attr,
    entry::{Entry, Life},
};
use std::collections::HashSet;
use uuid::Uuid;

/// An attribute that a share of the objects does not show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unreadable {
    pub attr: Attr,
    /// Of a hundred objects, how many hide it; 100 hides it everywhere.
    pub percent: u8,
}

/// Whether deleted objects are part of a search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tombstones {
    Hidden,
    Shown,
}

/// What single objects keep from those who look. Links to a hidden object still name it, as on a domain controller.
#[derive(Debug, Clone, Default)]
pub struct Denied {
    pub objects: HashSet<Uuid>,
    pub attributes: HashSet<(Uuid, Attr)>,
}

#[derive(Debug, Clone)]
pub struct View {
    pub unreadable: Vec<Unreadable>,
    pub denied: Denied,
    pub tombstones: Tombstones,
}

impl View {
    pub fn shows(&self, entry: &Entry) -> bool {
        if self.denied.objects.contains(&entry.guid) {
            return false;
        }
        match entry.life {
            Life::Live => true,
            Life::Deleted => self.tombstones == Tombstones::Shown,
        }
    }

    pub fn may_read(&self, entry: &Entry, attr: Attr) -> bool {
        // An object's share is drawn from its GUID, so that the same objects hide the attribute in every search.
        let draw = entry.guid.as_bytes()[0] % 100;
        let is_hidden = self.unreadable.iter().any(|hidden| hidden.attr == attr && draw < hidden.percent);
        !is_hidden && !self.denied.attributes.contains(&(entry.guid, attr))
    }
}
