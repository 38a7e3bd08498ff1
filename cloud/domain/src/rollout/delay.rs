//! Decides from when on a published release may reach an MSP's agents.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

/// Whole days between the publication of a release and the first agent that is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Delay {
    days: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a whole number of days from 0 to 30")]
pub struct NoDelay;

impl Delay {
    /// Agents are asked as soon as a release is published.
    pub const NONE: Self = Self { days: 0 };
    /// An agent that stays behind for longer also stays behind what was corrected meanwhile.
    pub const MOST_DAYS: u32 = 30;

    pub fn of_days(days: i64) -> Result<Self, NoDelay> {
        u32::try_from(days).ok().filter(|days| *days <= Self::MOST_DAYS).map(|days| Self { days }).ok_or(NoDelay)
    }

    pub fn parse(text: &str) -> Result<Self, NoDelay> {
        text.trim().parse().map_err(|_| NoDelay).and_then(Self::of_days)
    }

    pub const fn days(self) -> u32 {
        self.days
    }

    /// `None`: at once. So it is without a delay, whatever the clocks of those who publish say, and for a release of which
    /// nobody wrote down when it was published.
    pub fn ends(self, published_at: Option<DateTime<Utc>>) -> Option<DateTime<Utc>> {
        if self == Self::NONE {
            return None;
        }
        published_at.map(|at| at.checked_add_signed(TimeDelta::days(self.days.into())).unwrap_or(at))
    }

    pub fn is_over(self, published_at: Option<DateTime<Utc>>, now: DateTime<Utc>) -> bool {
        self.ends(published_at).is_none_or(|end| now >= end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hours: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::days(20_000) + TimeDelta::hours(hours)
    }

    // proves: M-42
    #[test]
    fn a_release_waits_whole_days_from_its_publication() {
        let week = Delay::of_days(7).unwrap();
        assert!(!week.is_over(Some(at(0)), at(7 * 24) - TimeDelta::seconds(1)));
        assert!(week.is_over(Some(at(0)), at(7 * 24)));
        assert_eq!(week.ends(Some(at(0))), Some(at(7 * 24)));
    }

    #[test]
    fn without_a_delay_or_a_date_it_goes_out_at_once() {
        assert!(Delay::NONE.is_over(Some(at(9)), at(0)), "the clock of those who publish is ahead of ours");
        assert!(Delay::of_days(30).unwrap().is_over(None, at(0)));
        assert!(!Delay::of_days(1).unwrap().is_over(Some(DateTime::<Utc>::MAX_UTC), at(0)), "a date beyond all dates");
    }

    #[test]
    fn only_whole_days_from_0_to_30_are_a_delay() {
        for (text, days) in [("0", 0), ("1", 1), (" 30 ", 30)] {
            assert_eq!(Delay::parse(text).map(Delay::days), Ok(days), "{text}");
        }
        for text in ["", "-1", "31", "1.5", "a week", "99999999999999999999"] {
            assert!(Delay::parse(text).is_err(), "{text}");
        }
    }
}
