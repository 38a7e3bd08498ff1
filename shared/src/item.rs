//! The items a batch carries, one JSON text per line.

use crate::evidence::Departure;
use crate::structure::{Group, OrgUnit};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// One line of a batch.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Item {
    /// A person, whole: new or changed. The bytes are kept as they are, see [`crate::person::PersonRecord`].
    Present(Box<RawValue>),
    Departed(Departure),
    Ou(OrgUnit),
    Group(Group),
}
