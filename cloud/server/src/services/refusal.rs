//! Why a service did not do what it was asked for: the one error of all services.

use rollcall_domain::role::Role;
use rollcall_protocol::catalogue::{self, Fault};
use rollcall_store::StoreError;

/// One field that cannot be accepted, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldProblem {
    /// As the form and the JSON body call it.
    pub field: &'static str,
    pub message: String,
}

impl FieldProblem {
    pub fn new(field: &'static str, message: impl Into<String>) -> Self {
        Self { field, message: message.into() }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// It does not exist, or it is somebody else's: the two cannot be told apart.
    #[error("not found")]
    NotFound,
    #[error("needs the role {needed}")]
    Forbidden { needed: Role },
    #[error("input invalid")]
    Invalid(Vec<FieldProblem>),
    /// The object is not in the state this act needs.
    #[error("{0}")]
    Conflict(&'static Fault),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Refusal {
    pub fn invalid(field: &'static str, message: impl Into<String>) -> Self {
        Self::Invalid(vec![FieldProblem::new(field, message)])
    }

    pub fn fault(&self) -> &'static Fault {
        match self {
            Self::NotFound => &catalogue::NOT_FOUND,
            Self::Forbidden { .. } => &catalogue::FORBIDDEN,
            Self::Invalid(_) => &catalogue::INVALID,
            Self::Conflict(fault) => fault,
            Self::Store(StoreError::Unavailable(_)) => &catalogue::DATABASE_UNREACHABLE,
            Self::Store(_) => &catalogue::UNEXPECTED,
        }
    }
}
