//! A support bundle on its way: what an agent says of the zip it sends, and when it says that it leaves for good.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What a bundle's claims add to those of every request. The body of `POST /agent/v1/bundles` is the zip itself, and the
/// claims carry its hash, so that the stored bytes can be proven to be the agent's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BundleLink {
    /// The order that it answers.
    pub command: Uuid,
}

/// The cloud has the bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BundleReceipt {
    pub bundle: Uuid,
}

/// Body of `POST /agent/v1/leave`: the agent ends its own identity. From then on its key is refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Farewell {
    /// Named again, so that no other signed body can be taken for a farewell.
    pub leaves: Uuid,
}
