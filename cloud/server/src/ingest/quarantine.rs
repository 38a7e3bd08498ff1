//! Decides what happens when two copies of one agent are found: both stop until a human has chosen.

use rollcall_domain::agent::AgentState;
use rollcall_protocol::{answer::Refusal, checkin::CheckinRequest};
use rollcall_store::{
    AgentScope, WriteTx,
    agents::{self, Agent},
    audit::{self, Actor, Entry, Source},
};
use serde_json::json;

use super::{refuse::Refused, verify::protocol};
use crate::state::AppState;

/// Whether an agent that asks for a new epoch is another than the one that wrote the present one: it knows an older epoch,
/// and the present one has batches. An agent that knows none has lost everything but its key, and is believed.
pub fn is_another_copy(agent: &Agent, request: &CheckinRequest) -> bool {
    request.last_epoch != 0 && request.last_epoch < protocol(agent.epoch) && agent.next_seq > 1
}

/// Both copies stop: which of them is the true one only a human knows.
pub async fn quarantine(mut tx: WriteTx, state: &AppState, scope: &AgentScope, agent: &Agent) -> Refused {
    let actor = Actor { name: agent.hostname.clone(), source: Source::Agent, ip: None };
    let entry = Entry {
        at: state.now(),
        actor: &actor,
        action: "agent.quarantine",
        customer: Some(agent.customer_id),
        object: Some(agent.id.to_string()),
        before: Some(json!({ "state": agent.state })),
        after: Some(json!({ "state": AgentState::Quarantined })),
    };
    let done = async {
        agents::set_state(&mut tx, scope, AgentState::Quarantined, state.now()).await?;
        audit::append(&mut tx, entry).await?;
        tx.commit().await
    };
    match done.await {
        Ok(()) => Refusal::Fork.into(),
        Err(error) => error.into(),
    }
}
