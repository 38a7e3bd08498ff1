//! Decides who reads a directory when its agent goes.

use chrono::{DateTime, Utc};
use rollcall_domain::{
    agent::{AgentState, is_silent},
    ids::DirectoryId,
};
use rollcall_store::{
    AgentScope, StoreError, WriteTx,
    agents::{self, Agent},
    directories,
};

/// Longest enrolled first; one that is heard of before one that is not, which may be a machine long thrown away.
fn choose_next(standbys: &[Agent], now: DateTime<Utc>) -> Option<&Agent> {
    standbys.iter().find(|agent| !is_silent(agent.last_seen_at, now)).or_else(|| standbys.first())
}

/// The reader of a directory is gone: an agent that stands by takes its place. It begins with a full
/// snapshot, so nothing is applied twice. The transaction holds the directory and the customer's agents.
pub async fn hand_over(
    tx: &mut WriteTx,
    now: DateTime<Utc>,
    leaving: &AgentScope,
    before: &Agent,
) -> Result<(), StoreError> {
    let customer = leaving.customer();
    let Some(directory) = before.directory_id.map(DirectoryId::from) else { return Ok(()) };
    let reads = directories::find(tx, &customer, directory).await?.is_some_and(|found| found.agent_id == before.id);
    if !reads {
        return Ok(());
    }
    let mut standbys = agents::list_in_state(tx, &customer, AgentState::Standby).await?;
    standbys.retain(|agent| agent.directory_id == Some(directory.uuid()));
    let Some(next) = choose_next(&standbys, now) else { return Ok(()) };
    let Some((next, _)) = agents::find_for_job(tx, next.id).await? else { return Ok(()) };
    directories::set_reader(tx, &customer, directory, next.agent()).await?;
    agents::set_state(tx, &next, AgentState::Active, now).await?;
    agents::renew_desired(tx, &next).await
}

/// The directory of an agent, and all agents that may read it.
pub async fn hold_directory(tx: &mut WriteTx, agent: &AgentScope) -> Result<(), StoreError> {
    directories::lock_of_agent(tx, agent).await?;
    agents::lock_all(tx, &agent.customer()).await
}
