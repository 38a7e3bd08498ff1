//! Pages still to be fetched. A cookie is good for one request on one connection, once (RFC 2696, and as Active Directory has it).

use crate::directory::{
    entry::EntryId,
    searching::Found,
    wire::{
        answer::{Code, Outcome},
        request::{Scope, Search},
    },
};
use std::collections::HashMap;

/// A domain controller keeps this many per connection and forgets the oldest (`MaxResultSetsPerConn`).
const MAX_BOOKMARKS: usize = 10;

/// How far a paged search has come.
#[derive(Debug)]
pub struct Bookmark {
    ids: Vec<EntryId>,
    references: Vec<String>,
    position: usize,
    pages: u32,
}

impl Bookmark {
    pub fn start(found: Found) -> Self {
        Self { ids: found.ids, references: found.references, position: 0, pages: 1 }
    }

    pub fn page_number(&self) -> u32 {
        self.pages
    }

    pub fn next_ids(&self, count: usize) -> &[EntryId] {
        let end = self.position.saturating_add(count).min(self.ids.len());
        &self.ids[self.position..end]
    }

    pub fn take_ids(&mut self, count: usize) -> Vec<EntryId> {
        let ids = self.next_ids(count).to_vec();
        self.position += ids.len();
        self.pages += 1;
        ids
    }

    pub fn take_references(&mut self) -> Vec<String> {
        std::mem::take(&mut self.references)
    }

    pub fn is_over(&self) -> bool {
        self.position >= self.ids.len()
    }
}

/// What must be the same when the next page is asked for.
#[derive(Debug, PartialEq, Eq)]
struct Fingerprint {
    base: String,
    scope: Scope,
    filter: Vec<u8>,
    attributes: Vec<String>,
}

impl Fingerprint {
    fn of(search: &Search) -> Self {
        Self {
            base: search.base.clone(),
            scope: search.scope,
            filter: search.filter_bytes.clone(),
            attributes: search.attributes.clone(),
        }
    }
}

#[derive(Debug)]
pub struct Bookmarks {
    connection: u64,
    next: u64,
    kept: HashMap<u64, (Fingerprint, Bookmark)>,
}

impl Bookmarks {
    pub fn new(connection: u64) -> Self {
        Self { connection, next: 0, kept: HashMap::new() }
    }

    pub fn keep(&mut self, bookmark: Bookmark, search: &Search) -> Vec<u8> {
        if self.kept.len() >= MAX_BOOKMARKS
            && let Some(oldest) = self.kept.keys().min().copied()
        {
            self.kept.remove(&oldest);
        }
        self.next += 1;
        self.kept.insert(self.next, (Fingerprint::of(search), bookmark));
        [self.connection.to_be_bytes(), self.next.to_be_bytes()].concat()
    }

    pub fn page_number(&self, cookie: &[u8]) -> Option<u32> {
        let number = u64::from_be_bytes(cookie.get(8..)?.try_into().ok()?);
        self.kept.get(&number).map(|(_, bookmark)| bookmark.page_number())
    }

    pub fn take(&mut self, cookie: &[u8], search: &Search) -> Result<Bookmark, Outcome> {
        let (connection, number) = cookie.split_at_checked(8).ok_or_else(bad_cookie)?;
        let number = u64::from_be_bytes(number.try_into().map_err(|_| bad_cookie())?);
        if connection != self.connection.to_be_bytes() {
            return Err(bad_cookie());
        }
        let (fingerprint, bookmark) = self.kept.remove(&number).ok_or_else(bad_cookie)?;
        if fingerprint == Fingerprint::of(search) { Ok(bookmark) } else { Err(bad_cookie()) }
    }
}

fn bad_cookie() -> Outcome {
    Outcome::new(
        Code::CRITICAL_EXTENSION,
        "00000057: LdapErr: DSID-0C0907B5, comment: Error processing control, data 0, v4563",
    )
}
