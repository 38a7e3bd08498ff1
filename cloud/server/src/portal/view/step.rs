//! One line of a checklist: done, under way, still open, or failed.

use super::Link;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepState {
    Done,
    Doing,
    Open,
    Failed,
}

impl StepState {
    pub fn class(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Doing => "doing",
            Self::Open => "open",
            Self::Failed => "failed",
        }
    }

    pub fn icon(self) -> Option<&'static str> {
        match self {
            Self::Done => Some("check"),
            Self::Doing => Some("loader-circle"),
            Self::Failed => Some("x"),
            Self::Open => None,
        }
    }

    /// For readers who do not see the mark.
    pub fn word(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Doing => "under way",
            Self::Open => "not yet",
            Self::Failed => "failed",
        }
    }
}

#[derive(Debug, Clone)]
pub struct Step {
    pub state: StepState,
    pub what: String,
    pub detail: String,
    pub action: Option<Link>,
}

impl Step {
    pub fn new(state: StepState, what: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { state, what: what.into(), detail: detail.into(), action: None }
    }

    pub fn with(self, action: Link) -> Self {
        Self { action: Some(action), ..self }
    }
}
