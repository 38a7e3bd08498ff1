//! What a batch's claims say: its place in the chain, and the cycle it is a part of.

use crate::chain::ChainLink;
use crate::checkin::Clearing;
use crate::digest::SetSummary;
use crate::directory::{DcIdentity, DomainPin};
use crate::request::RequestClaims;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Claims of a batch. They are signed once, when the batch enters the spool, and the JWS is resent unchanged.
pub type BatchClaims = RequestClaims<BatchLink>;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BatchLink {
    pub chain: ChainLink,
    pub cycle: CyclePart,
}

/// One part of one complete reading. The cloud applies a cycle whole, when its last part is there.
/// An incomplete reading has no batch: it is told in a check-in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CyclePart {
    pub cycle: Uuid,
    pub kind: CycleKind,
    pub trigger: Trigger,
    /// Number of the snapshot this cycle makes; counts up within an epoch.
    pub snapshot: u64,
    /// Number of the snapshot it starts from; 0 for a full one.
    pub base: u64,
    /// 1 to `parts`.
    pub part: u32,
    pub parts: u32,
    /// Items in this part.
    pub items: u32,
    pub started_at: DateTime<Utc>,
    pub finished_at: DateTime<Utc>,
    pub domain: DomainPin,
    pub dc: DcIdentity,
    /// Count and digest of the whole set after this cycle, not of this part.
    pub set: SetSummary,
    /// People the domain has in all, in scope or not.
    pub people_seen: u64,
    pub structure: StructurePart,
    /// Departures that wait for a second agreeing reading.
    pub awaiting_second_reading: u32,
    /// Selections that could not be found or read; their people stay. The first [`crate::limits::UNAVAILABLE_TOLD`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unavailable: Vec<Uuid>,
    /// How many more of them there are.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unavailable_more: u32,
    /// Attributes that vanished from many people at once; their old values stay.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub clearings: Vec<Clearing>,
    /// Version of the desired state that the reading obeyed.
    pub desired_version: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that serde asks for")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

impl CyclePart {
    pub const fn is_last(&self) -> bool {
        self.part == self.parts
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CycleKind {
    /// Every person of the set as `present`.
    Full,
    /// What changed since `base`.
    Delta,
}

/// Whether this cycle brings the directory's structure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StructurePart {
    /// As last sent.
    Unchanged,
    /// Its OUs and groups are among the items and replace the stored ones.
    Included,
}

/// What set a cycle going.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    Schedule,
    SyncNow,
    /// The first after enrolment, a restart, or a changed selection.
    Start,
    SelectionChanged,
    SecondReading,
    FullSnapshotOrdered,
    CommandLine,
}
