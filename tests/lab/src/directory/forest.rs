//! The objects of one domain as one domain controller holds them: the tree, the links, the update sequence number.

pub mod admin;
pub mod census;

use super::{
    attribute::Attr,
    dn::{self, RelativeName},
    entry::{Entry, EntryId, Life, Values},
    index::{Index, Worth},
    sid::Sid,
};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use std::{
    collections::{BTreeSet, HashMap},
    sync::OnceLock,
};
use thiserror::Error;
use uuid::Uuid;

#[derive(Debug, Error, PartialEq, Eq)]
pub enum ForestError {
    #[error("no object {0}")]
    NoSuchObject(String),
    #[error("{0} exists already")]
    Exists(String),
    #[error("{0} is not a {1}")]
    WrongKind(String, &'static str),
    #[error("{0} still has objects below it")]
    NotEmpty(String),
}

/// What a domain controller says about itself.
#[derive(Debug, Clone)]
pub struct Controller {
    /// Short name, `dc1`.
    pub name: String,
    pub invocation_id: Uuid,
    /// Its clock minus this machine's, in seconds.
    pub clock_ahead: i64,
}

/// Objects with a fixed meaning (MS-ADTS 6.1.1.4).
#[derive(Debug, Clone, Copy)]
pub struct Landmarks {
    pub domain: EntryId,
    pub users: EntryId,
    pub builtin: EntryId,
    pub computers: EntryId,
    pub deleted_objects: EntryId,
    pub configuration: EntryId,
    pub directory_service: EntryId,
}

#[derive(Debug, Clone)]
pub struct Forest {
    entries: Vec<Entry>,
    /// Made by the first search that needs it.
    index: OnceLock<Index>,
    by_guid: HashMap<Uuid, EntryId>,
    by_place: HashMap<(Option<EntryId>, String), EntryId>,
    /// DNS name, `lab.example`.
    pub domain_name: String,
    /// What follows the first step of the domain's own name, `,DC=example`.
    suffix: String,
    pub sid: Sid,
    pub controller: Controller,
    pub landmarks: Landmarks,
    usn: u64,
    /// Seconds since 1970, one more with every change: the forest has its own time, so that a seed always gives the same forest.
    seconds: u64,
    next_rid: u32,
    chance: Chance,
}

/// Draws that depend on the seed and on nothing else; unlike a generator it can be copied with the forest.
#[derive(Debug, Clone)]
struct Chance {
    seed: u64,
    drawn: u64,
}

impl Chance {
    fn next(&mut self) -> StdRng {
        self.drawn += 1;
        StdRng::seed_from_u64(self.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(self.drawn))
    }

    fn guid(&mut self) -> Uuid {
        uuid::Builder::from_random_bytes(self.next().random()).into_uuid()
    }
}

/// 2026-01-05, a Monday: when every forest begins.
const BEGINNING: u64 = 1_767_571_200;
const FIRST_USN: u64 = 12_289;
const FIRST_RID: u32 = 1_103;

impl Forest {
    /// A domain head and nothing else.
    pub fn new(domain_name: &str, controller_name: &str, seed: u64) -> Self {
        let mut chance = Chance { seed, drawn: 0 };
        let (first, rest) = domain_name.split_once('.').unwrap_or((domain_name, ""));
        let suffix =
            rest.split('.').filter(|part| !part.is_empty()).fold(String::new(), |text, part| text + ",DC=" + part);
        let sid = Sid::domain(chance.next().random());
        let head = EntryId(0);
        let controller = Controller { name: controller_name.to_owned(), invocation_id: chance.guid(), clock_ahead: 0 };
        let mut forest = Self {
            entries: Vec::new(),
            index: OnceLock::new(),
            by_guid: HashMap::new(),
            by_place: HashMap::new(),
            domain_name: domain_name.to_owned(),
            suffix,
            sid: sid.clone(),
            controller,
            landmarks: Landmarks {
                domain: head,
                users: head,
                builtin: head,
                computers: head,
                deleted_objects: head,
                configuration: head,
                directory_service: head,
            },
            usn: FIRST_USN,
            seconds: BEGINNING,
            next_rid: FIRST_RID,
            chance,
        };
        let head = forest.insert(None, RelativeName::new("DC", first), Shelf::Listed);
        let entry = forest.entry_mut(head);
        entry.set(Attr::ObjectClass, Values::many(["top", "domain", "domainDNS"]));
        entry.set(Attr::ObjectSid, Values::one(sid.to_bytes()));
        forest
    }

    pub fn entry(&self, id: EntryId) -> &Entry {
        &self.entries[id.0 as usize]
    }

    pub(super) fn entry_mut(&mut self, id: EntryId) -> &mut Entry {
        if self.index.get_mut().is_some_and(|index| index.note_change(id) == Worth::MakingAnew) {
            self.index.take();
        }
        &mut self.entries[id.0 as usize]
    }

    pub(super) fn index(&self) -> &Index {
        self.index.get_or_init(|| Index::of(&self.entries))
    }

    pub fn ids(&self) -> impl ExactSizeIterator<Item = EntryId> + use<> {
        (0..u32::try_from(self.entries.len()).unwrap_or(u32::MAX)).map(EntryId)
    }

    pub fn highest_usn(&self) -> u64 {
        self.usn
    }

    pub(super) fn set_highest_usn(&mut self, usn: u64) {
        self.usn = usn;
    }

    /// The forest's own time in seconds since 1970.
    pub fn seconds(&self) -> u64 {
        self.seconds
    }

    pub fn find_guid(&self, guid: Uuid) -> Option<EntryId> {
        self.by_guid.get(&guid).copied()
    }

    pub fn find_sid(&self, sid: &Sid) -> Option<EntryId> {
        let bytes = sid.to_bytes();
        self.ids().find(|id| {
            self.entry(*id)
                .get(Attr::ObjectSid)
                .is_some_and(|values| values.as_slice().iter().any(|value| **value == bytes))
        })
    }

    pub fn find_child(&self, parent: EntryId, name: &RelativeName) -> Option<EntryId> {
        self.by_place.get(&(Some(parent), name.key())).copied()
    }

    /// Finds a live or deleted object by its distinguished name.
    pub fn find_dn(&self, name: &str) -> Option<EntryId> {
        let mut steps = dn::parse(name)?;
        let own_head = dn::parse(&self.dn(self.landmarks.domain))?;
        let inside = steps.len().checked_sub(own_head.len())?;
        let head = steps.split_off(inside);
        if !head.iter().zip(&own_head).all(|(left, right)| left.key() == right.key()) {
            return None;
        }
        steps.iter().rev().try_fold(self.landmarks.domain, |parent, step| self.find_child(parent, step))
    }

    /// Is the name inside this domain at all?
    pub fn covers(&self, name: &str) -> bool {
        let own_name = self.dn(self.landmarks.domain).to_lowercase();
        name.to_lowercase().replace(", ", ",").ends_with(&own_name)
    }

    pub fn find_account(&self, account_name: &str) -> Option<EntryId> {
        self.ids().find(|id| {
            let entry = self.entry(*id);
            entry.life == Life::Live
                && entry.text(Attr::AccountName).is_some_and(|name| name.eq_ignore_ascii_case(account_name))
        })
    }

    pub fn dn(&self, id: EntryId) -> String {
        let mut out = String::with_capacity(96);
        self.write_dn(id, &mut out);
        out
    }

    pub fn write_dn(&self, id: EntryId, out: &mut String) {
        let entry = self.entry(id);
        entry.relative_name.write(out);
        match entry.parent {
            Some(parent) => {
                out.push(',');
                self.write_dn(parent, out);
            }
            None => out.push_str(&self.suffix),
        }
    }

    pub fn schema_dn(&self) -> String {
        format!("CN=Schema,{}", self.dn(self.landmarks.configuration))
    }

    pub fn server_dn(&self) -> String {
        self.entry(self.landmarks.directory_service).parent.map(|server| self.dn(server)).unwrap_or_default()
    }

    pub fn host_name(&self) -> String {
        format!("{}.{}", self.controller.name, self.domain_name)
    }

    /// All live objects from `base` down, itself first, in the order of their making.
    pub fn subtree(&self, base: EntryId) -> Vec<EntryId> {
        let mut found = vec![base];
        let mut at = 0;
        while let Some(&id) = found.get(at) {
            found.extend(self.entry(id).children.iter().copied());
            at += 1;
        }
        found
    }

    /// The groups that `id` is in, directly or through other groups; the primary group counts.
    pub fn all_groups_of(&self, id: EntryId) -> BTreeSet<EntryId> {
        let mut found = BTreeSet::new();
        let mut open: Vec<EntryId> = self.entry(id).member_of.iter().copied().collect();
        open.extend(self.primary_group_of(id));
        while let Some(group) = open.pop() {
            if found.insert(group) {
                open.extend(self.entry(group).member_of.iter().copied());
            }
        }
        found
    }

    pub fn primary_group_of(&self, id: EntryId) -> Option<EntryId> {
        let rid = u32::try_from(self.entry(id).number(Attr::PrimaryGroupId)?).ok()?;
        self.find_sid(&self.sid.with_rid(rid))
    }

    /// Puts a new object into the tree and gives it its identity.
    pub(super) fn insert(&mut self, parent: Option<EntryId>, name: RelativeName, shelf: Shelf) -> EntryId {
        let id = EntryId(u32::try_from(self.entries.len()).unwrap_or(u32::MAX));
        let guid = self.chance.guid();
        self.by_place.insert((parent, name.key()), id);
        self.by_guid.insert(guid, id);
        self.entries.push(Entry::new(guid, name, parent));
        if let (Some(parent), Shelf::Listed) = (parent, shelf) {
            self.entry_mut(parent).children.insert(id);
        }
        self.touch(id);
        let (usn, seconds) = (self.usn, self.seconds);
        let entry = self.entry_mut(id);
        entry.usn_created = usn;
        entry.when_created = seconds;
        id
    }

    /// Gives an object another place or name.
    pub(super) fn relocate(&mut self, id: EntryId, parent: Option<EntryId>, name: RelativeName) {
        let old = self.entry(id);
        let (old_parent, old_key) = (old.parent, old.relative_name.key());
        self.by_place.remove(&(old_parent, old_key));
        if let Some(old_parent) = old_parent {
            self.entry_mut(old_parent).children.remove(&id);
        }
        self.by_place.insert((parent, name.key()), id);
        if let Some(parent) = parent {
            self.entry_mut(parent).children.insert(id);
        }
        let entry = self.entry_mut(id);
        entry.parent = parent;
        entry.relative_name = name;
    }

    /// Marks an originating change of this object.
    pub(super) fn touch(&mut self, id: EntryId) {
        self.usn += 1;
        self.seconds += 1;
        let (usn, seconds) = (self.usn, self.seconds);
        let entry = self.entry_mut(id);
        entry.usn_changed = usn;
        entry.when_changed = seconds;
    }

    pub(super) fn take_rid(&mut self) -> u32 {
        self.next_rid += 1;
        self.next_rid - 1
    }

    pub(super) fn new_guid(&mut self) -> Uuid {
        self.chance.guid()
    }

    pub(super) fn replace_guid(&mut self, id: EntryId, guid: Uuid) {
        let old = std::mem::replace(&mut self.entry_mut(id).guid, guid);
        self.by_guid.remove(&old);
        self.by_guid.insert(guid, id);
    }
}

/// Whether searches of the parent's subtree come upon an object; the head of another naming context is not listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shelf {
    Listed,
    OtherContext,
}
