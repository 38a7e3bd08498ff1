//! Decides what an import may choose: selections, excludes, schedule and what happens to people who leave.

use uuid::Uuid;

use crate::words::words;

words! {
    pub enum SelectionKind {
        Ou = "ou",
        Group = "group",
    }
}

words! {
    /// Whose members a chosen group brings.
    pub enum Nesting {
        /// Its own alone.
        Direct = "direct",
        /// Those of the groups inside it too.
        Nested = "nested",
    }
}

words! {
    pub enum RemovalPolicy {
        /// Deactivate, keep for the days of grace, then purge.
        Deactivate = "deactivate",
        /// People who left stay in the list.
        Keep = "keep",
    }
}

/// One chosen OU or group, by objectGUID: a rename or move in the directory is followed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct Selection {
    pub guid: Uuid,
    pub kind: SelectionKind,
}

/// When the agent reads.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(tag = "every", rename_all = "snake_case")]
pub enum Schedule {
    /// Every so many minutes, with jitter.
    Interval { minutes: u32 },
}

impl Schedule {
    /// The agent protocol's limits are the same.
    pub const SHORTEST_MINUTES: u32 = 15;
    pub const LONGEST_MINUTES: u32 = 24 * 60;
    pub const DEFAULT: Schedule = Schedule::Interval { minutes: 3 * 60 };
}

/// Why an import as filled in cannot be saved. `field` names the form field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    #[error("a name has 1 to 120 characters")]
    Name,
    #[error("choose at least one OU or group")]
    NothingSelected,
    #[error("choose at most {MAX_SELECTIONS} OUs and groups")]
    TooManySelections,
    #[error("the same object is chosen and excluded")]
    ChosenAndExcluded,
    #[error("an interval lies between 15 minutes and 24 hours")]
    Schedule,
    #[error("days of grace lie between 0 and 365")]
    GraceDays,
}

pub const MAX_SELECTIONS: usize = 500;

/// Everything of an import that a human sets.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ImportSettings {
    pub name: String,
    pub selections: Vec<Selection>,
    /// objectGUIDs of OUs whose whole subtree is out; wins over `selections`.
    pub excludes: Vec<Uuid>,
    pub schedule: Schedule,
    pub removal_policy: RemovalPolicy,
    pub grace_days: u16,
    pub nesting: Nesting,
}

impl ImportSettings {
    pub fn check(&self) -> Result<(), ImportError> {
        let Schedule::Interval { minutes } = self.schedule;
        if self.name.trim().is_empty() || self.name.chars().count() > 120 {
            return Err(ImportError::Name);
        }
        if self.selections.is_empty() {
            return Err(ImportError::NothingSelected);
        }
        if self.selections.len() > MAX_SELECTIONS || self.excludes.len() > MAX_SELECTIONS {
            return Err(ImportError::TooManySelections);
        }
        if self.selections.iter().any(|chosen| self.excludes.contains(&chosen.guid)) {
            return Err(ImportError::ChosenAndExcluded);
        }
        if !(Schedule::SHORTEST_MINUTES..=Schedule::LONGEST_MINUTES).contains(&minutes) {
            return Err(ImportError::Schedule);
        }
        if self.grace_days > 365 { Err(ImportError::GraceDays) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sales() -> ImportSettings {
        ImportSettings {
            name: "Sales".into(),
            selections: vec![Selection { guid: Uuid::from_u128(1), kind: SelectionKind::Ou }],
            excludes: vec![],
            schedule: Schedule::DEFAULT,
            removal_policy: RemovalPolicy::Deactivate,
            grace_days: 30,
            nesting: Nesting::Direct,
        }
    }

    #[test]
    fn an_import_needs_at_least_one_selection() {
        assert_eq!(sales().check(), Ok(()));
        assert_eq!(ImportSettings { selections: vec![], ..sales() }.check(), Err(ImportError::NothingSelected));
    }

    #[test]
    fn what_is_chosen_cannot_be_excluded() {
        let contradictory = ImportSettings { excludes: vec![Uuid::from_u128(1)], ..sales() };
        assert_eq!(contradictory.check(), Err(ImportError::ChosenAndExcluded));
    }

    #[test]
    fn a_reading_every_minute_is_refused() {
        let busy = ImportSettings { schedule: Schedule::Interval { minutes: 1 }, ..sales() };
        assert_eq!(busy.check(), Err(ImportError::Schedule));
    }
}
