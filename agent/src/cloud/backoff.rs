//! Decides how long to wait before the next try: exponential with full jitter, which stays jittered at its cap.

use std::time::Duration;

/// A growing wait.
#[derive(Debug, Clone, Copy)]
pub struct Backoff {
    first: Duration,
    cap: Duration,
    failures: u32,
}

/// For the cloud: after an outage of any length everybody is back within five minutes, and not all at once.
pub const CLOUD: Backoff = Backoff { first: Duration::from_secs(2), cap: Duration::from_mins(4), failures: 0 };

/// For the store: a locked file is free again in moments, and a full disk may take days.
pub const STORE: Backoff = Backoff { first: Duration::from_secs(1), cap: Duration::from_mins(1), failures: 0 };

/// For answers that come at once and bring nothing: in the end as often as a long poll asks.
pub const IDLE: Backoff = Backoff { first: Duration::from_secs(1), cap: Duration::from_secs(55), failures: 0 };

/// For a gap that was filled before: filling it may send the whole ledger.
pub const GAP: Backoff = Backoff { first: Duration::from_mins(1), cap: Duration::from_hours(1), failures: 0 };

impl Backoff {
    /// The wait after one more failure. `fraction` is from 0 up to 1.
    pub fn failed(&mut self, fraction: f64) -> Duration {
        let grown = self.first.saturating_mul(2_u32.saturating_pow(self.failures.min(30)));
        self.failures = self.failures.saturating_add(1);
        grown.min(self.cap).mul_f64(fraction.clamp(0.0, 1.0)).max(Duration::from_millis(100))
    }

    /// After a success the next failure waits as little as the first.
    pub fn reset(&mut self) {
        self.failures = 0;
    }

    pub fn failures(&self) -> u32 {
        self.failures
    }
}

/// The wait that a busy cloud asked for, spread so that not all come back at the same moment.
pub fn spread(asked: u32, fraction: f64) -> Duration {
    let asked = Duration::from_secs(u64::from(asked.min(300)));
    asked + asked.mul_f64(fraction.clamp(0.0, 1.0) / 2.0) + Duration::from_millis(100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_the_cap_and_keep_their_jitter_there() {
        let mut backoff = CLOUD;

        let longest: Vec<_> = (0..12).map(|_| backoff.failed(1.0).as_secs()).collect();
        let half = backoff.failed(0.5);

        assert_eq!(longest[..5], [2, 4, 8, 16, 32]);
        assert_eq!(longest[11], 240);
        assert_eq!(half.as_secs(), 120);
    }

    #[test]
    fn a_success_begins_anew() {
        let mut backoff = CLOUD;
        for _ in 0..5 {
            backoff.failed(1.0);
        }

        backoff.reset();

        assert_eq!(backoff.failed(1.0), Duration::from_secs(2));
    }
}
