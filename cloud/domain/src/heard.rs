//! Decides which time is kept of those an agent tells: none that has not come, and none that a database cannot keep.

use chrono::{DateTime, Utc};

/// A clock that is wrong refuses nobody: what it says is moved to the nearest time that can be.
pub fn time(said: DateTime<Utc>, now: DateTime<Utc>) -> DateTime<Utc> {
    said.min(now).max(DateTime::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    #[test]
    fn a_time_that_cannot_be_becomes_the_nearest_that_can() {
        let now = DateTime::UNIX_EPOCH + TimeDelta::days(20_000);
        let yesterday = now - TimeDelta::days(1);
        assert_eq!(time(yesterday, now), yesterday);
        assert_eq!(time(DateTime::<Utc>::MAX_UTC, now), now);
        assert_eq!(
            time(DateTime::<Utc>::MIN_UTC, now),
            DateTime::UNIX_EPOCH,
            "PostgreSQL ends 4713 years before our era"
        );
    }
}
