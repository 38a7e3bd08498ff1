//! Decides which release of a platform an MSP's agents go to now, and which ones wait for their day.
//!
//! With a delay an MSP sees the folder as it was some days ago, less what was withdrawn since. So agents still get on where
//! releases follow each other faster than the delay ends: each in its turn, and never one that was taken back meanwhile.

use chrono::{DateTime, Utc};
use rollcall_domain::rollout::Delay;
use rollcall_protocol::update::Version;
use rollcall_protocol::update::metadata::{Platform, Release};
use rollcall_store::updates::{delay, rollouts, rollouts::Begun};
use rollcall_store::{Result, Tx};

use super::Stock;

/// What of the folder is for one MSP.
#[derive(Debug)]
pub struct Supply<'a> {
    stock: &'a Stock,
    delay: Delay,
    begun: Vec<Begun>,
    now: DateTime<Utc>,
}

/// A release whose delay is not over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upcoming {
    pub version: Version,
    pub platform: Platform,
    pub published_at: DateTime<Utc>,
    /// From when on agents are asked, ring by ring.
    pub from: DateTime<Utc>,
}

impl<'a> Supply<'a> {
    pub async fn find(tx: &mut Tx, stock: &'a Stock, now: DateTime<Utc>) -> Result<Self> {
        let delay = delay::find(tx).await?;
        let begun = if delay == Delay::NONE { Vec::new() } else { rollouts::list_begun(tx).await? };
        Ok(Self { stock, delay, begun, now })
    }

    /// The version that agents of this platform should run.
    pub fn newest(&self, platform: &Platform) -> Option<&'a Version> {
        let due = self.stock.releases.iter().filter(|release| release.platform == *platform && self.is_due(release));
        due.map(|release| &release.version).max()
    }

    /// Newer ones than agents go to now, the first to come first.
    pub fn upcoming(&self) -> Vec<Upcoming> {
        let waiting = self.stock.releases.iter().filter(|release| !self.is_due(release));
        let mut upcoming: Vec<Upcoming> = waiting
            .filter(|release| self.newest(&release.platform).is_none_or(|newest| release.version > *newest))
            .filter_map(|release| {
                let published_at = release.published_at?;
                let from = self.delay.ends(Some(published_at))?;
                let (version, platform) = (release.version.clone(), release.platform.clone());
                Some(Upcoming { version, platform, published_at, from })
            })
            .collect();
        // One whose day comes no sooner than a newer one's reaches nobody.
        let all = upcoming.clone();
        upcoming.retain(|one| !all.iter().any(|other| other.overtakes(one)));
        upcoming.sort_by(|a, b| (a.from, &a.version, &a.platform).cmp(&(b.from, &b.version, &b.platform)));
        upcoming
    }

    /// What has begun goes on, also when the delay is made longer: a person who wants it to end pauses it.
    fn is_due(&self, release: &Release) -> bool {
        self.delay.is_over(release.published_at, self.now) || self.begun.iter().any(|begun| begun.is_of(release))
    }
}

impl Upcoming {
    fn overtakes(&self, other: &Self) -> bool {
        self.platform == other.platform && self.version > other.version && self.from <= other.from
    }
}

trait IsOf {
    fn is_of(&self, release: &Release) -> bool;
}

impl IsOf for Begun {
    fn is_of(&self, release: &Release) -> bool {
        self.version == release.version.to_string() && self.platform == release.platform.to_string()
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use rollcall_protocol::hash::Hash;

    use super::*;

    const WINDOWS: &str = "x86_64-windows";
    const LINUX: &str = "x86_64-linux";

    fn day(number: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::days(20_000 + number)
    }

    fn release(version: &str, platform: &str, published: i64) -> Release {
        Release {
            version: version.parse().unwrap(),
            platform: Platform::new(platform),
            length: 7,
            sha256: Hash::of(version.as_bytes()),
            published_at: Some(day(published)),
        }
    }

    fn stock(releases: Vec<Release>) -> Stock {
        Stock { releases, expires: day(99) }
    }

    fn supply(stock: &Stock, days: i64, today: i64) -> Supply<'_> {
        Supply { stock, delay: Delay::of_days(days).unwrap(), begun: vec![], now: day(today) }
    }

    fn newest(supply: &Supply<'_>) -> Option<String> {
        supply.newest(&Platform::new(WINDOWS)).map(ToString::to_string)
    }

    fn upcoming(supply: &Supply<'_>) -> Vec<(String, i64)> {
        let shown = |one: Upcoming| (one.version.to_string(), (one.from - day(0)).num_days());
        supply.upcoming().into_iter().map(shown).collect()
    }

    // proves: M-42
    #[test]
    fn a_release_waits_for_its_day_and_the_one_before_it_goes_out_meanwhile() {
        let stock = stock(vec![release("1.1.0", WINDOWS, 0), release("1.2.0", WINDOWS, 10)]);

        assert_eq!(newest(&supply(&stock, 7, 16)).as_deref(), Some("1.1.0"));
        assert_eq!(upcoming(&supply(&stock, 7, 16)), [("1.2.0".to_owned(), 17)]);
        assert_eq!(newest(&supply(&stock, 7, 17)).as_deref(), Some("1.2.0"));
        assert_eq!(upcoming(&supply(&stock, 7, 17)), []);
        assert_eq!(newest(&supply(&stock, 0, 10)).as_deref(), Some("1.2.0"));
    }

    #[test]
    fn releases_that_follow_each_other_faster_than_the_delay_still_go_out() {
        let weekly = (0..9).map(|week| release(&format!("1.{week}.0"), WINDOWS, week * 7)).collect();
        let stock = stock(weekly);

        assert_eq!(newest(&supply(&stock, 14, 56)).as_deref(), Some("1.6.0"), "the newest is 1.8.0");
        assert_eq!(upcoming(&supply(&stock, 14, 56)), [("1.7.0".to_owned(), 63), ("1.8.0".to_owned(), 70)]);
    }

    #[test]
    fn each_platform_waits_for_its_own_publication() {
        let stock = stock(vec![release("1.2.0", WINDOWS, 0), release("1.2.0", LINUX, 3)]);
        let supply = supply(&stock, 5, 6);

        assert_eq!(newest(&supply).as_deref(), Some("1.2.0"));
        assert_eq!(supply.newest(&Platform::new(LINUX)), None);
        assert_eq!(upcoming(&supply), [("1.2.0".to_owned(), 8)]);
    }

    #[test]
    fn what_has_begun_goes_on_when_the_delay_is_made_longer() {
        let stock = stock(vec![release("1.1.0", WINDOWS, 0), release("1.2.0", WINDOWS, 10)]);
        let begun = vec![Begun { version: "1.2.0".into(), platform: WINDOWS.into() }];
        let longer = Supply { begun, ..supply(&stock, 30, 12) };

        assert_eq!(newest(&longer).as_deref(), Some("1.2.0"));
        assert_eq!(upcoming(&longer), []);
    }

    #[test]
    fn of_two_with_one_day_only_the_newer_one_comes() {
        let stock = stock(vec![release("1.1.0", WINDOWS, 3), release("1.2.0", WINDOWS, 3), release("1.1.0", LINUX, 3)]);
        let upcoming = supply(&stock, 7, 4).upcoming();

        let shown: Vec<String> = upcoming.iter().map(|one| format!("{} {}", one.version, one.platform)).collect();
        assert_eq!(shown, ["1.1.0 x86_64-linux", "1.2.0 x86_64-windows"]);
    }

    #[test]
    fn an_older_release_that_waits_is_none_of_what_comes() {
        let stock = stock(vec![release("1.1.5", WINDOWS, 10), release("1.2.0", WINDOWS, 0)]);

        assert_eq!(upcoming(&supply(&stock, 7, 11)), []);
    }
}
