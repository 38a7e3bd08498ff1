//! What the cloud asks and the agent answers about its version.

use crate::update::Version;
use serde::{Deserialize, Serialize};

/// In the desired state: the version the agent should run. Which file that is, the signed list of releases says; the
/// cloud's word alone installs nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WantedVersion {
    pub version: Version,
}

/// In a check-in: what became of the last version that was wanted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpdateReport {
    pub version: Version,
    pub outcome: UpdateOutcome,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UpdateOutcome {
    /// Fetched and verified; the agent starts it next.
    Fetched,
    /// Not believed or not to be had; the problem beside it says why.
    Refused,
    /// It ran and did not prove itself; the version before it runs again.
    TakenBack,
}
