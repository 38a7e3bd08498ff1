//! What an audit line says when an agent acts by itself: who it is by its id, because its host's name is its own word.

use rollcall_domain::ids::{AgentId, CustomerId};
use rollcall_store::{
    AgentScope, WriteTx,
    audit::{self, Actor, Entry, Source},
};
use serde_json::Value;

use crate::state::AppState;

/// What an agent did, and what it changed.
#[derive(Debug)]
pub struct Note {
    pub action: &'static str,
    pub before: Option<Value>,
    pub after: Option<Value>,
}

/// One line, in the transaction of the act.
pub fn append(tx: &mut WriteTx, state: &AppState, scope: &AgentScope, note: Note) {
    append_of(tx, state, (scope.customer().customer(), scope.agent()), note);
}

/// The same for an agent that is only just made.
pub fn append_of(tx: &mut WriteTx, state: &AppState, (customer, agent): (CustomerId, AgentId), note: Note) {
    let actor = Actor { name: format!("agent {agent}"), source: Source::Agent, ip: None };
    let entry = Entry {
        at: state.now(),
        actor: &actor,
        action: note.action,
        customer: Some(customer),
        object: Some(agent.to_string()),
        before: note.before,
        after: note.after,
    };
    audit::append(tx, entry);
}
