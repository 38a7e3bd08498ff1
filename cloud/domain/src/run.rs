//! Decides how a run (what the cloud made of one reading) ended.

use crate::words::words;

words! {
    pub enum RunResult {
        Ok = "ok",
        /// Applied, but some records were set aside or removals wait.
        Partial = "partial",
        Failed = "failed",
        Cancelled = "cancelled",
    }
}

words! {
    pub enum RunKind {
        Full = "full",
        Delta = "delta",
    }
}

words! {
    /// What happened to one account in one run, or by a human's decision.
    pub enum Change {
        Joined = "joined",
        Updated = "updated",
        Returned = "returned",
        /// Left one import; still in another.
        LeftImport = "left_import",
        Departed = "departed",
        Held = "held",
        /// Gone from the directory, but the import keeps its people.
        Kept = "kept",
        /// Seen again while a removal waited.
        HoldCleared = "hold_cleared",
        RemovalApproved = "removal_approved",
        RemovalRejected = "removal_rejected",
    }
}

/// Counts of one run, from the committed transaction.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Counts {
    /// Everybody the agent read.
    pub people: i64,
    pub added: i64,
    pub updated: i64,
    pub returned: i64,
    pub departed: i64,
    pub held: i64,
    pub unchanged: i64,
    pub set_aside: i64,
}

impl Counts {
    pub const fn result(&self) -> RunResult {
        if self.set_aside > 0 { RunResult::Partial } else { RunResult::Ok }
    }
}
