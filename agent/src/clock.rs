//! The agent's clock and source of ids, handed to whoever needs them so that tests can repeat everything.

use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use chrono::{DateTime, Datelike as _, TimeDelta, Utc};
use rand::rngs::{StdRng, SysRng};
use rand::{Rng, RngExt, SeedableRng};
use rollcall_protocol::limits;
use uuid::Uuid;

/// What time it is: here, and at the cloud.
#[derive(Clone)]
pub struct Clock {
    here: Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>,
    /// What has passed since this process began, by a clock that nobody can set.
    steady: Arc<dyn Fn() -> TimeDelta + Send + Sync>,
    /// The cloud's clock minus this one, in milliseconds, as last learned.
    offset: Arc<AtomicI64>,
    vouched: Arc<Mutex<Option<Vouched>>>,
}

/// A time that was not before it was so at the cloud, and what the steady clock said then.
#[derive(Debug, Clone, Copy)]
struct Vouched {
    cloud: DateTime<Utc>,
    steady: TimeDelta,
}

impl Clock {
    /// The machine's clock. Only `main` makes one.
    #[expect(clippy::disallowed_methods, reason = "the one place that asks the machine for the time")]
    pub fn system() -> Self {
        let began = Instant::now();
        let steady = Arc::new(move || TimeDelta::from_std(began.elapsed()).unwrap_or(TimeDelta::MAX));
        Self { here: Arc::new(Utc::now), steady, offset: Arc::default(), vouched: Arc::default() }
    }

    /// A clock that stands still.
    pub fn fixed(now: DateTime<Utc>) -> Self {
        let steady = Arc::new(TimeDelta::zero);
        Self { here: Arc::new(move || now), steady, offset: Arc::default(), vouched: Arc::default() }
    }

    /// By this machine: for waits and for what stays here.
    pub fn now(&self) -> DateTime<Utc> {
        (self.here)()
    }

    /// By the cloud, as far as we know it: for everything that is sent. An answer tells it that nobody has signed.
    pub fn cloud_now(&self) -> DateTime<Utc> {
        let now = self.now();
        now.checked_add_signed(TimeDelta::milliseconds(self.offset_ms())).unwrap_or(now)
    }

    /// Not before this is it at the cloud: by the time it has signed, and what has passed in this process since. For
    /// everything that a false time must not bring forward: a machine's clock is often set right by hours after a start. While
    /// the machine sleeps it may stand still. This machine's own clock, as long as the cloud has signed nothing.
    pub fn signed_now(&self) -> DateTime<Utc> {
        let vouched = *self.vouched.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(known) = vouched else { return self.now() };
        known.cloud.checked_add_signed((self.steady)() - known.steady).unwrap_or(known.cloud)
    }

    /// How far the signed time lies from the one that was merely told.
    pub fn signed_offset(&self) -> TimeDelta {
        self.signed_now() - self.cloud_now()
    }

    /// Instructions that are newer than all before were signed at `cloud` and came when this clock said `here`. What has
    /// passed since, in an earlier process, only this machine's clock can say.
    pub fn vouch(&self, cloud: DateTime<Utc>, here: DateTime<Utc>) {
        let since = (self.now() - here).max(TimeDelta::zero());
        let cloud = cloud.checked_add_signed(since).unwrap_or(cloud);
        let known = Vouched { cloud, steady: (self.steady)() };
        *self.vouched.lock().unwrap_or_else(PoisonError::into_inner) = Some(known);
    }

    /// The same instructions came again. Whoever holds them back and shows them later gains no time by it.
    pub fn vouch_again(&self, cloud: DateTime<Utc>) {
        let is_known = self.vouched.lock().unwrap_or_else(PoisonError::into_inner).is_some();
        if !is_known || cloud > self.signed_now() {
            self.vouch(cloud, self.now());
        }
    }

    pub fn offset_ms(&self) -> i64 {
        self.offset.load(Ordering::Relaxed)
    }

    /// Learns the difference from an answer of the cloud. A year in which no cloud of ours can be says nothing.
    pub fn learn(&self, cloud_time: DateTime<Utc>) {
        if !(FIRST_YEAR..LAST_YEAR).contains(&cloud_time.year()) {
            tracing::warn!(year = cloud_time.year(), "an answer tells a time that cannot be; it is not believed");
            return;
        }
        self.offset.store((cloud_time - self.now()).num_milliseconds(), Ordering::Relaxed);
    }
}

const FIRST_YEAR: i32 = 2020;
const LAST_YEAR: i32 = 2100;

/// A stamp that lies further ahead than clocks may differ was made by a clock that was wrong: it says nothing.
pub fn is_of_the_future(stamp: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    (stamp - now).to_std().is_ok_and(|ahead| ahead > limits::SKEW)
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

/// Randomness, shared by the tasks of one process.
#[derive(Debug, Clone)]
pub struct Chance(Arc<Mutex<StdRng>>);

impl Chance {
    /// Seeded by the operating system. `None` when it has no randomness to give. Only `main` makes one.
    pub fn system() -> Option<Self> {
        let rng = StdRng::try_from_rng(&mut SysRng).ok()?;
        Some(Self(Arc::new(Mutex::new(rng))))
    }

    /// The same chances every time.
    pub fn seeded(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(StdRng::seed_from_u64(seed))))
    }

    /// A new `UUIDv7`.
    pub fn id(&self, now: DateTime<Utc>) -> Uuid {
        let mut random = [0; 10];
        self.fill(&mut random);
        let millis = u64::try_from(now.timestamp_millis()).unwrap_or_default();
        uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
    }

    pub fn fill(&self, bytes: &mut [u8]) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).fill_bytes(bytes);
    }

    /// A number from 0 up to, but not including, 1.
    pub fn fraction(&self) -> f64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).random()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_760_000_000, 0).unwrap() + TimeDelta::minutes(minutes)
    }

    /// Minutes that this machine's clock shows, and minutes that have passed.
    #[derive(Default)]
    struct Hands {
        shown: AtomicI64,
        passed: AtomicI64,
    }

    impl Hands {
        fn pass(&self, minutes: i64) {
            self.passed.fetch_add(minutes, Ordering::Relaxed);
            self.step(minutes);
        }

        /// Somebody sets the clock.
        fn step(&self, minutes: i64) {
            self.shown.fetch_add(minutes, Ordering::Relaxed);
        }
    }

    fn clock() -> (Clock, Arc<Hands>) {
        let hands = Arc::<Hands>::default();
        let (shown, passed) = (Arc::clone(&hands), Arc::clone(&hands));
        let here = Arc::new(move || at(shown.shown.load(Ordering::Relaxed)));
        let steady = Arc::new(move || TimeDelta::minutes(passed.passed.load(Ordering::Relaxed)));
        (Clock { here, steady, ..Clock::fixed(at(0)) }, hands)
    }

    #[test]
    fn what_an_answer_says_of_the_time_moves_no_signed_time() {
        let (clock, hands) = clock();
        clock.vouch(at(100), clock.now());

        clock.learn(at(9_000));
        hands.pass(5);

        assert_eq!((clock.signed_now(), clock.cloud_now()), (at(105), at(9_005)));
        assert_eq!(clock.signed_offset(), TimeDelta::minutes(105 - 9_005));
    }

    #[test]
    fn a_clock_that_is_set_moves_no_signed_time() {
        let (clock, hands) = clock();
        clock.vouch(at(100), clock.now());
        hands.pass(10);

        for step in [8 * 60, -9 * 60, 8 * 60] {
            hands.step(step);
            assert_eq!(clock.signed_now(), at(110));
        }

        hands.pass(1);
        assert_eq!(clock.signed_now(), at(111));
    }

    #[test]
    fn instructions_that_an_earlier_process_kept_are_as_old_as_this_machine_says_and_never_of_the_future() {
        let (clock, hands) = clock();
        hands.step(30);

        clock.vouch(at(100), at(10));
        assert_eq!(clock.signed_now(), at(120));
        clock.vouch(at(100), at(90));
        assert_eq!(clock.signed_now(), at(100));
    }

    #[test]
    fn the_same_instructions_shown_again_later_set_nothing_back() {
        let (clock, hands) = clock();
        clock.vouch_again(at(100));
        hands.pass(30);

        clock.vouch_again(at(100));
        assert_eq!(clock.signed_now(), at(130));
        clock.vouch_again(at(140));
        assert_eq!(clock.signed_now(), at(140), "signed anew");
    }

    #[test]
    fn a_year_in_which_no_cloud_can_be_is_not_learned() {
        let clock = Clock::fixed(DateTime::from_timestamp(1_760_000_000, 0).unwrap());
        clock.learn(clock.now() + TimeDelta::minutes(3));

        for told in ["1999-12-31T23:59:59Z", "2100-01-01T00:00:00Z", "+262142-12-31T22:30:00Z"] {
            clock.learn(told.parse().unwrap());
        }

        assert_eq!(clock.cloud_now(), clock.now() + TimeDelta::minutes(3));
    }

    #[test]
    fn a_stamp_is_of_the_future_when_no_difference_of_clocks_explains_it() {
        assert!(!is_of_the_future(at(-9_000), at(0)) && !is_of_the_future(at(15), at(0)));
        assert!(is_of_the_future(at(16), at(0)) && is_of_the_future(DateTime::<Utc>::MAX_UTC, at(0)));
    }

    #[test]
    fn before_anything_was_signed_this_machines_clock_counts() {
        let (clock, hands) = clock();
        hands.pass(7);
        assert_eq!(clock.signed_now(), at(7));
    }
}
