//! Tells what was committed to whoever waits for it: long polls, live pages, workers. On PostgreSQL across instances.

use rollcall_domain::{
    ids::{AgentId, CustomerId, MspId},
    words::UnknownWord,
};
use sqlx::postgres::PgListener;
use tokio::sync::broadcast;

use crate::{Db, Result, db::Engine};

pub(crate) const CHANNEL: &str = "rollcall";

/// Old events are dropped for a listener that lags; it must then look for itself.
const BACKLOG: usize = 4096;

/// Something committed that others may wait for. Ids only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Event {
    pub msp: MspId,
    pub topic: Topic,
    pub customer: Option<CustomerId>,
    pub agent: Option<AgentId>,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Topic {
    /// `agent` must look again: its desired state has a new number, or its standing changed.
    Desired,
    /// `agent` enrolled, checked in for the first time, changed its state or its report.
    Agent,
    /// A run was applied, or failed.
    Run,
    /// Customers, imports, pauses, holds: what pages of `customer` show.
    Customer,
    /// A job became due.
    Job,
}

impl Topic {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Desired => "desired",
            Self::Agent => "agent",
            Self::Run => "run",
            Self::Customer => "customer",
            Self::Job => "job",
        }
    }
}

impl std::str::FromStr for Topic {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        [Self::Desired, Self::Agent, Self::Run, Self::Customer, Self::Job]
            .into_iter()
            .find(|topic| topic.as_str() == text)
            .ok_or_else(|| UnknownWord { of: "Topic", found: text.to_owned() })
    }
}

impl Event {
    pub const fn of(msp: MspId, topic: Topic) -> Self {
        Self { msp, topic, customer: None, agent: None }
    }

    pub const fn customer(self, customer: CustomerId) -> Self {
        Self { customer: Some(customer), ..self }
    }

    pub const fn agent(self, agent: AgentId) -> Self {
        Self { agent: Some(agent), ..self }
    }

    pub(crate) fn to_text(self) -> String {
        let customer = self.customer.map(|id| id.to_string()).unwrap_or_default();
        let agent = self.agent.map(|id| id.to_string()).unwrap_or_default();
        format!("{} {} {customer} {agent}", self.topic.as_str(), self.msp)
    }

    fn from_text(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let topic = words.next()?.parse().ok()?;
        let msp = words.next()?.parse().ok()?;
        let customer = words.next()?.parse().ok();
        let agent = words.next()?.parse().ok();
        Some(Self { msp, topic, customer, agent })
    }
}

/// The events of this instance.
#[derive(Debug, Clone)]
pub struct Live {
    sender: broadcast::Sender<Event>,
}

impl Live {
    pub(crate) fn new() -> Self {
        Self { sender: broadcast::channel(BACKLOG).0 }
    }

    pub fn subscribe(&self) -> broadcast::Receiver<Event> {
        self.sender.subscribe()
    }

    pub(crate) fn publish(&self, events: Vec<Event>) {
        for event in events {
            // An error only means that nobody listens.
            let _ = self.sender.send(event);
        }
    }
}

impl Db {
    /// Carries PostgreSQL's notifications into [`Db::live`] until it is dropped. On SQLite there is nothing to carry.
    pub async fn relay_events(&self) -> Result<()> {
        let Engine::Postgres(pool) = &self.engine else {
            return std::future::pending().await;
        };
        let mut listener = PgListener::connect_with(pool).await?;
        listener.listen(CHANNEL).await?;
        loop {
            let notification = listener.recv().await?;
            if let Some(event) = Event::from_text(notification.payload()) {
                self.live().publish(vec![event]);
            } else {
                tracing::warn!("an event of another version was skipped");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn an_event_survives_the_way_through_the_database() {
        let event = Event::of(Uuid::from_u128(1).into(), Topic::Run).customer(Uuid::from_u128(2).into());
        assert_eq!(Event::from_text(&event.to_text()), Some(event));
        let full = event.agent(Uuid::from_u128(3).into());
        assert_eq!(Event::from_text(&full.to_text()), Some(full));
        assert_eq!(Event::from_text("noise"), None);
    }
}
