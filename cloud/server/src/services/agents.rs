//! Agents: sync now, refresh the structure, change the key, revoke, and let a quarantined one start again.

use rollcall_domain::{
    agent::AgentState,
    ids::{AgentId, CustomerId, DirectoryId, JobId},
    role::Act,
};
use rollcall_protocol::desired::Order;
use rollcall_store::{
    AgentScope, WriteTx,
    agents::{self, Agent},
    directories, inbox,
    jobs::{self, NewJob},
};
use serde_json::json;
use uuid::Uuid;

use super::who::{Note, ServiceError, Who};
use crate::{
    orders::{self, Again},
    reader::{hand_over, hold_directory},
    state::AppState,
};

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

    /// The word of the audit log.
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
    for agent in agents::list_in_state(&mut tx, &scope, AgentState::Active).await? {
        if give(&mut tx, state, who, &agent, ask).await? {
            asked += 1;
        }
    }
    if asked == 0 {
        return Err(ServiceError::invalid("customer", "has no active agent that could be asked"));
    }
    who.note(&mut tx, now, ask.action(), Some(customer), Note::of(customer));
    tx.commit().await?;
    Ok(asked)
}

/// Pressing a button twice is one sync, until the agent may be carrying out the first.
pub(super) async fn give(
    tx: &mut WriteTx,
    state: &AppState,
    who: &Who,
    agent: &Agent,
    ask: Ask,
) -> Result<bool, ServiceError> {
    let Some((scope, _)) = agents::find(tx, &who.scope, agent.id).await? else { return Ok(false) };
    orders::give(tx, state, &scope, &who.actor.name, ask.order(), Again::WhenHeard).await?;
    Ok(true)
}

/// The agent makes itself a new key; the old one holds until it works with the new one.
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
    who.note(&mut tx, now, Ask::RotateKey.action(), Some(found.customer_id), Note::of(found.id));
    Ok(tx.commit().await?)
}

/// For ever: the agent's next request is answered with `revoked`, and it wipes its spool.
pub async fn revoke(state: &AppState, who: &Who, agent: AgentId) -> Result<(), ServiceError> {
    who.may(Act::RevokeAgent)?;
    let mut tx = state.db.write(&who.scope).await?;
    let (scope, before) = find_with_directory(&mut tx, who, agent).await?;
    if before.state == AgentState::Revoked {
        return Err(ServiceError::invalid("agent", "is revoked for ever"));
    }
    agents::set_state(&mut tx, &scope, AgentState::Revoked, state.now()).await?;
    hand_over(&mut tx, state.now(), &scope, &before).await?;
    settle_waiting(&mut tx, state, &scope).await?;
    tell(tx, state, who, &scope, &before, AgentState::Revoked, "agent.revoke").await
}

/// After two copies were found, and one of them was taken away: this identity goes on, in a new epoch. What either copy
/// still holds of the old one is refused, and a full snapshot follows. A copy that was left running stops both again.
pub async fn release(state: &AppState, who: &Who, agent: AgentId) -> Result<(), ServiceError> {
    who.may(Act::RevokeAgent)?;
    let now = state.now();
    let mut tx = state.db.write(&who.scope).await?;
    let (scope, before) = find_with_directory(&mut tx, who, agent).await?;
    if before.state != AgentState::Quarantined {
        return Err(ServiceError::invalid("agent", "is not quarantined"));
    }
    let to = decide_released(&mut tx, &scope, &before).await?;
    agents::set_state(&mut tx, &scope, to, now).await?;
    let epoch = agents::begin_epoch(&mut tx, &scope, state.entropy.bytes(), before.epoch).await?;
    inbox::abandon_epochs_before(&mut tx, &scope, epoch, now).await?;
    settle_waiting(&mut tx, state, &scope).await?;
    tell(tx, state, who, &scope, &before, to, "agent.release").await
}

/// Whole cycles that came in before the agent was stopped wait without a job: applied once it is released, refused once it
/// is revoked.
async fn settle_waiting(tx: &mut WriteTx, state: &AppState, scope: &AgentScope) -> Result<(), ServiceError> {
    if inbox::count_waiting(tx, scope, Uuid::nil()).await?.parts > 0 {
        jobs::enqueue(tx, NewJob::apply_cycle(scope, state.mint(JobId::mint), state.now())).await?;
    }
    Ok(())
}

/// One that stood by before the fork stands by after it, unless nobody reads the directory any more.
async fn decide_released(tx: &mut WriteTx, scope: &AgentScope, agent: &Agent) -> Result<AgentState, ServiceError> {
    let Some(directory) = agent.directory_id.map(DirectoryId::from) else { return Ok(AgentState::Active) };
    let Some(found) = directories::find(tx, &scope.customer(), directory).await? else { return Ok(AgentState::Active) };
    if found.agent_id == agent.id {
        return Ok(AgentState::Active);
    }
    let reader = agents::find_for_job(tx, found.agent_id).await?.map(|(_, reader)| reader.state);
    match reader {
        Some(AgentState::Active | AgentState::Standby | AgentState::Quarantined) => Ok(AgentState::Standby),
        // It was revoked while nobody could take its place.
        Some(AgentState::Revoked) | None => {
            directories::set_reader(tx, &scope.customer(), directory, agent.id).await?;
            Ok(AgentState::Active)
        }
    }
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
    match to {
        AgentState::Active | AgentState::Standby => agents::renew_desired(&mut tx, scope).await?,
        // It gets no more instructions.
        AgentState::Quarantined | AgentState::Revoked => {}
    }
    let note = Note::of(before.id).before(json!({ "state": before.state })).after(json!({ "state": to }));
    who.note(&mut tx, state.now(), action, Some(before.customer_id), note);
    Ok(tx.commit().await?)
}

/// [`find`] for who changes the agent's directory or hands it to another agent: both are held before the agent is.
pub(super) async fn find_with_directory(
    tx: &mut WriteTx,
    who: &Who,
    agent: AgentId,
) -> Result<(AgentScope, Agent), ServiceError> {
    let (scope, _) = agents::find(tx, &who.scope, agent).await?.ok_or(ServiceError::NotFound)?;
    hold_directory(tx, &scope).await?;
    let agent = agents::lock(tx, &scope).await?;
    Ok((scope, agent))
}

/// The agent within reach, as it is until the transaction ends.
pub(super) async fn find(tx: &mut WriteTx, who: &Who, agent: AgentId) -> Result<(AgentScope, Agent), ServiceError> {
    let (scope, _) = agents::find(tx, &who.scope, agent).await?.ok_or(ServiceError::NotFound)?;
    let agent = agents::lock(tx, &scope).await?;
    Ok((scope, agent))
}
