//! Decides how long ago a reading was by a clock that nobody can set: the machine's may be stepped, and the cloud's is
//! known from answers that a proxy could write.

use std::collections::VecDeque;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::Instant;

/// The readings of this process, oldest first, by the time that is written into the spool and by the steady clock.
#[derive(Debug, Default)]
pub struct Pace(VecDeque<(DateTime<Utc>, Instant)>);

/// More than there are second readings in a row.
const KEPT: usize = 16;

impl Pace {
    /// A reading has ended.
    pub fn note(&mut self, finished_at: DateTime<Utc>, now: Instant) {
        if self.0.len() == KEPT {
            self.0.pop_front();
        }
        self.0.push_back((finished_at, now));
    }

    /// How long ago the reading was that noted something at this time: at least this long. Of a reading that this process
    /// does not know, of an earlier one perhaps, it is as long as its own oldest.
    pub fn since(&self, noted_at: DateTime<Utc>, now: Instant) -> TimeDelta {
        let of_that = self.0.iter().find(|(finished_at, _)| *finished_at == noted_at);
        let Some((_, then)) = of_that.or_else(|| self.0.front()) else { return TimeDelta::zero() };
        TimeDelta::from_std(now - *then).unwrap_or(TimeDelta::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
    }

    #[tokio::test]
    async fn a_clock_that_is_set_forward_makes_no_reading_older() {
        let now = Instant::now();
        let mut pace = Pace::default();
        pace.note(at(0), now);
        // The clock jumps by a day.
        pace.note(at(86_400), now + Duration::from_secs(3));

        assert_eq!(pace.since(at(0), now + Duration::from_secs(4)), TimeDelta::seconds(4));
        assert_eq!(pace.since(at(86_400), now + Duration::from_secs(4)), TimeDelta::seconds(1));
    }

    #[tokio::test]
    async fn what_an_earlier_process_noted_counts_from_the_first_reading_of_this_one() {
        let now = Instant::now();
        let mut pace = Pace::default();
        assert_eq!(pace.since(at(0), now), TimeDelta::zero());

        pace.note(at(1_000), now);

        assert_eq!(pace.since(at(0), now + Duration::from_mins(5)), TimeDelta::minutes(5));
    }
}
