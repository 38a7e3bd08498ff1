//! What the customer's own file keeps back, as the agent tells it: it narrows what the cloud wants, and nothing widens it.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The local ceiling and its effect in the last complete reading. For people to read; the cloud decides nothing by it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ceiling {
    /// LDAP names of the attributes that are neither asked for nor sent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub withheld: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub never_read: Vec<NeverRead>,
    /// People of the domain who lie in these places; `None` before the first reading.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub people_left_out: Option<u64>,
}

/// A place that is never read, with everything below it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NeverRead {
    /// As it is written in the file: a distinguished name or an objectGUID.
    pub place: String,
    /// objectGUID of what was found there. `None`: not found, so that every import stands still until the file is mended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guid: Option<Uuid>,
}
