//! Decides whether a running rollout stops, waits, or may go further.

use chrono::{DateTime, TimeDelta, Utc};

use super::{Ring, Tally, Wait, asked::HEARD_WITHIN};

/// Looks that lie further apart than this mean that the cloud was away, or that nobody was there to be heard.
pub const PRESENT_WITHIN: TimeDelta = TimeDelta::minutes(5);

/// How far a rollout is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    pub ring: Ring,
    pub ring_since: DateTime<Utc>,
    /// Since when looks follow each other without a gap.
    pub present_since: DateTime<Utc>,
}

/// What happens to a running rollout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    Stop,
    Wait(Wait),
    /// Everybody who was asked has an end: the next ones may be drawn.
    GoOn,
}

pub fn decide(progress: &Progress, tally: Tally, now: DateTime<Utc>) -> Next {
    let is_listening = now - progress.present_since >= HEARD_WITHIN;
    let tally = if is_listening { tally } else { tally.without_silence() };
    if tally.is_harmful() {
        return Next::Stop;
    }
    if tally.counted() == 0 {
        return Next::GoOn;
    }
    if !is_listening {
        return Next::Wait(Wait::Listening);
    }
    if tally.open > 0 {
        return Next::Wait(Wait::Answers);
    }
    let has_soaked = tally.trying == 0 && now - progress.ring_since >= Ring::SOAK;
    if has_soaked { Next::GoOn } else { Next::Wait(Wait::Soak) }
}

/// A ring that takes twice as long as it should is shown as late.
pub fn is_overdue(ring_since: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    now - ring_since >= Ring::SOAK * 2
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hours: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::days(20_000) + TimeDelta::hours(hours)
    }

    fn ring(since: i64) -> Progress {
        Progress { ring: Ring::First, ring_since: at(since), present_since: at(-9) }
    }

    const NONE: Tally = Tally { through: 0, trying: 0, open: 0, taken_back: 0, silent: 0, left_behind: 0 };

    #[test]
    fn a_ring_goes_on_when_each_of_its_agents_has_run_the_version_for_a_day() {
        assert_eq!(decide(&ring(0), Tally { trying: 3, ..NONE }, at(23)), Next::Wait(Wait::Soak));
        assert_eq!(decide(&ring(0), Tally { through: 3, ..NONE }, at(24)), Next::GoOn);
        let late = Tally { through: 2, trying: 1, ..NONE };
        assert_eq!(decide(&ring(0), late, at(30)), Next::Wait(Wait::Soak), "one of them updated hours later");
        assert_eq!(decide(&ring(0), Tally { through: 2, open: 1, ..NONE }, at(99)), Next::Wait(Wait::Answers));
        assert_eq!(decide(&ring(0), Tally { through: 2, left_behind: 1, ..NONE }, at(99)), Next::GoOn);
        assert_eq!(decide(&ring(0), Tally { through: 1, ..NONE }, at(1)), Next::Wait(Wait::Soak), "others join it");
    }

    #[test]
    fn a_ring_in_which_nobody_counts_is_drawn_anew_at_once() {
        assert_eq!(decide(&ring(0), NONE, at(0)), Next::GoOn);
        assert_eq!(decide(&ring(0), Tally { left_behind: 1, ..NONE }, at(1)), Next::GoOn);
        let just_back = Progress { present_since: at(1), ..ring(0) };
        assert_eq!(decide(&just_back, NONE, at(1)), Next::GoOn, "there is nobody whose silence could be mistaken");
    }

    #[test]
    fn silence_says_nothing_until_the_cloud_has_listened_for_a_while() {
        let silent = Tally { silent: 9, ..NONE };
        let back = Progress { present_since: at(5), ..ring(0) };
        assert_eq!(decide(&back, silent, at(5) + TimeDelta::minutes(14)), Next::Wait(Wait::Listening));
        assert_eq!(decide(&back, silent, at(5) + TimeDelta::minutes(15)), Next::Stop);
        let went_back = Tally { taken_back: 1, ..NONE };
        assert_eq!(decide(&back, went_back, at(5)), Next::Stop, "who says that it went back was heard");
        let good = Tally { through: 9, ..NONE };
        assert_eq!(decide(&Progress { present_since: at(40), ..ring(0) }, good, at(40)), Next::Wait(Wait::Listening));
    }

    #[test]
    fn a_ring_is_late_after_twice_its_time() {
        assert!(!is_overdue(at(0), at(47)));
        assert!(is_overdue(at(0), at(48)));
    }
}
