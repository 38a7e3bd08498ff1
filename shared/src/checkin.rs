//! The check-in: what an agent says of itself, and what it hears.

use crate::batch::Trigger;
use crate::ceiling::Ceiling;
use crate::chain::Epoch;
use crate::directory::{DcIdentity, DomainPin};
use crate::update::metadata::Platform;
use crate::update::report::UpdateReport;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Body of `POST /agent/v1/checkin`, plain JSON. A long poll: the cloud answers at once when the agent's desired state
/// is older than its own, else within `wait_seconds`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckinRequest {
    #[serde(default, skip_serializing_if = "Kind::is_report")]
    pub kind: Kind,
    /// Version of the desired state in force; 0 for none.
    pub desired_version: u64,
    pub wait_seconds: u32,
    /// Commands carried out since the last answered check-in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub done: Vec<Uuid>,
    /// The spool was lost or cannot fill a gap: begin anew.
    #[serde(default)]
    pub epoch: EpochWish,
    /// The newest epoch this agent has worked in, told with the wish for a new one; 0 if it knows none. An agent that
    /// knows less than the chain shows is not the one that wrote it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub last_epoch: u64,
    pub status: AgentStatus,
}

/// Who speaks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The agent, of itself.
    #[default]
    Report,
    /// A check beside it, which knows nothing of what the agent is at: it only asks, and nothing that it says is kept.
    Question,
}

impl Kind {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that serde asks for")]
    fn is_report(&self) -> bool {
        *self == Self::Report
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over references")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EpochWish {
    #[default]
    Keep,
    /// Answered with a new epoch at once.
    New,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentStatus {
    pub version: String,
    pub host: String,
    pub os: String,
    pub started_at: DateTime<Utc>,
    pub phase: Phase,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<DomainPin>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dc: Option<DcIdentity>,
    /// How the directory is reached, for people to read: `Kerberos, sealed (389)`, `password, LDAPS (636)`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transport: Option<String>,
    /// Batches that wait in the spool, and their bytes.
    pub spool_batches: u64,
    pub spool_bytes: u64,
    /// The cloud's clock minus the agent's, in milliseconds, as last learned.
    pub clock_offset_ms: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_cycle: Option<CycleReport>,
    /// What the file on the agent's machine keeps back. An agent that does not say it knows no ceiling and no bundle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ceiling: Option<Ceiling>,
    /// What is wrong right now, worst first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<Problem>,
    /// The kind of machine that releases must be made for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    /// What became of the last version that was wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub update: Option<UpdateReport>,
    /// Attributes that vanished from many people at once; their old values stand until a human accepts it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub clearings: Vec<Clearing>,
}

/// One attribute that many people lost at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clearing {
    /// As LDAP spells it.
    pub attribute: String,
    /// People who had a value and show none now.
    pub people: u64,
    /// People who had a value.
    pub of: u64,
    /// Whose people: an import of the desired state. `None`, as older agents say it: of the import that lost most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub import: Option<Uuid>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Phase {
    /// No import is set up yet, or nothing is due.
    Idle,
    Paused,
    /// People read so far.
    Reading {
        people: u64,
    },
    Pushing {
        batches_left: u64,
    },
}

/// How the last cycle ended. A complete one is also known by its batches; an incomplete one only by this.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CycleReport {
    pub cycle: Uuid,
    /// What set it going; an older agent does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trigger: Option<Trigger>,
    pub started_at: DateTime<Utc>,
    pub finished_at: DateTime<Utc>,
    pub outcome: CycleOutcome,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum CycleOutcome {
    Complete,
    /// Nothing was sent and nobody removed.
    Incomplete {
        problem: Problem,
        next_try_at: DateTime<Utc>,
    },
}

/// Something wrong, by its code in the catalogue. `detail` holds facts (a host, a page, a sub-code), never people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    pub code: String,
    pub detail: String,
    pub since: DateTime<Utc>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckinResponse {
    pub server_time: DateTime<Utc>,
    /// The signed desired state, when it is newer than the agent's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub desired: Option<String>,
    /// Only in answer to [`EpochWish::New`], and above the epoch told with it. An agent takes no other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<Epoch>,
}
