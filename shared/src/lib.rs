//! Everything the agent and the cloud say to each other: messages, signing, limits. No I/O, no clock, no randomness.
//!
//! Read it in the order of the `mod` lines: what limits hold, how bytes are hashed and signed, what a request proves,
//! what a cycle carries, how the cloud answers, what the cloud wants of the agent, and when an update is
//! believed.

pub mod limits;
pub mod catalogue;
pub mod hash;
pub mod key;
pub mod jws;
pub mod request;
pub mod enrol;
pub mod person;
pub mod evidence;
pub mod structure;
pub mod directory;
pub mod batch;
pub mod item;
pub mod scan;
pub mod body;
pub mod digest;
pub mod guard;
pub mod loss;
pub mod chain;
pub mod answer;
pub mod desired;
pub mod ceiling;
pub mod checkin;
pub mod bundle;
pub mod rotate;
pub mod update;
pub mod revocation;

/// The protocol version this build speaks; it stands in the claims of every request.
pub const PROTO: u16 = 1;

/// Paths of the agent protocol. They are signed, so both sides take them from here.
pub mod path {
    pub const ENROL: &str = "/agent/v1/enroll";
    pub const CHECKIN: &str = "/agent/v1/checkin";
    pub const BATCHES: &str = "/agent/v1/batches";
    pub const ROTATE: &str = "/agent/v1/rotate";
    pub const BUNDLES: &str = "/agent/v1/bundles";
    pub const LEAVE: &str = "/agent/v1/leave";
    /// What lies below is named by [`crate::update::name`].
    pub const UPDATES: &str = "/agent/v1/updates";
    /// The Windows installer, for whoever shows a token that could be spent. Not signed: there is no key yet.
    pub const INSTALLER: &str = "/agent/v1/installer";
}
