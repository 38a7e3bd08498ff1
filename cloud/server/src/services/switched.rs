//! Tells whether a change of a person is that their account was disabled or enabled in the directory.
//!
//! It is a change and no departure: the person is still there, keeps every link, and is back with one click in the
//! directory.

use serde_json::Value;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Switched {
    Off,
    On,
}

impl Switched {
    /// `before` and `after` are the fields that differ, as history keeps them.
    pub fn of(before: Option<&Value>, after: Option<&Value>) -> Option<Self> {
        let enabled = |fields: Option<&Value>| fields?.pointer("/status/enabled")?.as_bool();
        match (enabled(before), enabled(after)) {
            (Some(true), Some(false)) => Some(Self::Off),
            (Some(false), Some(true)) => Some(Self::On),
            (Some(true), Some(true)) | (Some(false), Some(false)) | (None, _) | (_, None) => None,
        }
    }

    /// The word of the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "disabled",
            Self::On => "enabled",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(before: &Value, after: &Value) -> Option<Switched> {
        Switched::of(Some(before), Some(after))
    }

    // proves: M-21
    #[test]
    fn disabled_and_enabled_are_told_from_any_other_change() {
        let (on, off) = (json!({"status": {"enabled": true}}), json!({"status": {"enabled": false}}));
        let locked = json!({"status": {"enabled": false, "locked_at": "2026-11-22T00:00:00Z"}});

        assert_eq!(of(&on, &off), Some(Switched::Off));
        assert_eq!(of(&off, &on), Some(Switched::On));
        assert_eq!(of(&off, &locked), None, "locked while it is disabled");
        assert_eq!(of(&json!({"title": "Clerk"}), &json!({})), None);
        assert_eq!(Switched::of(None, Some(&off)), None, "somebody who comes disabled was not disabled by it");
    }
}
