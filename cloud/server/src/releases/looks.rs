//! Decides when it is time to look at a rollout again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use rollcall_domain::ids::MspId;

/// How often a rollout is looked at, however many agents check in.
pub const LOOK_EVERY: TimeDelta = TimeDelta::minutes(1);

/// When this process last looked at which rollout. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Looks(Arc<Mutex<HashMap<Subject, DateTime<Utc>>>>);

/// Version and platform at one tenant.
type Subject = (MspId, String, String);

impl Looks {
    /// Whether it is time; if so, it has been done.
    pub fn take(&self, msp: MspId, version: &str, platform: &str, now: DateTime<Utc>) -> bool {
        let mut looks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (msp, version.to_owned(), platform.to_owned());
        if looks.get(&key).is_some_and(|at| now - *at < LOOK_EVERY && now >= *at) {
            return false;
        }
        looks.retain(|_, at| now - *at < LOOK_EVERY);
        looks.insert(key, now);
        true
    }
}
