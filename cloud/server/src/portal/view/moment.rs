//! Writes a time for people: `12 min ago` with the exact UTC time underneath; the browser puts it in the reader's own zone.

use std::fmt;

use askama::filters::HtmlSafe;
use chrono::{DateTime, SecondsFormat, Utc};

/// A time together with the now it is told from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    at: DateTime<Utc>,
    now: DateTime<Utc>,
    style: Style,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Style {
    Relative,
    Exact,
}

impl Moment {
    /// Told as distance: `3 h ago`, `in 12 min`.
    pub fn new(at: DateTime<Utc>, now: DateTime<Utc>) -> Self {
        Self { at, now, style: Style::Relative }
    }

    /// Told as date and time.
    pub fn exact(at: DateTime<Utc>) -> Self {
        Self { at, now: at, style: Style::Exact }
    }

    fn words(&self) -> String {
        match self.style {
            Style::Exact => self.at.format("%-d %b %Y, %H:%M:%S UTC").to_string(),
            Style::Relative => distance(self.at, self.now),
        }
    }
}

/// The page holds nothing that needs escaping: digits and fixed words.
impl HtmlSafe for Moment {}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stamp = self.at.to_rfc3339_opts(SecondsFormat::Secs, true);
        let exact = match self.style {
            Style::Exact => " data-as=\"exact\"",
            Style::Relative => "",
        };
        let title = self.at.format("%-d %b %Y, %H:%M:%S UTC");
        write!(f, "<time datetime=\"{stamp}\" title=\"{title}\"{exact}>{}</time>", self.words())
    }
}

fn distance(at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let seconds = (at - now).num_seconds();
    let size = seconds.unsigned_abs();
    let words = match size {
        0..60 => return if seconds > 0 { "in a moment".into() } else { "just now".into() },
        60..3_600 => format!("{} min", size / 60),
        3_600..86_400 => format!("{} h", size / 3_600),
        86_400..172_800 => "1 day".to_owned(),
        _ => format!("{} days", size / 86_400),
    };
    if seconds > 0 { format!("in {words}") } else { format!("{words} ago") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;

    #[test]
    fn a_time_is_told_as_distance_with_the_exact_time_underneath() {
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();

        let html = Moment::new(now - TimeDelta::minutes(12), now).to_string();

        assert_eq!(
            html,
            "<time datetime=\"2027-01-15T07:48:00Z\" title=\"15 Jan 2027, 07:48:00 UTC\">12 min ago</time>"
        );
    }

    #[test]
    fn every_distance_has_its_words() {
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let told = |seconds: i64| distance(now + TimeDelta::seconds(seconds), now);

        let words: Vec<String> = [-5, -90, -7_200, -90_000, -200_000, 5, 90, 200_000].map(told).into();

        assert_eq!(
            words,
            ["just now", "1 min ago", "2 h ago", "1 day ago", "2 days ago", "in a moment", "in 1 min", "in 2 days"]
        );
    }
}
