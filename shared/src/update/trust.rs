//! The order of checks (TUF 1.0, section 5.3 to 5.6): root after root, then timestamp, snapshot and targets, each only
//! with the one before in hand. A type for each step, so that none can be left out.

use crate::hash::Hash;
use crate::update::document;
use crate::update::metadata::{Dated, Described, Platform, Release, Root, Snapshot, Targets, Timestamp};
use crate::update::refused::Refused;
use crate::update::role::Role;
use chrono::{DateTime, Utc};
use semver::Version;
use serde::{Deserialize, Serialize};

/// What is kept between two updates: nothing that was once seen can be undone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remembered {
    /// The newest root document, as it came.
    pub root: String,
    pub timestamp: u64,
    pub snapshot: u64,
    pub targets: u64,
}

/// The root in force.
#[derive(Debug, Clone)]
pub struct Trust {
    root: Root,
    remembered: Remembered,
}

impl Trust {
    /// Begins with what is remembered, or with the root that was pinned when this program was built, whichever is newer.
    pub fn begin(pinned: &str, remembered: Option<Remembered>) -> Result<Self, Refused> {
        let root = document::open_self_signed(pinned)?;
        let newer = remembered.and_then(|remembered| {
            let known = document::open_self_signed(&remembered.root).ok()?;
            (known.version >= root.version).then_some(Self { root: known, remembered })
        });
        Ok(newer.unwrap_or_else(|| Self {
            root,
            remembered: Remembered { root: pinned.to_owned(), timestamp: 0, snapshot: 0, targets: 0 },
        }))
    }

    /// Number of the root document to ask for next.
    pub const fn next_root(&self) -> u64 {
        self.root.version.saturating_add(1)
    }

    /// Changes the keys: signed by those before and by those after, and the very next number.
    pub fn follow(self, text: &str) -> Result<Self, Refused> {
        let next: Root = document::open(text, &self.root.root)?;
        document::open::<Root>(text, &next.root)?;
        if next.version != self.next_root() {
            return Err(Refused::Older { role: Role::Root, known: self.root.version, got: next.version });
        }
        // Who stole the online keys may have signed absurdly high numbers; new keys begin anew.
        let keeps = next.timestamp == self.root.timestamp && next.snapshot == self.root.snapshot;
        let known = if keeps { Some(self.remembered) } else { None };
        let number = |pick: fn(&Remembered) -> u64| known.as_ref().map_or(0, pick);
        let remembered = Remembered {
            root: text.to_owned(),
            timestamp: number(|known| known.timestamp),
            snapshot: number(|known| known.snapshot),
            targets: number(|known| known.targets),
        };
        Ok(Self { root: next, remembered })
    }

    /// The timestamp, once no newer root is to be had.
    pub fn timestamp(self, text: &str, now: DateTime<Utc>) -> Result<AtTimestamp, Refused> {
        check_fresh(&self.root, now)?;
        let timestamp: Timestamp = document::open(text, &self.root.timestamp)?;
        check_not_older(Role::Timestamp, self.remembered.timestamp, timestamp.version)?;
        check_not_older(Role::Snapshot, self.remembered.snapshot, timestamp.snapshot.version)?;
        check_fresh(&timestamp, now)?;
        Ok(AtTimestamp { trust: self, timestamp })
    }
}

fn check_fresh<T: Dated>(dated: &T, now: DateTime<Utc>) -> Result<(), Refused> {
    if now < dated.expires() { Ok(()) } else { Err(Refused::Expired(T::ROLE)) }
}

const fn check_not_older(role: Role, known: u64, got: u64) -> Result<(), Refused> {
    if got < known { Err(Refused::Older { role, known, got }) } else { Ok(()) }
}

/// The very bytes that the document before named.
fn check_described(role: Role, described: &Described, text: &str) -> Result<(), Refused> {
    let length = text.len() as u64;
    if length < described.length {
        return Err(Refused::Truncated { needed: described.length, got: length });
    }
    if length > described.length {
        return Err(Refused::TooLong(described.length));
    }
    if Hash::of(text.as_bytes()) == described.sha256 { Ok(()) } else { Err(Refused::Mixed(role)) }
}

fn check_number<T: Dated>(dated: &T, described: &Described) -> Result<(), Refused> {
    if dated.version() == described.version { Ok(()) } else { Err(Refused::Mixed(T::ROLE)) }
}

/// With a believed timestamp.
#[derive(Debug, Clone)]
pub struct AtTimestamp {
    trust: Trust,
    timestamp: Timestamp,
}

impl AtTimestamp {
    /// The snapshot to ask for.
    pub const fn wanted(&self) -> &Described {
        &self.timestamp.snapshot
    }

    pub fn snapshot(self, text: &str, now: DateTime<Utc>) -> Result<AtSnapshot, Refused> {
        check_described(Role::Snapshot, self.wanted(), text)?;
        let snapshot: Snapshot = document::open(text, &self.trust.root.snapshot)?;
        check_number(&snapshot, self.wanted())?;
        check_not_older(Role::Targets, self.trust.remembered.targets, snapshot.targets.version)?;
        check_fresh(&snapshot, now)?;
        Ok(AtSnapshot { before: self, snapshot })
    }
}

/// With a believed snapshot.
#[derive(Debug, Clone)]
pub struct AtSnapshot {
    before: AtTimestamp,
    snapshot: Snapshot,
}

impl AtSnapshot {
    /// The list of releases to ask for.
    pub const fn wanted(&self) -> &Described {
        &self.snapshot.targets
    }

    pub fn targets(self, text: &str, now: DateTime<Utc>) -> Result<Current, Refused> {
        check_described(Role::Targets, self.wanted(), text)?;
        let targets: Targets = document::open(text, &self.before.trust.root.targets)?;
        check_number(&targets, self.wanted())?;
        check_fresh(&targets, now)?;
        let remembered = Remembered {
            root: self.before.trust.remembered.root,
            timestamp: self.before.timestamp.version,
            snapshot: self.snapshot.version,
            targets: targets.version,
        };
        let ends =
            [self.before.timestamp.expires, self.snapshot.expires, targets.expires, self.before.trust.root.expires];
        let expires = ends.into_iter().min().unwrap_or(targets.expires);
        Ok(Current { releases: targets.releases, remembered, expires })
    }
}

/// A publication that is believed as a whole.
#[derive(Debug, Clone)]
pub struct Current {
    pub releases: Vec<Release>,
    /// To be kept before anything of it is used.
    pub remembered: Remembered,
    /// When the first of its documents ends.
    pub expires: DateTime<Utc>,
}

impl Current {
    /// The release to install; never an older one than runs.
    pub fn release(&self, wanted: &Version, platform: &Platform, running: &Version) -> Result<&Release, Refused> {
        if wanted < running {
            return Err(Refused::OlderVersion { offered: wanted.to_string() });
        }
        let fits = |release: &&Release| release.version == *wanted && release.platform == *platform;
        let none = || Refused::NoSuchRelease { version: wanted.to_string(), platform: platform.to_string() };
        self.releases.iter().find(fits).ok_or_else(none)
    }
}

#[cfg(test)]
mod tests;
