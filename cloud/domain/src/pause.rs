//! Decides whether something is paused now: an import, a customer or a whole MSP.

use chrono::{DateTime, Utc};

/// A pause with its reason. Ends by itself when `until` has come.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Pause {
    pub at: DateTime<Utc>,
    pub until: Option<DateTime<Utc>>,
    pub reason: String,
    pub by: String,
}

impl Pause {
    pub fn holds(&self, now: DateTime<Utc>) -> bool {
        self.until.is_none_or(|until| now < until)
    }
}

/// The pause in force among those of import, customer and MSP: the one that lasts longest.
pub fn in_force<'a>(pauses: impl IntoIterator<Item = &'a Pause>, now: DateTime<Utc>) -> Option<&'a Pause> {
    pauses
        .into_iter()
        .filter(|pause| pause.holds(now))
        .max_by_key(|pause| pause.until.unwrap_or(DateTime::<Utc>::MAX_UTC))
}

/// When the last of those that are over ended.
pub fn last_end<'a>(pauses: impl IntoIterator<Item = &'a Pause>, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    pauses.into_iter().filter(|pause| !pause.holds(now)).filter_map(|pause| pause.until).max()
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;

    fn pause(until: Option<DateTime<Utc>>) -> Pause {
        Pause { at: DateTime::UNIX_EPOCH, until, reason: "migration".into(), by: "Ana".into() }
    }

    #[test]
    fn a_pause_with_an_end_ends_by_itself() {
        let end = DateTime::UNIX_EPOCH + TimeDelta::hours(1);
        assert!(pause(Some(end)).holds(end - TimeDelta::seconds(1)));
        assert!(!pause(Some(end)).holds(end));
        assert!(pause(None).holds(end));
    }

    #[test]
    fn the_longest_pause_is_the_one_in_force() {
        let end = DateTime::UNIX_EPOCH + TimeDelta::hours(1);
        let (short, open) = (pause(Some(end)), pause(None));
        assert_eq!(in_force([&short, &open], DateTime::UNIX_EPOCH), Some(&open));
        assert_eq!(in_force([&short], end), None);
    }
}
