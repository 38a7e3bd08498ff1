//! Decides what a start makes of a reading that an earlier process began and never ended: once it may be a power cut,
//! twice it is the reading, and the directory is not asked again each time something starts the service.

use std::path::Path;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::schedule::{Outcome, Try};
use crate::belongings;
use crate::folder::kept::Kept;

/// What the disk knows of the last reading.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Begun {
    /// Readings in a row that began and whose end was not noted; the one under way is the last of them.
    unended: u32,
    /// When the last one began.
    at: DateTime<Utc>,
    /// Commands that a reading has tried to carry out and that the cloud may still send.
    tried: Vec<Uuid>,
}

/// How a process goes on from there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GoOn {
    pub tried: Vec<Uuid>,
    /// The reading that never ended, where it counts as one that failed.
    pub failed: Option<Try>,
}

const BEGUN: Kept<Begun> = Kept::new(belongings::BEGUN, "that a reading began or ended");

impl Begun {
    /// Of the process before this one; a file that cannot be read is as good as none.
    pub fn find(folder: &Path) -> Self {
        BEGUN.find(folder).unwrap_or_default()
    }

    /// A command whose reading was cut off once is tried once more, and then like any other reading that failed.
    pub fn go_on(&self, now: DateTime<Utc>) -> GoOn {
        match self.unended {
            0 => GoOn { tried: self.tried.clone(), failed: None },
            1 => GoOn { tried: Vec::new(), failed: None },
            times => {
                let failed = Try { at: self.at.min(now), outcome: Outcome::Failed(times - 1), recipe: None };
                GoOn { tried: self.tried.clone(), failed: Some(failed) }
            }
        }
    }

    /// Before the directory is asked.
    pub fn begin(&mut self, folder: &Path, tried: &[Uuid], at: DateTime<Utc>) {
        *self = Self { unended: self.unended.saturating_add(1), at, tried: tried.to_vec() };
        BEGUN.save(folder, self);
    }

    /// However it ended, the process is still here.
    pub fn end(&mut self, folder: &Path, tried: &[Uuid]) {
        *self = Self { unended: 0, at: self.at, tried: tried.to_vec() };
        BEGUN.save(folder, self);
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    const ORDER: Uuid = Uuid::from_u128(31);

    fn at(minutes: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::minutes(minutes)
    }

    fn cut_off(folder: &Path, minutes: i64) -> GoOn {
        Begun::find(folder).begin(folder, &[ORDER], at(minutes));
        Begun::find(folder).go_on(at(minutes))
    }

    #[test]
    fn a_reading_that_is_cut_off_once_is_begun_anew_at_once() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(cut_off(folder.path(), 1), GoOn { tried: vec![], failed: None });
    }

    #[test]
    fn one_that_is_cut_off_again_and_again_waits_longer_each_time() {
        let folder = tempfile::tempdir().unwrap();
        cut_off(folder.path(), 1);

        let second = cut_off(folder.path(), 2);
        let third = cut_off(folder.path(), 3);

        let failed = |times, minutes| Some(Try { at: at(minutes), outcome: Outcome::Failed(times), recipe: None });
        assert_eq!(second, GoOn { tried: vec![ORDER], failed: failed(1, 2) });
        assert_eq!(third, GoOn { tried: vec![ORDER], failed: failed(2, 3) });
    }

    #[test]
    fn a_reading_that_ends_ends_the_row_and_its_commands_stay_tried() {
        let folder = tempfile::tempdir().unwrap();
        cut_off(folder.path(), 1);
        cut_off(folder.path(), 2);

        Begun::find(folder.path()).end(folder.path(), &[ORDER]);

        assert_eq!(Begun::find(folder.path()).go_on(at(9)), GoOn { tried: vec![ORDER], failed: None });
        assert_eq!(cut_off(folder.path(), 10).failed, None);
    }

    #[test]
    fn a_folder_of_an_older_agent_and_a_damaged_file_say_nothing() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Begun::find(folder.path()), Begun::default());
        std::fs::write(folder.path().join(belongings::BEGUN), "{\"unended\":").unwrap();
        assert_eq!(Begun::find(folder.path()), Begun::default());
    }

    #[test]
    fn a_beginning_in_the_future_keeps_nobody_waiting_for_it() {
        let folder = tempfile::tempdir().unwrap();
        for _ in 0..2 {
            Begun::find(folder.path()).begin(folder.path(), &[], at(1_000_000));
        }
        assert_eq!(Begun::find(folder.path()).go_on(at(5)).failed.map(|failed| failed.at), Some(at(5)));
    }
}
