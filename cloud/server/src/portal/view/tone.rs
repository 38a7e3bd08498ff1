//! How a state looks: its tone, its icon and its word. Colour is never the only carrier.

/// The mood of a state. Every tone has its own icon, so that it can be told without colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    Good,
    Info,
    Warn,
    Held,
    Calm,
    Bad,
}

impl Tone {
    pub fn class(self) -> &'static str {
        match self {
            Self::Good => "t-good",
            Self::Info => "t-info",
            Self::Warn => "t-warn",
            Self::Held => "t-held",
            Self::Calm => "t-calm",
            Self::Bad => "t-bad",
        }
    }

    pub fn icon(self) -> &'static str {
        match self {
            Self::Good => "circle-check",
            Self::Info => "info",
            Self::Warn => "triangle-alert",
            Self::Held => "hand",
            Self::Calm => "circle-dashed",
            Self::Bad => "circle-alert",
        }
    }
}

/// A state in a table or beside a title.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pill {
    pub tone: Tone,
    pub icon: &'static str,
    pub label: String,
}

impl Pill {
    pub fn new(tone: Tone, label: impl Into<String>) -> Self {
        Self { tone, icon: tone.icon(), label: label.into() }
    }

    pub fn with_icon(self, icon: &'static str) -> Self {
        Self { icon, ..self }
    }
}
