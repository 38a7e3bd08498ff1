//! Decides how often one agent may ask, one request after another: each earns requests with time and may save some up.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use governor::clock::Clock as _;
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};
use rollcall_domain::ids::AgentId;
use rollcall_protocol::answer::Refusal;
use rollcall_protocol::limits::{self, Allowance};

/// What an agent asks for, told apart by how often it has reason to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Errand {
    CheckIn,
    Batch,
    /// A file of a publication.
    Fetch,
    /// A new key, a bundle, a farewell: what happens once in a while.
    Rare,
}

/// Each instance of the cloud counts for itself. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Pace(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    clock: Stopwatch,
    check_ins: Limiter,
    batches: Limiter,
    fetches: Limiter,
    rare: Limiter,
    swept: Mutex<Duration>,
}

type Limiter = RateLimiter<AgentId, HashMapStateStore<AgentId>, Stopwatch, NoOpMiddleware<Duration>>;

/// Agents that have earned all they may save are forgotten this often.
const SWEEP: Duration = Duration::from_mins(1);

impl Default for Pace {
    fn default() -> Self {
        let begun = Instant::now();
        Self::by(Stopwatch(Arc::new(move || begun.elapsed())))
    }
}

impl Pace {
    pub fn by(clock: Stopwatch) -> Self {
        let limiter = |allowance| Limiter::hashmap_with_clock(quota(allowance), clock.clone());
        Self(Arc::new(Inner {
            check_ins: limiter(limits::CHECKINS),
            batches: limiter(limits::BATCHES),
            fetches: limiter(limits::FETCHES),
            rare: limiter(limits::RARE_REQUESTS),
            swept: Mutex::default(),
            clock,
        }))
    }

    /// Counts one request whose signature holds.
    pub fn pass(&self, agent: AgentId, errand: Errand) -> Result<(), Refusal> {
        self.sweep();
        let limiter = match errand {
            Errand::CheckIn => &self.0.check_ins,
            Errand::Batch => &self.0.batches,
            Errand::Fetch => &self.0.fetches,
            Errand::Rare => &self.0.rare,
        };
        limiter.check_key(&agent).map_err(|too_soon| {
            let wait = too_soon.wait_time_from(self.0.clock.now());
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            Refusal::Busy { retry_after_seconds: u32::try_from(seconds).unwrap_or(u32::MAX).max(1) }
        })
    }

    fn sweep(&self) {
        let now = self.0.clock.now();
        {
            let mut swept = self.0.swept.lock().unwrap_or_else(PoisonError::into_inner);
            if now.saturating_sub(*swept) < SWEEP {
                return;
            }
            *swept = now;
        }
        for limiter in [&self.0.check_ins, &self.0.batches, &self.0.fetches, &self.0.rare] {
            limiter.retain_recent();
        }
    }
}

fn quota(allowance: Allowance) -> Quota {
    let positive = |number| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
    Quota::per_minute(positive(allowance.each_minute)).allow_burst(positive(allowance.at_once))
}

/// How long the program runs. The time of day is no measure: set back, it would keep everybody waiting.
#[derive(Clone)]
pub struct Stopwatch(Arc<dyn Fn() -> Duration + Send + Sync>);

impl Stopwatch {
    #[cfg(test)]
    pub fn of(tell: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        Self(Arc::new(tell))
    }
}

impl governor::clock::Clock for Stopwatch {
    type Instant = Duration;

    fn now(&self) -> Duration {
        (self.0)()
    }
}

impl fmt::Debug for Stopwatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stopwatch")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use uuid::Uuid;

    use super::*;

    fn agent(number: u128) -> AgentId {
        Uuid::from_u128(number).into()
    }

    fn pace() -> (Pace, impl Fn(u64)) {
        let millis = Arc::new(AtomicU64::new(0));
        let tell = Arc::clone(&millis);
        let pace = Pace::by(Stopwatch::of(move || Duration::from_millis(tell.load(Ordering::SeqCst))));
        (pace, move |more| {
            millis.fetch_add(more, Ordering::SeqCst);
        })
    }

    /// How many pass before the first that does not.
    fn at_once(pace: &Pace, agent: AgentId, errand: Errand) -> u32 {
        (0..10_000).take_while(|_| pace.pass(agent, errand).is_ok()).map(|_| 1).sum()
    }

    #[test]
    fn an_agent_that_asks_without_a_pause_is_told_when_to_come_back() {
        let (pace, pass) = pace();
        assert_eq!(at_once(&pace, agent(1), Errand::CheckIn), limits::CHECKINS.at_once);
        assert_eq!(pace.pass(agent(1), Errand::CheckIn), Err(Refusal::Busy { retry_after_seconds: 1 }));
        assert_eq!(pace.pass(agent(2), Errand::CheckIn), Ok(()), "another agent");
        assert_eq!(pace.pass(agent(1), Errand::Batch), Ok(()), "another errand");

        pass(1_000);

        assert_eq!(at_once(&pace, agent(1), Errand::CheckIn), 1);
    }

    #[test]
    fn what_happens_once_in_a_while_is_given_once_in_a_while() {
        let (pace, _) = pace();
        assert_eq!(at_once(&pace, agent(1), Errand::Rare), limits::RARE_REQUESTS.at_once);
        assert_eq!(pace.pass(agent(1), Errand::Rare), Err(Refusal::Busy { retry_after_seconds: 10 }));
    }

    /// News of a reading or of a push interrupts a long poll at most every 300 ms.
    #[test]
    fn an_agent_that_tells_of_a_long_push_as_fast_as_it_may_is_never_refused() {
        let (pace, pass) = pace();
        for batch in 0..800 {
            assert_eq!(pace.pass(agent(1), Errand::Batch), Ok(()), "batch {batch}");
            assert_eq!(pace.pass(agent(1), Errand::CheckIn), Ok(()), "beside batch {batch}");
            pass(300);
        }
    }

    #[test]
    fn whoever_has_rested_is_forgotten() {
        let (pace, pass) = pace();
        for number in 0..1_000 {
            pace.pass(agent(number), Errand::CheckIn).unwrap();
        }

        pass(61_000);
        pace.pass(agent(1_000), Errand::CheckIn).unwrap();

        assert_eq!(pace.0.check_ins.len(), 1);
    }
}
