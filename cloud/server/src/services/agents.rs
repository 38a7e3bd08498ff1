//! Agents: retiring one for good.

use rollcall_domain::{agent::AgentState, ids::AgentId, role::Act};
use rollcall_store::{
    AgentScope,
    agents::{self, Agent},
};

use super::{caller::Caller, customers::tell, journal::Journal, refusal::Refusal};
use crate::state::AppState;

/// The agent behind an id, if the caller reaches its customer.
pub async fn find(state: &AppState, caller: &Caller, id: AgentId) -> Result<(AgentScope, Agent), Refusal> {
    caller.may(Act::ViewCustomers)?;
    let mut tx = state.db.read(&caller.scope).await?;
    agents::find(&mut tx, &caller.scope, id).await?.ok_or(Refusal::NotFound)
}

/// Its key is refused from now on; the people it brought stay.
pub async fn revoke(state: &AppState, caller: &Caller, agent: &AgentScope) -> Result<(), Refusal> {
    caller.may(Act::RevokeAgent)?;
    let now = state.now();
    let mut tx = state.db.write(agent).await?;
    agents::set_state(&mut tx, agent, AgentState::Revoked, now).await?;
    agents::renew_desired(&mut tx, agent).await?;
    let line = Journal::of(caller, "agent.revoke").customer(agent.customer().customer()).object(agent.agent());
    line.write(&mut tx, now).await?;
    tell(&mut tx, agent.customer());
    tx.commit().await?;
    Ok(())
}
