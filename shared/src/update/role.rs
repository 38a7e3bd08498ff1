//! The four roles that sign, and what a signature of each is good for.

use crate::jws::Kind;
use std::fmt;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Root,
    Targets,
    Snapshot,
    Timestamp,
}

impl Role {
    pub const ALL: [Self; 4] = [Self::Root, Self::Targets, Self::Snapshot, Self::Timestamp];

    /// A signature made in one role is worthless in any other.
    pub const fn kind(self) -> Kind {
        match self {
            Self::Root => Kind::UpdateRoot,
            Self::Targets => Kind::UpdateTargets,
            Self::Snapshot => Kind::UpdateSnapshot,
            Self::Timestamp => Kind::UpdateTimestamp,
        }
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::Targets => "targets",
            Self::Snapshot => "snapshot",
            Self::Timestamp => "timestamp",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
