//! What the four documents say. Unknown members are ignored: an agent of today must be able to read, and so to leave
//! for, what is published in some years.

use crate::hash::Hash;
use crate::key::PublicKey;
use crate::update::role::Role;
use chrono::{DateTime, Utc};
use semver::Version;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Which keys speak for which role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Root {
    /// Rises by exactly one, so that each change of keys is signed by the keys before it.
    pub version: u64,
    pub expires: DateTime<Utc>,
    pub root: Keys,
    pub targets: Keys,
    pub snapshot: Keys,
    pub timestamp: Keys,
}

/// The keys of one role, and how many of them must sign.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keys {
    pub threshold: u32,
    pub keys: Vec<PublicKey>,
}

impl Root {
    pub const fn keys(&self, role: Role) -> &Keys {
        match role {
            Role::Root => &self.root,
            Role::Targets => &self.targets,
            Role::Snapshot => &self.snapshot,
            Role::Timestamp => &self.timestamp,
        }
    }
}

/// That a snapshot is the current one. Short-lived: who holds it back cannot keep an agent in the past for long.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timestamp {
    pub version: u64,
    pub expires: DateTime<Utc>,
    pub snapshot: Described,
}

/// Which list of releases belongs to this publication.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    pub version: u64,
    pub expires: DateTime<Utc>,
    pub targets: Described,
}

/// A document, down to the byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Described {
    pub version: u64,
    pub length: u64,
    pub sha256: Hash,
}

impl Described {
    pub fn of(version: u64, text: &str) -> Self {
        Self { version, length: text.len() as u64, sha256: Hash::of(text.as_bytes()) }
    }
}

/// The releases that may be installed today. A withdrawn one is simply left out of the next list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Targets {
    pub version: u64,
    pub expires: DateTime<Utc>,
    pub releases: Vec<Release>,
}

/// One program of one version for one kind of machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    pub version: Version,
    pub platform: Platform,
    pub length: u64,
    pub sha256: Hash,
    /// A cloud counts its MSPs' delays from here. `None` in lists from before there were any: published long ago.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published_at: Option<DateTime<Utc>>,
}

/// Processor and operating system, as in `x86_64-windows`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Platform(String);

impl Platform {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The kind of machine this program was built for.
    pub fn here() -> Self {
        Self(format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS))
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A document with a number and an end.
pub trait Dated {
    const ROLE: Role;
    fn version(&self) -> u64;
    fn expires(&self) -> DateTime<Utc>;
}

macro_rules! dated {
    ($($name:ident),+) => {
        $(impl Dated for $name {
            const ROLE: Role = Role::$name;

            fn version(&self) -> u64 {
                self.version
            }

            fn expires(&self) -> DateTime<Utc> {
                self.expires
            }
        })+
    };
}
dated!(Root, Targets, Snapshot, Timestamp);
