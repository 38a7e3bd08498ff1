//! Decides how often the installer goes out for one token: often enough for a slow line and a second try, not for a
//! stranger who found the token and has the cloud send the file all day.

use std::collections::HashMap;
use std::hash::Hash;

use chrono::{DateTime, TimeDelta, Utc};

const WINDOW: TimeDelta = TimeDelta::hours(1);
const MOST: u32 = 20;

/// Who came in the last hour, and how often. Each instance of the cloud counts for itself.
#[derive(Debug)]
pub struct Turnstile<K>(HashMap<K, Visits>);

#[derive(Debug)]
struct Visits {
    since: DateTime<Utc>,
    count: u32,
}

impl<K> Default for Turnstile<K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Eq + Hash> Turnstile<K> {
    /// Counts a visit; an error is how long to wait.
    pub fn pass(&mut self, who: K, now: DateTime<Utc>) -> Result<(), TimeDelta> {
        self.0.retain(|_, visits| now - visits.since < WINDOW);
        let visits = self.0.entry(who).or_insert(Visits { since: now, count: 0 });
        if visits.count >= MOST {
            return Err(visits.since + WINDOW - now);
        }
        visits.count += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::minutes(minutes)
    }

    #[test]
    fn twenty_pass_in_an_hour_and_the_next_waits_for_its_end() {
        let mut turnstile = Turnstile::default();

        let passed = (0..30).filter(|minute| turnstile.pass("token", at(*minute)).is_ok()).count();

        assert_eq!(passed, 20);
        assert_eq!(turnstile.pass("token", at(40)), Err(TimeDelta::minutes(20)));
        assert_eq!(turnstile.pass("another", at(40)), Ok(()));
        assert_eq!(turnstile.pass("token", at(60)), Ok(()));
    }

    #[test]
    fn who_does_not_come_back_is_forgotten() {
        let mut turnstile = Turnstile::default();
        for who in 0..1000 {
            turnstile.pass(who, at(0)).unwrap();
        }

        turnstile.pass(1000, at(61)).unwrap();

        assert_eq!(turnstile.0.len(), 1);
    }
}
