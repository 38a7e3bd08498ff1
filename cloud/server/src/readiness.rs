//! Decides whether this program should be given work: the database answers, its disk takes writes, and no end is near.

use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};

/// A disk that refused a write is not asked for another one by a balancer for so long. Agents come back sooner, so a
/// disk that is still full is noticed again before this is over.
const DOUBT: TimeDelta = TimeDelta::seconds(60);

/// When a refused write was last noticed.
#[derive(Debug, Default)]
pub struct Readiness(Mutex<Noticed>);

#[derive(Debug, Default, Clone, Copy)]
struct Noticed {
    refusals: u64,
    at: Option<DateTime<Utc>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writes {
    Taken,
    Refused,
}

impl Readiness {
    /// `refusals`: how many writes the disk has refused so far.
    pub fn look(&self, refusals: u64, now: DateTime<Utc>) -> Writes {
        let mut noticed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if refusals > noticed.refusals {
            *noticed = Noticed { refusals, at: Some(now) };
        }
        match noticed.at {
            Some(at) if now - at < DOUBT => Writes::Refused,
            Some(_) | None => Writes::Taken,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_write_is_doubted_for_a_minute_and_each_further_one_anew() {
        let readiness = Readiness::default();
        let at = |seconds| DateTime::from_timestamp(seconds, 0).unwrap();

        assert_eq!(readiness.look(0, at(0)), Writes::Taken);
        assert_eq!(readiness.look(1, at(10)), Writes::Refused);
        assert_eq!(readiness.look(2, at(60)), Writes::Refused);
        assert_eq!(readiness.look(2, at(119)), Writes::Refused);
        assert_eq!(readiness.look(2, at(120)), Writes::Taken);
    }
}
