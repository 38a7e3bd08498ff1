//! Why a membership ended: the evidence without which nobody is removed.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What a second look at the very objectGUID, on the same domain controller, found.
///
/// There is no variant for "could not be read": a failed read is no evidence, and what is not here cannot be said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Evidence {
    /// The tombstone or recycled object was readable.
    Deleted,
    /// Alive, under no selected OU any more; `dn` is where.
    LeftScope { dn: String },
    /// Alive, no longer in the selected group.
    LeftGroup { group: Uuid },
    /// Alive and selected, but under an excluded OU (its GUID), a system account, or in a place that the agent's own file
    /// says never to read ([`LOCAL_CEILING`]).
    Excluded { by: String },
    /// The operator took the selection, or the whole import, away.
    Deselected,
    /// "No such object" in two complete readings on the same domain controller: deleted, or hidden from this account.
    Absent { first_missed_at: DateTime<Utc> },
}

impl Evidence {
    /// The word for it in the portal, the API and the store.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Deleted => "deleted",
            Self::LeftScope { .. } => "left_scope",
            Self::LeftGroup { .. } => "left_group",
            Self::Excluded { .. } => "excluded",
            Self::Deselected => "deselected",
            Self::Absent { .. } => "absent",
        }
    }
}

/// The end of one membership: a person leaves one import.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Departure {
    pub guid: Uuid,
    pub import: Uuid,
    pub evidence: Evidence,
    /// What the agent's guard decided; the cloud applies its own on top.
    pub stance: Stance,
}

/// Whether a departure may be carried out at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stance {
    Apply,
    /// Too many at once: a human decides.
    Held,
}

/// What [`Evidence::Excluded`] names when the file on the agent's machine keeps somebody back.
pub const LOCAL_CEILING: &str = "local_ceiling";
