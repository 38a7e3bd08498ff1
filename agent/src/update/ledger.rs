//! What is known of the versions on this machine: which proved itself, which is on trial, which were taken back.
//!
//! Only the launcher writes it. A damaged one is as good as none: the installer's version then runs.

use chrono::{DateTime, TimeDelta, Utc};
use rollcall_protocol::hash::Hash;
use rollcall_protocol::update::Version;
use serde::{Deserialize, Serialize};

use crate::clock::is_of_the_future;

/// A program that was verified when it came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Installed {
    pub version: Version,
    pub length: u64,
    pub sha256: Hash,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    /// The newest that the cloud has heard of.
    pub proven: Option<Installed>,
    /// The one before, for the case that the newest is damaged.
    pub previous: Option<Installed>,
    pub trial: Option<Trial>,
    /// What was no longer the verified program when it was to begin its trial. It is fetched once more.
    #[serde(default)]
    pub damaged: Option<Installed>,
    /// Newest last.
    #[serde(default)]
    pub taken_back: Vec<TakenBack>,
}

/// A version that must still prove itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trial {
    pub installed: Installed,
    /// Counted before each start, so that one that takes the machine down with it runs out of tries too.
    pub starts: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TakenBack {
    pub installed: Installed,
    pub at: DateTime<Utc>,
    pub why: Why,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// It ended by itself before the cloud had heard of it, as often as it was tried.
    Ended,
    /// It ran, and the cloud did not hear of it in time.
    Silent,
    /// Twice it was no longer what had been verified when it was to start.
    Damaged,
}

impl Why {
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Ended => "it ended by itself each time it was started",
            Self::Silent => "it did not reach the cloud in time",
            Self::Damaged => "its program was changed or taken away after it was fetched, as a virus scanner does",
        }
    }
}

/// A version that was taken back gets another trial after this time, if somebody still wants it: what it failed for may
/// have been the machine's fault or the line's.
const SECOND_CHANCE: TimeDelta = TimeDelta::days(1);
const KEPT: usize = 20;

impl Ledger {
    /// Whether this very program was taken back and must not be tried (again) now.
    pub fn is_barred(&self, program: &Installed, now: DateTime<Utc>) -> bool {
        let is_fresh = |at: DateTime<Utc>| now < at + SECOND_CHANCE && !is_of_the_future(at, now);
        self.taken_back.iter().any(|back| back.installed == *program && is_fresh(back.at))
    }

    /// The version on trial goes; the one before runs again.
    pub fn take_back(&mut self, why: Why, now: DateTime<Utc>) {
        if let Some(trial) = self.trial.take() {
            self.taken_back.push(TakenBack { installed: trial.installed, at: now, why });
            let surplus = self.taken_back.len().saturating_sub(KEPT);
            self.taken_back.drain(..surplus);
        }
    }

    /// The program on trial is not the verified one any more: gone, so that it is fetched again, but once only. Whatever
    /// did it would do it each time, and each time costs a download and a restart.
    pub fn drop_damaged(&mut self, now: DateTime<Utc>) {
        let damaged = self.trial.as_ref().map(|trial| trial.installed.clone());
        if self.damaged == damaged {
            self.take_back(Why::Damaged, now);
            self.damaged = None;
        } else {
            self.trial = None;
            self.damaged = damaged;
        }
    }

    /// The version on trial has proven itself.
    pub fn promote(&mut self) {
        if let Some(trial) = self.trial.take() {
            self.damaged = None;
            self.previous = self.proven.replace(trial.installed);
        }
    }

    /// A freshly fetched program goes on trial, unless it is the one that is there or was taken back.
    pub fn admit(&mut self, staged: Installed, now: DateTime<Utc>) {
        let is_known = [self.proven.as_ref(), self.trial.as_ref().map(|trial| &trial.installed)]
            .into_iter()
            .flatten()
            .any(|known| *known == staged);
        if !is_known && !self.is_barred(&staged, now) {
            self.trial = Some(Trial { installed: staged, starts: 0 });
        }
    }

    /// What was taken back, as long as nothing newer than it runs.
    pub fn last_failure(&self, running: &Version) -> Option<&TakenBack> {
        self.taken_back.last().filter(|back| back.installed.version > *running)
    }

    /// The programs that must stay on the disk.
    pub fn kept(&self) -> impl Iterator<Item = &Installed> {
        let trial = self.trial.as_ref().map(|trial| &trial.installed);
        [self.proven.as_ref(), self.previous.as_ref(), trial].into_iter().flatten()
    }
}
