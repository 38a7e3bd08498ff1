//! Decides how much of this cloud one agent, and all of them together, may hold at once: one request of a kind for each
//! agent, and a budget for bodies that are on their way.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use rollcall_domain::ids::AgentId;
use rollcall_protocol::{answer::Refusal, limits};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::verify::Route;

/// Cheap to clone.
#[derive(Debug, Clone)]
pub struct Room(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    busy: Mutex<HashSet<Place>>,
    /// In KiB. Apart, so that batches which arrive slowly keep no agent from saying that it is alive.
    messages: Arc<Semaphore>,
    batches: Arc<Semaphore>,
    strangers: Arc<Semaphore>,
}

/// What one agent is at.
type Place = (AgentId, &'static str);

const KIB: usize = 1024;
/// Bodies of check-ins and the like that are read at the same time.
const MESSAGES: usize = 64 * KIB;
/// Bodies of batches and bundles that are read at the same time.
const BATCHES: usize = 256 * KIB;
/// Bodies of callers whom nobody knows yet, all of them together: an enrolment has some two KiB.
const STRANGERS: usize = 8 * KIB;
/// An agent whose own request is still under way needs little time; a full house needs more. Agents add jitter.
const SOON: u32 = 1;
const LATER: u32 = 10;

impl Default for Room {
    fn default() -> Self {
        Self::of(MESSAGES, BATCHES, STRANGERS)
    }
}

impl Room {
    fn of(messages: usize, batches: usize, strangers: usize) -> Self {
        let [messages, batches, strangers] = [messages, batches, strangers].map(|kib| Arc::new(Semaphore::new(kib)));
        Self(Arc::new(Inner { busy: Mutex::default(), messages, batches, strangers }))
    }

    /// The same for a caller who is no agent yet. Whoever fills this place keeps others from enrolling, and no agent from
    /// anything.
    pub fn admit_stranger(&self, told: Option<usize>) -> Result<OwnedSemaphorePermit, Refusal> {
        take(&self.0.strangers, told, limits::MESSAGE)
    }

    /// Before the body is read; `told` is what the request says of its length.
    pub fn enter(&self, agent: AgentId, route: &Route, told: Option<usize>) -> Result<Turn, Refusal> {
        let budget = if route.body_limit > limits::MESSAGE { &self.0.batches } else { &self.0.messages };
        let bytes = take(budget, told, route.body_limit)?;
        let place = (agent, route.path);
        if self.0.busy.lock().unwrap_or_else(PoisonError::into_inner).insert(place) {
            Ok(Turn { room: self.clone(), place, _bytes: bytes })
        } else {
            Err(Refusal::Busy { retry_after_seconds: SOON })
        }
    }
}

/// A body that does not say its length may have all that is allowed.
fn take(budget: &Arc<Semaphore>, told: Option<usize>, limit: usize) -> Result<OwnedSemaphorePermit, Refusal> {
    let length = told.unwrap_or(limit).min(limit).div_ceil(KIB).max(1);
    let permits = u32::try_from(length).unwrap_or(u32::MAX);
    Arc::clone(budget).try_acquire_many_owned(permits).map_err(|_| Refusal::Busy { retry_after_seconds: LATER })
}

/// The place of one request; dropping it makes room.
#[derive(Debug)]
pub struct Turn {
    room: Room,
    place: Place,
    _bytes: OwnedSemaphorePermit,
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.room.0.busy.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.place);
    }
}

#[cfg(test)]
mod tests {
    use rollcall_protocol::{jws::Kind, path};
    use uuid::Uuid;

    use super::*;
    use crate::ingest::pace::Errand;

    const CHECKIN: Route =
        Route { kind: Kind::Request, path: path::CHECKIN, body_limit: limits::MESSAGE, errand: Errand::CheckIn };
    const BATCH: Route =
        Route { kind: Kind::Batch, path: path::BATCHES, body_limit: limits::BODY_COMPRESSED, errand: Errand::Batch };

    fn agent(number: u128) -> AgentId {
        Uuid::from_u128(number).into()
    }

    #[test]
    fn an_agent_has_one_request_of_a_kind_under_way() {
        let room = Room::default();
        let first = room.enter(agent(1), &CHECKIN, Some(2_000)).unwrap();
        assert_eq!(room.enter(agent(1), &CHECKIN, Some(1)).err(), Some(Refusal::Busy { retry_after_seconds: SOON }));
        assert!(room.enter(agent(1), &BATCH, Some(1)).is_ok(), "another kind");
        assert!(room.enter(agent(2), &CHECKIN, Some(1)).is_ok(), "another agent");
        drop(first);
        assert!(room.enter(agent(1), &CHECKIN, Some(1)).is_ok());
    }

    #[test]
    fn bodies_under_way_have_a_budget_and_slow_batches_stop_no_check_in() {
        let room = Room::of(KIB, 8 * KIB, KIB);
        let first = room.enter(agent(1), &BATCH, None).unwrap();
        let _second = room.enter(agent(2), &BATCH, None).unwrap();
        assert_eq!(room.enter(agent(3), &BATCH, Some(1)).err(), Some(Refusal::Busy { retry_after_seconds: LATER }));
        assert!(room.enter(agent(3), &CHECKIN, Some(1)).is_ok());
        drop(first);
        assert!(room.enter(agent(3), &BATCH, Some(1)).is_ok());
    }

    #[test]
    fn strangers_share_a_place_of_their_own() {
        let room = Room::of(KIB, KIB, KIB);
        let slow: Vec<_> = (0..4).map(|_| room.admit_stranger(None).unwrap()).collect();
        assert_eq!(room.admit_stranger(Some(1)).err(), Some(Refusal::Busy { retry_after_seconds: LATER }));
        assert!(room.enter(agent(1), &CHECKIN, Some(1)).is_ok(), "no agent waits for them");
        drop(slow);
        assert!(room.admit_stranger(Some(1)).is_ok());
    }
}
