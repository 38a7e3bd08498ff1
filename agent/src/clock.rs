//! The agent's clock and source of ids, handed to whoever needs them so that tests can repeat everything.

use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use rand::rngs::{StdRng, SysRng};
use rand::{Rng, RngExt, SeedableRng};
use uuid::Uuid;

/// What time it is: here, and at the cloud.
#[derive(Clone)]
pub struct Clock {
    here: Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>,
    /// The cloud's clock minus this one, in milliseconds, as last learned.
    offset: Arc<AtomicI64>,
}

impl Clock {
    /// The machine's clock. Only `main` makes one.
    #[expect(clippy::disallowed_methods, reason = "the one place that asks the machine for the time")]
    pub fn system() -> Self {
        Self { here: Arc::new(Utc::now), offset: Arc::default() }
    }

    /// A clock that stands still.
    pub fn fixed(now: DateTime<Utc>) -> Self {
        Self { here: Arc::new(move || now), offset: Arc::default() }
    }

    /// By this machine: for waits and for what stays here.
    pub fn now(&self) -> DateTime<Utc> {
        (self.here)()
    }

    /// By the cloud, as far as we know it: for everything that is sent.
    pub fn cloud_now(&self) -> DateTime<Utc> {
        self.now() + TimeDelta::milliseconds(self.offset_ms())
    }

    pub fn offset_ms(&self) -> i64 {
        self.offset.load(Ordering::Relaxed)
    }

    /// Learns the difference from an answer of the cloud.
    pub fn learn(&self, cloud_time: DateTime<Utc>) {
        self.offset.store((cloud_time - self.now()).num_milliseconds(), Ordering::Relaxed);
    }
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
