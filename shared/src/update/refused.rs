//! Decides what is wrong with an update, told apart by what somebody could have done to it.

use crate::catalogue::{self, Fault};
use crate::update::role::Role;

/// Why an update is not believed. Nothing of it is used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("the {0} document is not of the expected form")]
    Malformed(Role),
    #[error("the {role} document has {good} of {needed} signatures")]
    Signatures { role: Role, good: u32, needed: u32 },
    #[error("the {role} document is number {got}, and number {known} is known")]
    Older { role: Role, known: u64, got: u64 },
    #[error("version {offered} is older than the running one")]
    OlderVersion { offered: String },
    #[error("the {0} document has expired")]
    Expired(Role),
    #[error("the {0} document is not the one that goes with the others")]
    Mixed(Role),
    #[error("{got} of {needed} bytes came")]
    Truncated { needed: u64, got: u64 },
    #[error("more than the signed {0} bytes came")]
    TooLong(u64),
    #[error("the bytes are not the signed ones")]
    Altered,
    #[error("version {version} is not released for {platform}")]
    NoSuchRelease { version: String, platform: String },
}

impl Refused {
    pub const fn fault(&self) -> Fault {
        match self {
            Self::Malformed(_) => catalogue::UPDATE_UNREADABLE,
            Self::Signatures { .. } => catalogue::UPDATE_SIGNATURE,
            Self::Older { .. } | Self::OlderVersion { .. } => catalogue::UPDATE_OLDER,
            Self::Expired(_) => catalogue::UPDATE_EXPIRED,
            Self::Mixed(_) => catalogue::UPDATE_MIXED,
            Self::Truncated { .. } => catalogue::UPDATE_TRUNCATED,
            Self::TooLong(_) => catalogue::UPDATE_TOO_LONG,
            Self::Altered => catalogue::UPDATE_ALTERED,
            Self::NoSuchRelease { .. } => catalogue::UPDATE_NOT_FOR_THIS,
        }
    }
}
