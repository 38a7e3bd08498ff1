//! Decides how far a new version of the agent goes: to a few, to some, to all, and no further when it does harm.

use chrono::{DateTime, TimeDelta, Timelike as _, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::words::words;

words! {
    /// Who is asked to update.
    pub enum Ring {
        /// One in a hundred, and at least one.
        First = "first",
        /// One in ten.
        Tenth = "tenth",
        All = "all",
    }
}

words! {
    pub enum RolloutState {
        Running = "running",
        /// By a person.
        Paused = "paused",
        /// By itself, because too many did not come through.
        Stopped = "stopped",
    }
}

words! {
    /// What became of one agent's update.
    pub enum UpdateState {
        Offered = "offered",
        /// It checked in with the new version.
        Updated = "updated",
        /// The agent would not take it; nothing was installed.
        Refused = "refused",
        /// It ran the new version and went back.
        TakenBack = "taken_back",
    }
}

impl Ring {
    const fn percent(self) -> usize {
        match self {
            Self::First => 1,
            Self::Tenth => 10,
            Self::All => 100,
        }
    }

    const fn next(self) -> Option<Self> {
        match self {
            Self::First => Some(Self::Tenth),
            Self::Tenth => Some(Self::All),
            Self::All => None,
        }
    }

    /// How long the agents of this ring must have run before more are asked.
    pub const SOAK: TimeDelta = TimeDelta::days(1);
}

/// Where an agent stands in the order for one version: other versions, other first ones. FNV-1a, which is the same on
/// every machine and for ever.
pub fn place(agent: Uuid, version: &str) -> i64 {
    let bytes = version.bytes().chain(agent.into_bytes());
    let hash = bytes.fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    i64::from(hash)
}

/// The last place that belongs to a ring. An MSP with few agents still begins with one.
pub fn cutoff(ring: Ring, mut places: Vec<i64>) -> i64 {
    if ring == Ring::All {
        return i64::MAX;
    }
    places.sort_unstable();
    let asked = (places.len() * ring.percent()).div_ceil(100);
    asked.checked_sub(1).and_then(|last| places.get(last).copied()).unwrap_or(-1)
}

/// What became of those who were asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    pub asked: i64,
    pub updated: i64,
    pub taken_back: i64,
    /// Not heard of since they were asked, or since they updated.
    pub silent: i64,
    /// Failures that a person has looked at and let pass.
    pub forgiven: i64,
}

impl Tally {
    pub const fn failed(&self) -> i64 {
        let failed = self.taken_back + self.silent - self.forgiven;
        if failed < 0 { 0 } else { failed }
    }

    /// More than one in twenty. In a small ring that is the first one.
    const fn is_harmful(&self) -> bool {
        self.failed() * 20 > self.asked
    }

    /// Whether everybody who was asked has an end, and somebody a good one.
    const fn is_settled(&self) -> bool {
        self.updated > 0 && self.updated + self.taken_back + self.silent >= self.asked
    }
}

/// Agents that were asked and not heard of with the new version after this time count as silent.
pub const ANSWER_WITHIN: TimeDelta = TimeDelta::minutes(45);
/// Agents that updated and were not heard of for this time count as silent.
pub const HEARD_WITHIN: TimeDelta = TimeDelta::minutes(15);

/// What happens to a running rollout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    Stay,
    Widen(Ring),
    /// Nobody of the ring could be asked: others are chosen.
    Redraw,
    Stop,
}

pub fn decide(ring: Ring, since: DateTime<Utc>, tally: Tally, now: DateTime<Utc>) -> Next {
    if tally.is_harmful() {
        return Next::Stop;
    }
    let has_soaked = now - since >= Ring::SOAK;
    match ring.next() {
        Some(_) if has_soaked && tally.asked == 0 => Next::Redraw,
        Some(next) if has_soaked && tally.is_settled() => Next::Widen(next),
        Some(_) | None => Next::Stay,
    }
}

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
    use super::*;
    use proptest::prelude::*;

    fn at(hours: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::days(20_000) + TimeDelta::hours(hours)
    }

    fn tally(asked: i64, updated: i64, taken_back: i64, silent: i64) -> Tally {
        Tally { asked, updated, taken_back, silent, forgiven: 0 }
    }

    #[test]
    fn a_ring_widens_after_a_day_when_all_of_it_came_through() {
        let good = tally(3, 3, 0, 0);
        assert_eq!(decide(Ring::First, at(0), good, at(23)), Next::Stay);
        assert_eq!(decide(Ring::First, at(0), good, at(24)), Next::Widen(Ring::Tenth));
        assert_eq!(decide(Ring::Tenth, at(0), good, at(24)), Next::Widen(Ring::All));
        assert_eq!(decide(Ring::All, at(0), good, at(99)), Next::Stay);
        assert_eq!(decide(Ring::First, at(0), tally(3, 2, 0, 0), at(99)), Next::Stay, "one has no end yet");
    }

    #[test]
    fn one_failure_stops_a_small_ring_and_one_in_twenty_a_large_one() {
        assert_eq!(decide(Ring::First, at(0), tally(1, 0, 1, 0), at(1)), Next::Stop);
        assert_eq!(decide(Ring::First, at(0), tally(2, 1, 0, 1), at(1)), Next::Stop);
        assert_eq!(decide(Ring::All, at(0), tally(100, 90, 3, 2), at(1)), Next::Stay);
        assert_eq!(decide(Ring::All, at(0), tally(100, 90, 3, 3), at(1)), Next::Stop);
        let looked_at = Tally { forgiven: 1, ..tally(1, 0, 1, 0) };
        assert_eq!(decide(Ring::First, at(0), looked_at, at(1)), Next::Stay);
    }

    #[test]
    fn a_ring_whose_agents_were_all_off_is_drawn_anew() {
        assert_eq!(decide(Ring::First, at(0), Tally::default(), at(24)), Next::Redraw);
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

    proptest! {
        #[test]
        fn a_ring_has_the_share_it_is_named_for_and_each_ring_holds_the_one_before(
            ids in proptest::collection::hash_set(any::<u128>(), 1..400),
        ) {
            let places: Vec<i64> = ids.iter().map(|id| place(Uuid::from_u128(*id), "1.2.0")).collect();
            let within = |ring| {
                let cutoff = cutoff(ring, places.clone());
                places.iter().filter(|place| **place <= cutoff).count()
            };
            let (first, tenth, all) = (within(Ring::First), within(Ring::Tenth), within(Ring::All));
            prop_assert!(first >= 1 && first <= ids.len() / 100 + 2);
            prop_assert!(tenth >= first && tenth <= ids.len() / 10 + 2);
            prop_assert_eq!(all, ids.len());
        }
    }
}
