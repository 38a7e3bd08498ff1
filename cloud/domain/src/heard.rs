//! Decides what is kept of an agent's own words: no time that has not come or that a database cannot keep, and no text
//! longer than a page can show.

use chrono::{DateTime, Utc};

/// A clock that is wrong refuses nobody: what it says is moved to the nearest time that can be.
pub fn time(said: DateTime<Utc>, now: DateTime<Utc>) -> DateTime<Utc> {
    said.min(now).max(DateTime::UNIX_EPOCH)
}

/// Bytes of a name: of machines, systems, ways, versions and attributes. Windows' own bounds lie below.
pub const NAME: usize = 256;

/// Cuts a text between two letters.
pub fn cut(text: &mut String, longest: usize) {
    text.truncate(text.floor_char_boundary(longest));
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

    #[test]
    fn words_are_cut_between_letters_and_short_ones_are_left() {
        let mut long = "ä".repeat(NAME);
        cut(&mut long, 5);
        assert_eq!(long, "ää");
        let mut short = "SRV1".to_owned();
        cut(&mut short, NAME);
        assert_eq!(short, "SRV1");
    }
}
