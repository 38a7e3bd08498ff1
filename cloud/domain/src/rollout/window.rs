//! Decides whether an hour of the day is one in which agents may be asked to update.

use chrono::{DateTime, Timelike as _, Utc};
use serde::{Deserialize, Serialize};

/// The hours of the day, in UTC, in which agents may be asked. It may go over midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    from_minute: u32,
    to_minute: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a time of day such as 22:00, and another one as the end")]
pub struct NoWindow;

const DAY: u32 = 24 * 60;

impl Window {
    pub fn of_minutes(from_minute: u32, to_minute: u32) -> Result<Self, NoWindow> {
        let is_one = from_minute < DAY && to_minute < DAY && from_minute != to_minute;
        if is_one { Ok(Self { from_minute, to_minute }) } else { Err(NoWindow) }
    }

    /// From two times of day, as in `22:00`.
    pub fn parse(from: &str, to: &str) -> Result<Self, NoWindow> {
        Self::of_minutes(minute(from).ok_or(NoWindow)?, minute(to).ok_or(NoWindow)?)
    }

    pub const fn minutes(&self) -> (u32, u32) {
        (self.from_minute, self.to_minute)
    }

    pub fn from(&self) -> String {
        clock(self.from_minute)
    }

    pub fn to(&self) -> String {
        clock(self.to_minute)
    }

    pub fn holds(&self, now: DateTime<Utc>) -> bool {
        let minute = now.hour() * 60 + now.minute();
        if self.from_minute < self.to_minute {
            (self.from_minute..self.to_minute).contains(&minute)
        } else {
            minute >= self.from_minute || minute < self.to_minute
        }
    }
}

fn minute(text: &str) -> Option<u32> {
    let (hour, minute) = text.split_once(':')?;
    let (hour, minute): (u32, u32) = (hour.parse().ok()?, minute.parse().ok()?);
    (hour < 24 && minute < 60).then_some(hour * 60 + minute)
}

fn clock(minute: u32) -> String {
    format!("{:02}:{:02}", minute / 60, minute % 60)
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    fn at(hours: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::days(20_000) + TimeDelta::hours(hours)
    }

    #[test]
    fn a_window_may_go_over_midnight() {
        let night = Window::parse("22:00", "05:30").unwrap();
        let hours: Vec<bool> = [21, 22, 23, 0, 5, 6].map(|hour| night.holds(at(hour))).to_vec();
        assert_eq!(hours, [false, true, true, true, true, false]);
        assert_eq!((night.from(), night.to()), ("22:00".to_owned(), "05:30".to_owned()));
        for (from, to) in [("22:00", "22:00"), ("24:00", "05:00"), ("x", "05:00"), ("", "")] {
            assert!(Window::parse(from, to).is_err(), "{from} {to}");
        }
    }
}
