//! Decides what happens when two copies of one agent are found: both stop until a human has chosen.

use rollcall_domain::agent::AgentState;
use rollcall_protocol::{answer::Refusal, checkin::CheckinRequest};
use rollcall_store::{
    AgentScope, WriteTx,
    agents::{self, Agent},
};
use serde_json::json;

use super::{
    note::{self, Note},
    refuse::Refused,
    verify::protocol,
};
use crate::state::AppState;

/// What showed that there are two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// Two batches at one place of the chain.
    Fork,
    /// A new epoch is wanted by somebody who does not know the present one.
    OlderEpoch,
    /// Something was signed by a key after it was replaced.
    ReplacedKey,
}

impl Why {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Fork => "fork",
            Self::OlderEpoch => "older_epoch",
            Self::ReplacedKey => "replaced_key",
        }
    }
}

/// Whether an agent that asks for a new epoch is another than the one that wrote the present one: it knows an older epoch,
/// and the present one has batches. An agent that knows none has lost everything but its key, and is believed.
pub fn is_another_copy(agent: &Agent, request: &CheckinRequest) -> bool {
    request.last_epoch != 0 && request.last_epoch < protocol(agent.epoch) && agent.next_seq > 1
}

/// Both copies stop: which of them is the true one only a human knows. `agent` is held by this transaction.
pub async fn quarantine(mut tx: WriteTx, state: &AppState, scope: &AgentScope, agent: &Agent, why: Why) -> Refused {
    let note = Note {
        action: "agent.quarantine",
        before: Some(json!({ "state": agent.state })),
        after: Some(json!({ "state": AgentState::Quarantined, "why": why.as_str() })),
    };
    let done = async {
        agents::set_state(&mut tx, scope, AgentState::Quarantined, state.now()).await?;
        note::append(&mut tx, state, scope, note);
        tx.commit().await
    };
    match done.await {
        Ok(()) => Refusal::Fork.into(),
        Err(error) => error.into(),
    }
}
