//! Decides how soon a new epoch may be asked for. Each one makes the agent read the directory and send everybody, so that
//! a cloud, or whoever answers in its place, which refuses them all must not set the pace.

use tokio::time::{Duration, Instant};

use super::schedule;

/// New epochs since the cloud has last acknowledged a whole cycle.
#[derive(Debug, Default)]
pub struct EpochPace {
    lost: u32,
    not_before: Option<Instant>,
}

impl EpochPace {
    /// The place in the chain was lost once more. The first time a new epoch is asked for at once, then after 1, 2, 4 …
    /// 60 minutes. Answers how often in a row.
    pub fn lost(&mut self, now: Instant) -> u32 {
        self.lost = self.lost.saturating_add(1);
        self.not_before = (self.lost > 1).then(|| now + wait(self.lost - 1));
        self.lost
    }

    /// When the next one may be asked for; `None`: at once. It is told once: whoever has waited, or was woken, goes on.
    pub fn not_before(&mut self) -> Option<Instant> {
        self.not_before.take()
    }

    /// A whole cycle arrived.
    pub fn reset(&mut self) {
        *self = Self::default();
    }
}

fn wait(failures: u32) -> Duration {
    schedule::retry_after(failures).to_std().unwrap_or(Duration::from_hours(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_cloud_that_refuses_everything_is_sent_everybody_ever_more_rarely() {
        let now = Instant::now();
        let mut pace = EpochPace::default();

        pace.lost(now);
        assert_eq!(pace.not_before(), None, "a cloud that was restored is served at once");
        let minutes = |until: Instant| (until - now).as_secs() / 60;
        let waits: Vec<_> = (0..8).map(|_| (pace.lost(now), pace.not_before().map(minutes))).collect();

        assert_eq!(waits.first(), Some(&(2, Some(1))));
        assert_eq!(waits.last(), Some(&(9, Some(60))));
        pace.reset();
        assert_eq!((pace.lost(now), pace.not_before()), (1, None));
    }
}
