//! Decides when a job that failed is tried again, and when it is given up.

use chrono::TimeDelta;

use crate::words::words;

words! {
    pub enum JobKind {
        ApplyCycle = "apply_cycle",
        SendMail = "send_mail",
        /// The week of a support bundle is over.
        DropBundles = "drop_bundles",
    }
}

/// Whose answer a job waits for. Workers wait for one of them each, so that one which is silent keeps no other job waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counterpart {
    Database,
    MailRelay,
}

impl JobKind {
    pub const fn counterpart(self) -> Counterpart {
        match self {
            Self::ApplyCycle | Self::DropBundles => Counterpart::Database,
            Self::SendMail => Counterpart::MailRelay,
        }
    }
}

words! {
    pub enum JobState {
        Ready = "ready",
        Running = "running",
        /// Given up; a human sees it and may try again.
        Dead = "dead",
    }
}

/// How long a worker has a job without renewing its claim.
pub const LEASE: TimeDelta = TimeDelta::seconds(60);

pub const MAX_ATTEMPTS: i64 = 12;
const FIRST: TimeDelta = TimeDelta::seconds(2);
const LONGEST: TimeDelta = TimeDelta::minutes(30);

/// Full jitter: anywhere between nothing and the cap, so that jobs which failed together do not come back together.
/// `chance` lies in 0..1. None = no further try.
pub fn retry_after(attempts: i64, chance: f64) -> Option<TimeDelta> {
    if attempts >= MAX_ATTEMPTS {
        return None;
    }
    let doublings = u32::try_from(attempts.clamp(0, 16)).unwrap_or(16);
    let ceiling = FIRST.checked_mul(1 << doublings).map_or(LONGEST, |wait| wait.min(LONGEST));
    let millis = ceiling.num_milliseconds();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        reason = "at most 30 minutes in milliseconds"
    )]
    Some(TimeDelta::milliseconds((millis as f64 * chance.clamp(0.0, 1.0)) as i64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_cap_and_stay_jittered_there() {
        assert_eq!(retry_after(0, 1.0), Some(TimeDelta::seconds(2)));
        assert_eq!(retry_after(3, 1.0), Some(TimeDelta::seconds(16)));
        assert_eq!(retry_after(11, 1.0), Some(LONGEST));
        assert_eq!(retry_after(11, 0.25), Some(LONGEST / 4));
        assert_eq!(retry_after(11, 0.0), Some(TimeDelta::zero()));
    }

    #[test]
    fn after_twelve_tries_a_human_decides() {
        assert_eq!(retry_after(MAX_ATTEMPTS, 0.5), None);
    }
}
