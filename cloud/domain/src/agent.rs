//! Decides what an agent's state means: whether it may send, and since when it is silent.

use chrono::{DateTime, TimeDelta, Utc};

use crate::words::words;

words! {
    pub enum AgentState {
        /// Reads its directory.
        Active = "active",
        /// Enrolled for a directory that another agent reads.
        Standby = "standby",
        /// Two copies used one identity; both are stopped until a human decides.
        Quarantined = "quarantined",
        /// Retired for ever.
        Revoked = "revoked",
    }
}

words! {
    pub enum KeyState {
        Active = "active",
        /// Proposed by a rotation; becomes active with the first batch it signs, or the first check-in that says nothing
        /// signed by another is left to send.
        Pending = "pending",
        Retired = "retired",
    }
}

/// A long poll lasts 55 s at most, so three missed ones are silence and not chance.
pub const SILENT_AFTER: TimeDelta = TimeDelta::seconds(180);

pub fn is_silent(last_seen: Option<DateTime<Utc>>, now: DateTime<Utc>) -> bool {
    last_seen.is_none_or(|seen| now - seen > SILENT_AFTER)
}
