//! What the form of an import holds: read from its fields, filled from an import, turned into settings.

use rollcall_domain::import::{ImportSettings, Nesting, RemovalPolicy, Schedule, Selection, SelectionKind};
use rollcall_store::imports::Import;
use uuid::Uuid;

use crate::services::ServiceError;

/// What the button that was pressed means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Intent {
    /// Only show the form again, with its count and the groups that were searched for.
    Look,
    Save,
    Delete,
}

#[derive(Debug, Clone)]
pub struct Choice {
    pub intent: Intent,
    pub name: String,
    pub ous: Vec<Uuid>,
    pub outs: Vec<Uuid>,
    pub groups: Vec<Uuid>,
    pub group_q: String,
    pub minutes: u32,
    pub removal: RemovalPolicy,
    /// As typed.
    pub grace_days: String,
    pub nesting: Nesting,
    /// Of the import when the form was opened.
    pub version: i64,
}

impl Choice {
    pub fn blank() -> Self {
        let Schedule::Interval { minutes } = Schedule::DEFAULT;
        Self {
            intent: Intent::Look,
            name: "Everyone".to_owned(),
            ous: vec![],
            outs: vec![],
            groups: vec![],
            group_q: String::new(),
            minutes,
            removal: RemovalPolicy::Deactivate,
            grace_days: "30".to_owned(),
            nesting: Nesting::Direct,
            version: 0,
        }
    }

    pub fn of(import: &Import) -> Self {
        let Schedule::Interval { minutes } = import.schedule.0;
        let chosen = |kind| {
            import
                .selections
                .0
                .iter()
                .filter(|selection| selection.kind == kind)
                .map(|selection| selection.guid)
                .collect()
        };
        Self {
            name: import.name.clone(),
            ous: chosen(SelectionKind::Ou),
            outs: import.excludes.0.clone(),
            groups: chosen(SelectionKind::Group),
            minutes,
            removal: import.removal_policy,
            grace_days: import.grace_days.to_string(),
            nesting: import.nesting,
            version: import.version,
            ..Self::blank()
        }
    }

    /// Fields that no form of ours sends are passed over.
    pub fn read(pairs: &[(String, String)]) -> Self {
        let all = |name: &str| -> Vec<Uuid> {
            pairs.iter().filter(|(key, _)| key == name).filter_map(|(_, value)| value.parse().ok()).collect()
        };
        let one = |name: &str| pairs.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.clone());
        let blank = Self::blank();
        Self {
            intent: match one("intent").as_deref() {
                Some("save") => Intent::Save,
                Some("delete") => Intent::Delete,
                Some(_) | None => Intent::Look,
            },
            name: one("name").unwrap_or_default(),
            ous: all("ou"),
            outs: all("out"),
            groups: all("group"),
            group_q: one("group_q").unwrap_or_default(),
            minutes: one("minutes").and_then(|text| text.parse().ok()).unwrap_or(blank.minutes),
            removal: one("removal").and_then(|text| text.parse().ok()).unwrap_or(blank.removal),
            grace_days: one("grace_days").unwrap_or(blank.grace_days),
            nesting: one("nesting").and_then(|text| text.parse().ok()).unwrap_or(blank.nesting),
            version: one("version").and_then(|text| text.parse().ok()).unwrap_or_default(),
        }
    }

    /// A unit that is chosen itself is not left out as well: a box that a narrower choice hid may still be ticked.
    pub fn settings(&self) -> Result<ImportSettings, ServiceError> {
        let grace_days = self.grace_days.trim().parse();
        let chosen = |kind: SelectionKind, guids: &[Uuid]| -> Vec<Selection> {
            guids.iter().map(|guid| Selection { guid: *guid, kind }).collect()
        };
        Ok(ImportSettings {
            name: self.name.trim().to_owned(),
            selections: [chosen(SelectionKind::Ou, &self.ous), chosen(SelectionKind::Group, &self.groups)].concat(),
            excludes: self.outs.iter().filter(|guid| !self.ous.contains(guid)).copied().collect(),
            schedule: Schedule::Interval { minutes: self.minutes },
            removal_policy: self.removal,
            grace_days: grace_days.map_err(|_| ServiceError::invalid("grace_days", "type a number of days"))?,
            nesting: self.nesting,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
        list.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_form_becomes_settings() {
        let (a, b) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let sent = pairs(&[
            ("name", " Everyone "),
            ("ou", &a.to_string()),
            ("out", &b.to_string()),
            ("out", &a.to_string()),
            ("group", "nonsense"),
            ("minutes", "60"),
            ("removal", "keep"),
            ("grace_days", "7"),
            ("nesting", "nested"),
            ("intent", "save"),
        ]);

        let choice = Choice::read(&sent);
        let settings = choice.settings().unwrap();

        assert_eq!(choice.intent, Intent::Save);
        assert_eq!((settings.name.as_str(), settings.grace_days), ("Everyone", 7));
        assert_eq!(settings.selections, [Selection { guid: a, kind: SelectionKind::Ou }]);
        assert_eq!(settings.excludes, [b]);
        assert_eq!((settings.removal_policy, settings.nesting), (RemovalPolicy::Keep, Nesting::Nested));
    }

    #[test]
    fn days_that_are_no_number_are_said_so() {
        let choice = Choice { grace_days: "soon".into(), ..Choice::blank() };
        assert!(matches!(choice.settings(), Err(ServiceError::Invalid { field: "grace_days", .. })));
    }
}
