//! Support bundles: ask an agent for one, list what came, hand one out.

use chrono::{DateTime, Utc};
use rollcall_domain::{
    agent::AgentState,
    ids::{AgentId, BundleId},
    role::Act,
};
use rollcall_protocol::desired::Order;
use rollcall_store::{
    Tx,
    agents::Agent,
    bundles::{self, Bundle},
    commands,
};
use serde_json::json;

use super::{
    agents::{Ask, find, give},
    who::{Note, ServiceError, Who},
};
use crate::state::AppState;

/// What an agent's page says about bundles.
#[derive(Debug)]
pub struct Shelf {
    pub bundles: Vec<Bundle>,
    /// One was asked for and has not come yet.
    pub is_awaited: bool,
}

/// Whoever installs agents looks after them.
const ACT: Act = Act::InstallAgent;

/// Asks the agent for a bundle; it comes within seconds if the agent is there.
pub async fn request(state: &AppState, who: &Who, agent: AgentId) -> Result<(), ServiceError> {
    who.may(ACT)?;
    let mut tx = state.db.write(&who.scope).await?;
    let (_, agent) = find(&mut tx, who, agent).await?;
    match agent.state {
        AgentState::Active | AgentState::Standby => {}
        AgentState::Quarantined | AgentState::Revoked => {
            return Err(ServiceError::invalid("agent", "is not allowed to send anything"));
        }
    }
    if !knows_bundles(&agent) {
        return Err(ServiceError::invalid("agent", "is too old to be asked; run rollcall-agent bundle on its machine"));
    }
    give(&mut tx, state, who, &agent, Ask::Bundle).await?;
    let note = Note::of(agent.id);
    who.note(&mut tx, state.now(), Ask::Bundle.action(), Some(agent.customer_id), note);
    Ok(tx.commit().await?)
}

/// An older agent would refuse every instruction because of the one word it does not know.
fn knows_bundles(agent: &Agent) -> bool {
    agent.report.as_ref().is_some_and(|report| report.0.get("ceiling").is_some())
}

/// In the transaction of whoever shows it.
pub async fn list(tx: &mut Tx, who: &Who, agent: AgentId, now: DateTime<Utc>) -> Result<Shelf, ServiceError> {
    who.may(ACT)?;
    let (scope, _) = rollcall_store::agents::find(tx, &who.scope, agent).await?.ok_or(ServiceError::NotFound)?;
    let open = commands::list_open(tx, agent).await?;
    Ok(Shelf {
        bundles: bundles::list(tx, &scope, now).await?,
        is_awaited: open.iter().any(|command| command.payload.0 == json!(Order::Bundle)),
    })
}

/// The bytes, and a line in the audit log that somebody took them.
pub async fn fetch(state: &AppState, who: &Who, agent: AgentId, bundle: BundleId) -> Result<Vec<u8>, ServiceError> {
    who.may(ACT)?;
    let now = state.now();
    let mut tx = state.db.write(&who.scope).await?;
    let (scope, agent) = find(&mut tx, who, agent).await?;
    let body = bundles::find_body(&mut tx, &scope, bundle, now).await?.ok_or(ServiceError::NotFound)?;
    let note = Note::of(agent.id).after(json!({ "bundle": bundle }));
    who.note(&mut tx, now, "bundle.download", Some(agent.customer_id), note);
    tx.commit().await?;
    Ok(body)
}
