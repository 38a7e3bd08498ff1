//! Agents: sync now, refresh the structure, change the key, revoke, and let a quarantined one start again.

use chrono::{DateTime, Utc};
use rollcall_domain::{
    agent::AgentState,
    ids::{AgentId, CommandId, CustomerId, DirectoryId},
    role::Act,
};
use rollcall_protocol::desired::Order;
use rollcall_store::{
    AgentScope, StoreError, WriteTx,
    agents::{self, Agent},
    commands::{self, NewCommand},
    directories, inbox,
};
use serde_json::json;

use super::who::{Note, ServiceError, Who};
use crate::state::AppState;

/// What an operator can ask an agent to do once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    SyncNow,
    RefreshStructure,
    FullSnapshot,
    RotateKey,
    Bundle,
}

impl Ask {
    fn order(self) -> Order {
        match self {
            Self::SyncNow => Order::SyncNow,
            Self::RefreshStructure => Order::RefreshStructure,
            Self::FullSnapshot => Order::FullSnapshot,
            Self::RotateKey => Order::RotateKey,
            Self::Bundle => Order::Bundle,
        }
    }

    /// The word of the audit log and of the stored command.
    pub const fn action(self) -> &'static str {
        match self {
            Self::SyncNow => "sync.now",
            Self::RefreshStructure => "structure.refresh",
            Self::FullSnapshot => "sync.full",
            Self::RotateKey => "agent.rotate_key",
            Self::Bundle => "bundle.request",
        }
    }
}

/// Asks every active agent of the customer; answers how many were asked. They start within about a second.
pub async fn ask(state: &AppState, who: &Who, customer: CustomerId, ask: Ask) -> Result<usize, ServiceError> {
    who.may(Act::SyncNow)?;
    let now = state.now();
    let mut tx = state.db.write(&who.scope).await?;
    let (scope, _) = who.customer(&mut tx, customer).await?;
    let mut asked = 0;
    for agent in agents::list(&mut tx, &scope).await? {
        if agent.state == AgentState::Active && give(&mut tx, state, who, &agent, ask).await? {
            asked += 1;
        }
    }
    if asked == 0 {
        return Err(ServiceError::invalid("customer", "has no active agent that could be asked"));
    }
    who.note(&mut tx, now, ask.action(), Some(customer), Note::of(customer)).await?;
    tx.commit().await?;
    Ok(asked)
}

/// An order that was not handed out yet is not doubled: pressing a button twice is one sync. One that the agent may be
/// carrying out already is: it began before whatever made somebody press again.
pub(super) async fn give(
    tx: &mut WriteTx,
    state: &AppState,
    who: &Who,
    agent: &Agent,
    ask: Ask,
) -> Result<bool, ServiceError> {
    let Some((scope, _)) = agents::find(tx, &who.scope, agent.id).await? else { return Ok(false) };
    let payload = json!(ask.order());
    let open = commands::list_open(tx, agent.id).await?;
    let handed = agent.handed_version.max(agent.applied_version);
    if open.iter().any(|command| command.payload.0 == payload && command.first_in > handed) {
        return Ok(true);
    }
    let command = NewCommand {
        id: state.mint(CommandId::mint),
        kind: ask.action(),
        payload,
        created_by: &who.actor.name,
        created_at: state.now(),
    };
    commands::insert(tx, agent.id, command).await?;
    agents::renew_desired(tx, &scope).await?;
    Ok(true)
}

/// The agent makes itself a new key; the old one holds until the first batch by the new one.
pub async fn rotate_key(state: &AppState, who: &Who, agent: AgentId) -> Result<(), ServiceError> {
    who.may(Act::RevokeAgent)?;
    let now = state.now();
    let mut tx = state.db.write(&who.scope).await?;
    let (_, found) = find(&mut tx, who, agent).await?;
    match found.state {
        AgentState::Active | AgentState::Standby => {}
        AgentState::Quarantined | AgentState::Revoked => {
            return Err(ServiceError::invalid("agent", "does not listen any more"));
        }
    }
    give(&mut tx, state, who, &found, Ask::RotateKey).await?;
    who.note(&mut tx, now, Ask::RotateKey.action(), Some(found.customer_id), Note::of(found.id)).await?;
    Ok(tx.commit().await?)
}

/// For ever: the agent's next request is answered with `revoked`, and it wipes its spool.
pub async fn revoke(state: &AppState, who: &Who, agent: AgentId) -> Result<(), ServiceError> {
    who.may(Act::RevokeAgent)?;
    let mut tx = state.db.write(&who.scope).await?;
    let (scope, before) = find(&mut tx, who, agent).await?;
    if before.state == AgentState::Revoked {
        return Err(ServiceError::invalid("agent", "is revoked for ever"));
    }
    agents::set_state(&mut tx, &scope, AgentState::Revoked, state.now()).await?;
    hand_over(&mut tx, state.now(), &scope, &before).await?;
    tell(tx, state, who, &scope, &before, AgentState::Revoked, "agent.revoke").await
}

/// After a fork: the operator says which machine is the true one by letting this identity go on. It goes on in a new
/// epoch: what either copy still holds of the old one is refused, and a full snapshot follows.
pub async fn release(state: &AppState, who: &Who, agent: AgentId) -> Result<(), ServiceError> {
    who.may(Act::RevokeAgent)?;
    let now = state.now();
    let mut tx = state.db.write(&who.scope).await?;
    let (scope, before) = find(&mut tx, who, agent).await?;
    if before.state != AgentState::Quarantined {
        return Err(ServiceError::invalid("agent", "is not quarantined"));
    }
    let to = decide_released(&mut tx, &scope, &before).await?;
    agents::set_state(&mut tx, &scope, to, now).await?;
    let epoch = agents::begin_epoch(&mut tx, &scope, state.entropy.bytes(), before.epoch).await?;
    inbox::abandon_epochs_before(&mut tx, &scope, epoch, now).await?;
    tell(tx, state, who, &scope, &before, to, "agent.release").await
}

/// One that stood by before the fork stands by after it.
async fn decide_released(tx: &mut WriteTx, scope: &AgentScope, agent: &Agent) -> Result<AgentState, ServiceError> {
    let Some(directory) = agent.directory_id.map(DirectoryId::from) else { return Ok(AgentState::Active) };
    let reader = directories::find(tx, &scope.customer(), directory).await?.map(|directory| directory.agent_id);
    let is_reader = reader.is_none_or(|reader| reader == agent.id);
    Ok(if is_reader { AgentState::Active } else { AgentState::Standby })
}

/// The agent's parked check-in hears of it at once, and the audit log for ever.
async fn tell(
    mut tx: WriteTx,
    state: &AppState,
    who: &Who,
    scope: &AgentScope,
    before: &Agent,
    to: AgentState,
    action: &'static str,
) -> Result<(), ServiceError> {
    agents::renew_desired(&mut tx, scope).await?;
    let note = Note::of(before.id).before(json!({ "state": before.state })).after(json!({ "state": to }));
    who.note(&mut tx, state.now(), action, Some(before.customer_id), note).await?;
    Ok(tx.commit().await?)
}

/// The reader of a directory is gone: the longest enrolled agent that stands by takes its place. It begins with a full
/// snapshot, so nothing is applied twice.
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
    let agents = agents::list(tx, &customer).await?;
    let stands_by = |agent: &&Agent| agent.state == AgentState::Standby && agent.directory_id == Some(directory.uuid());
    // The list is newest first.
    let Some(next) = agents.iter().rev().find(stands_by) else { return Ok(()) };
    let Some((next, _)) = agents::find_for_job(tx, next.id).await? else { return Ok(()) };
    directories::set_reader(tx, &customer, directory, next.agent()).await?;
    agents::set_state(tx, &next, AgentState::Active, now).await?;
    agents::renew_desired(tx, &next).await
}

pub(super) async fn find(tx: &mut WriteTx, who: &Who, agent: AgentId) -> Result<(AgentScope, Agent), ServiceError> {
    agents::find(tx, &who.scope, agent).await?.ok_or(ServiceError::NotFound)
}
