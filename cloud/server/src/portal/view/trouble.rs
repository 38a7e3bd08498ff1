//! An unhealthy state as a person sees it: what, with which code, since when, and what to do next. None may miss.

use super::{Moment, Tone};

/// A way on from here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    pub label: String,
    pub href: String,
    pub primary: bool,
}

impl Link {
    pub fn to(label: impl Into<String>, href: impl Into<String>) -> Self {
        Self { label: label.into(), href: href.into(), primary: false }
    }

    pub fn primary(self) -> Self {
        Self { primary: true, ..self }
    }
}

/// Every field is needed, so a page without reason code, since or next action cannot be written.
#[derive(Debug, Clone)]
pub struct Trouble {
    pub tone: Tone,
    pub code: String,
    pub title: String,
    pub detail: Option<String>,
    pub since: Moment,
    pub action: Link,
}
