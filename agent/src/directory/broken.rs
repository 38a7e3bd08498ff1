//! Decides which domain controllers broke off lately: they sign in well, so only memory tells that others come first.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

/// Past this a controller is as good as any other: it was mended, or it breaks once more.
const LATELY: TimeDelta = TimeDelta::hours(12);
/// As many as one cycle tries.
const MOST: usize = 16;

/// Controllers that broke off in the middle of a reading, the longest ago first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Broken(Vec<Broke>);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Broke {
    pub host: String,
    pub at: DateTime<Utc>,
}

impl Broken {
    #[must_use]
    pub fn and(mut self, host: &str, at: DateTime<Utc>) -> Self {
        self = self.without(host, at);
        self.0.push(Broke { host: host.to_owned(), at });
        let surplus = self.0.len().saturating_sub(MOST);
        self.0.drain(..surplus);
        self
    }

    /// Without one that was read to the end, and without those of long ago.
    #[must_use]
    pub fn without(mut self, host: &str, now: DateTime<Utc>) -> Self {
        self.0.retain(|broke| !broke.host.eq_ignore_ascii_case(host) && is_late(broke, now));
        self
    }

    /// The longest ago first.
    pub fn lately(&self, now: DateTime<Utc>) -> Vec<&Broke> {
        self.0.iter().filter(|broke| is_late(broke, now)).collect()
    }

    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A clock that was set back makes nothing younger than now.
fn is_late(broke: &Broke, now: DateTime<Utc>) -> bool {
    (now - broke.at).abs() < LATELY
}

/// What earlier cycles say of the controllers.
#[derive(Debug, Clone, Default)]
pub struct Experience<'a> {
    /// The one of the last cycle.
    pub last: Option<&'a str>,
    /// Those that broke off since, the longest ago first.
    pub broke: Vec<&'a Broke>,
}

impl Experience<'_> {
    /// Where a controller stands among the others: the one of the last cycle, then those that are not known to break, then
    /// those that broke, the longest ago first.
    pub fn rank(&self, host: &str) -> (usize, usize) {
        let is_host = |other: &str| other.eq_ignore_ascii_case(host);
        let broke = self.broke.iter().position(|broke| is_host(&broke.host)).map_or(0, |position| position + 1);
        (broke, usize::from(!self.last.is_some_and(is_host)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hour: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::hours(hour)
    }

    fn hosts(broken: &Broken, hour: i64) -> Vec<&str> {
        broken.lately(at(hour)).into_iter().map(|broke| broke.host.as_str()).collect()
    }

    #[test]
    fn a_controller_is_remembered_for_half_a_day_or_until_it_was_read_to_the_end() {
        let broken = Broken::default().and("dc1", at(0)).and("dc2", at(1));

        assert_eq!(hosts(&broken, 2), ["dc1", "dc2"]);
        assert_eq!(hosts(&broken, 12), ["dc2"]);
        assert_eq!(hosts(&broken.clone().without("DC2", at(2)), 2), ["dc1"]);
        assert_eq!(hosts(&broken.without("dc9", at(12)), 0), ["dc2"], "what is long ago is not kept");
    }

    #[test]
    fn one_that_breaks_again_is_the_last_to_be_tried_again() {
        let broken = Broken::default().and("dc1", at(0)).and("dc2", at(1)).and("DC1", at(2));

        assert_eq!(hosts(&broken, 3), ["dc2", "DC1"]);
    }

    #[test]
    fn the_memory_is_bounded() {
        let broken = (0..100).fold(Broken::default(), |broken, number| broken.and(&format!("dc{number}"), at(0)));

        assert_eq!((hosts(&broken, 0).len(), hosts(&broken, 0)[0]), (16, "dc84"));
    }
}
