//! Decides how much of this cloud one agent, and all of them together, may hold at once: one request of a kind for each
//! agent, and a budget for bodies that are on their way.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use rollcall_domain::ids::AgentId;
use rollcall_protocol::{answer::Refusal, limits};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

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
/// Bodies of callers whom nobody knows yet, all of them together. An enrolment has some two KiB and says so; a hundred that
/// do not say it fit as well.
const STRANGERS: usize = 32 * KIB;
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

    /// Before the body is read. It may have `limit` bytes on this route; `told` is what the request says of its length.
    pub fn enter(
        &self,
        agent: AgentId,
        route: &'static str,
        limit: usize,
        told: Option<usize>,
    ) -> Result<Turn, Refusal> {
        let budget = if limit > limits::MESSAGE { &self.0.batches } else { &self.0.messages };
        let bytes = take(budget, told, limit)?;
        let place = (agent, route);
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
    use rollcall_protocol::path;
    use uuid::Uuid;

    use super::*;

    fn check_in(room: &Room, number: u128, told: Option<usize>) -> Result<Turn, Refusal> {
        room.enter(agent(number), path::CHECKIN, limits::MESSAGE, told)
    }

    fn batch(room: &Room, number: u128, told: Option<usize>) -> Result<Turn, Refusal> {
        room.enter(agent(number), path::BATCHES, limits::BODY_COMPRESSED, told)
    }

    fn agent(number: u128) -> AgentId {
        Uuid::from_u128(number).into()
    }

    #[test]
    fn an_agent_has_one_request_of_a_kind_under_way() {
        let room = Room::default();
        let first = check_in(&room, 1, Some(2_000)).unwrap();
        assert_eq!(check_in(&room, 1, Some(1)).err(), Some(Refusal::Busy { retry_after_seconds: SOON }));
        assert!(batch(&room, 1, Some(1)).is_ok(), "another kind");
        assert!(check_in(&room, 2, Some(1)).is_ok(), "another agent");
        drop(first);
        assert!(check_in(&room, 1, Some(1)).is_ok());
    }

    #[test]
    fn bodies_under_way_have_a_budget_and_slow_batches_stop_no_check_in() {
        let room = Room::of(KIB, 8 * KIB, KIB);
        let first = batch(&room, 1, None).unwrap();
        let _second = batch(&room, 2, None).unwrap();
        assert_eq!(batch(&room, 3, Some(1)).err(), Some(Refusal::Busy { retry_after_seconds: LATER }));
        assert!(check_in(&room, 3, Some(1)).is_ok());
        drop(first);
        assert!(batch(&room, 3, Some(1)).is_ok());
    }

    #[test]
    fn strangers_share_a_place_of_their_own() {
        let room = Room::of(KIB, KIB, KIB);
        let slow: Vec<_> = (0..4).map(|_| room.admit_stranger(None).unwrap()).collect();
        assert_eq!(room.admit_stranger(Some(1)).err(), Some(Refusal::Busy { retry_after_seconds: LATER }));
        assert!(check_in(&room, 1, Some(1)).is_ok(), "no agent waits for them");
        drop(slow);
        assert!(room.admit_stranger(Some(1)).is_ok());
    }
}
