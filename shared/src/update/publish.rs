//! Writes a publication: the documents that say which releases there are, signed by their roles.

use crate::jws::JwsError;
use crate::key::PrivateKey;
use crate::update::document;
use crate::update::metadata::{Described, Keys, Release, Root, Snapshot, Targets, Timestamp};
use crate::update::name;
use chrono::{DateTime, TimeDelta, Utc};

/// The private keys of all roles. The root's are needed only when keys change.
#[derive(Debug)]
pub struct Signers {
    pub root: Vec<PrivateKey>,
    pub targets: Vec<PrivateKey>,
    pub snapshot: Vec<PrivateKey>,
    pub timestamp: Vec<PrivateKey>,
}

/// How long the documents are good for. The more a key is exposed, the shorter its word counts.
#[derive(Debug, Clone, Copy)]
pub struct Lives {
    pub root: TimeDelta,
    pub targets: TimeDelta,
    pub snapshot: TimeDelta,
    pub timestamp: TimeDelta,
}

impl Default for Lives {
    fn default() -> Self {
        Self {
            root: TimeDelta::days(365),
            targets: TimeDelta::days(180),
            snapshot: TimeDelta::days(60),
            timestamp: TimeDelta::days(30),
        }
    }
}

/// A file of a publication: its name and its text.
pub type Written = (String, String);

fn all(keys: &[PrivateKey]) -> Vec<&PrivateKey> {
    keys.iter().collect()
}

/// Every key of a role may sign; `threshold` of the root's must, and one of each other role's.
fn named(keys: &[PrivateKey], threshold: u32) -> Keys {
    Keys { threshold, keys: keys.iter().map(PrivateKey::public).collect() }
}

/// A root document. A change of keys is signed by the root keys before it as well.
pub fn root(
    version: u64,
    signers: &Signers,
    before: &[PrivateKey],
    expires: DateTime<Utc>,
) -> Result<Written, JwsError> {
    let majority = u32::try_from(signers.root.len() / 2 + 1).unwrap_or(u32::MAX);
    let root = Root {
        version,
        expires,
        root: named(&signers.root, majority),
        targets: named(&signers.targets, 1),
        snapshot: named(&signers.snapshot, 1),
        timestamp: named(&signers.timestamp, 1),
    };
    let mut keys = all(&signers.root);
    for key in before {
        if !keys.iter().any(|known| known.id() == key.id()) {
            keys.push(key);
        }
    }
    Ok((name::root(version), document::sign(&keys, &root)?))
}

/// One publication of `releases`; the timestamp comes last, and is to be written last.
pub fn releases(
    version: u64,
    releases: Vec<Release>,
    signers: &Signers,
    now: DateTime<Utc>,
    lives: Lives,
) -> Result<Vec<Written>, JwsError> {
    let targets = Targets { version, expires: now + lives.targets, releases };
    let targets = document::sign(&all(&signers.targets), &targets)?;
    let mut written = vec![(name::targets(version), targets.clone())];
    written.extend(confirm(version, Described::of(version, &targets), signers, now, lives)?);
    Ok(written)
}

/// Says of a list of releases that it is still the current one; the keys of the list itself can stay locked away.
pub fn confirm(
    version: u64,
    targets: Described,
    signers: &Signers,
    now: DateTime<Utc>,
    lives: Lives,
) -> Result<Vec<Written>, JwsError> {
    let snapshot = Snapshot { version, expires: now + lives.snapshot, targets };
    let snapshot = document::sign(&all(&signers.snapshot), &snapshot)?;
    let timestamp = Timestamp { version, expires: now + lives.timestamp, snapshot: Described::of(version, &snapshot) };
    let timestamp = document::sign(&all(&signers.timestamp), &timestamp)?;
    Ok(vec![(name::snapshot(version), snapshot), (name::TIMESTAMP.to_owned(), timestamp)])
}
