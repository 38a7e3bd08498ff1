//! Wakes who waits: a parked check-in of one agent, the live pages of one tenant, the workers.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rollcall_domain::{
    ids::{AgentId, MspId},
    job::Counterpart,
};
use rollcall_store::live::{Event, Topic};
use tokio::sync::{Notify, broadcast};

/// Events a live page may lag behind before it must look for itself.
const BACKLOG: usize = 256;

/// Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Hub(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    agents: Mutex<HashMap<AgentId, Arc<Place>>>,
    tenants: Mutex<HashMap<MspId, broadcast::Sender<Event>>>,
    jobs: Idle,
}

/// Where workers wait for a job, by whose answer they will wait for next.
#[derive(Debug, Default)]
struct Idle {
    database: Notify,
    relay: Notify,
}

impl Idle {
    const fn with(&self, counterpart: Counterpart) -> &Notify {
        match counterpart {
            Counterpart::Database => &self.database,
            Counterpart::MailRelay => &self.relay,
        }
    }

    /// News of a job does not say of which kind it is, and a look is cheap.
    fn wake_one_of_each(&self) {
        self.database.notify_one();
        self.relay.notify_one();
    }
}

/// Where the check-ins of one agent wait.
#[derive(Debug, Default)]
struct Place {
    news: Notify,
    /// Ends the one that waits now.
    parked: Mutex<Option<Arc<Notify>>>,
}

impl Hub {
    /// Hands out what was committed, until the store is gone.
    pub async fn run(self, mut events: broadcast::Receiver<Event>) {
        loop {
            match events.recv().await {
                Ok(event) => self.hand_out(event),
                // Something was missed, and nobody knows what: everybody looks for themselves.
                Err(broadcast::error::RecvError::Lagged(_)) => self.wake_everybody(),
                Err(broadcast::error::RecvError::Closed) => return,
            }
        }
    }

    fn hand_out(&self, event: Event) {
        match event.topic {
            Topic::Desired => {
                if let Some(waiting) = event.agent.and_then(|agent| lock(&self.0.agents).get(&agent).cloned()) {
                    waiting.news.notify_waiters();
                }
            }
            Topic::Job => self.0.jobs.wake_one_of_each(),
            Topic::Agent | Topic::Run | Topic::Customer => {}
        }
        if let Some(pages) = lock(&self.0.tenants).get(&event.msp) {
            // An error only means that no page is open.
            let _ = pages.send(event);
        }
    }

    fn wake_everybody(&self) {
        for waiting in lock(&self.0.agents).values() {
            waiting.news.notify_waiters();
        }
        self.0.jobs.wake_one_of_each();
    }

    /// To be taken before looking whether something is new, so that nothing is missed between.
    pub fn wait_for_agent(&self, agent: AgentId) -> AgentWait {
        let place = Arc::clone(lock(&self.0.agents).entry(agent).or_default());
        AgentWait { hub: self.clone(), agent, place, end: Arc::default() }
    }

    /// Everything that happens at one tenant from now on.
    pub fn subscribe(&self, msp: MspId) -> broadcast::Receiver<Event> {
        let mut tenants = lock(&self.0.tenants);
        tenants.retain(|_, pages| pages.receiver_count() > 0);
        tenants.entry(msp).or_insert_with(|| broadcast::channel(BACKLOG).0).subscribe()
    }

    /// Until a job becomes due. One worker with this counterpart is woken per job.
    pub async fn wait_for_job(&self, counterpart: Counterpart) {
        self.0.jobs.with(counterpart).notified().await;
    }
}

/// The place of one parked check-in.
#[derive(Debug)]
pub struct AgentWait {
    hub: Hub,
    agent: AgentId,
    place: Arc<Place>,
    end: Arc<Notify>,
}

impl AgentWait {
    pub fn notified(&self) -> tokio::sync::futures::Notified<'_> {
        self.place.news.notified()
    }

    /// An agent waits once: whoever of it waited before is sent home. To be called by a request that has proved itself.
    pub fn take_over(&self) {
        if let Some(before) = lock(&self.place.parked).replace(Arc::clone(&self.end)) {
            before.notify_one();
        }
    }

    /// Until a newer check-in of this agent has taken over.
    pub async fn taken_over(&self) {
        self.end.notified().await;
    }
}

impl Drop for AgentWait {
    fn drop(&mut self) {
        let mut agents = lock(&self.hub.0.agents);
        // The map and we: nobody else waits.
        if Arc::strong_count(&self.place) <= 2 {
            agents.remove(&self.agent);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use uuid::Uuid;

    #[tokio::test]
    async fn only_the_agent_concerned_is_woken() {
        let hub = Hub::default();
        let (ana, ben) = (AgentId::from(Uuid::from_u128(1)), AgentId::from(Uuid::from_u128(2)));
        let (ana_waits, ben_waits) = (hub.wait_for_agent(ana), hub.wait_for_agent(ben));
        let (woken, asleep) = (ana_waits.notified(), ben_waits.notified());
        tokio::pin!(woken, asleep);
        woken.as_mut().enable();
        asleep.as_mut().enable();
        hub.hand_out(Event::of(Uuid::nil().into(), Topic::Desired).agent(ana));
        woken.await;
        assert!(tokio::time::timeout(Duration::from_millis(20), asleep).await.is_err());
    }

    #[tokio::test]
    async fn a_page_hears_its_own_tenant_only() {
        let hub = Hub::default();
        let (ours, theirs) = (MspId::from(Uuid::from_u128(1)), MspId::from(Uuid::from_u128(2)));
        let mut page = hub.subscribe(ours);
        hub.hand_out(Event::of(theirs, Topic::Run));
        hub.hand_out(Event::of(ours, Topic::Run));
        assert_eq!(page.recv().await.unwrap().msp, ours);
    }

    #[tokio::test]
    async fn a_newer_check_in_of_an_agent_ends_the_older_and_no_others() {
        let hub = Hub::default();
        let (ana, ben) = (AgentId::from(Uuid::from_u128(1)), AgentId::from(Uuid::from_u128(2)));
        let (older, other, newer) = (hub.wait_for_agent(ana), hub.wait_for_agent(ben), hub.wait_for_agent(ana));
        for wait in [&older, &other, &newer] {
            wait.take_over();
        }
        older.taken_over().await;
        for parked in [&other, &newer] {
            assert!(tokio::time::timeout(Duration::from_millis(20), parked.taken_over()).await.is_err());
        }
    }

    #[test]
    fn a_place_is_given_back() {
        let hub = Hub::default();
        drop(hub.wait_for_agent(Uuid::from_u128(1).into()));
        assert!(lock(&hub.0.agents).is_empty());
    }
}
