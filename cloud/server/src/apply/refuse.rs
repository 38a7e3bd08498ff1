//! Records a cycle that is not applied: nothing of it counts, the MSP is told, and a full snapshot is ordered of the agent
//! that can send one.

use rollcall_domain::{agent::AgentState, ids::RunId};
use rollcall_store::{
    AgentScope, StoreError, WriteTx,
    agents::{self, Agent},
    directories::Directory,
    inbox,
    live::{Event, Topic},
    runs::{self, NewRun},
};

use super::{
    cycle::{Cycle, Unfit},
    order,
};
use crate::state::AppState;

pub async fn record(
    tx: &mut WriteTx,
    state: &AppState,
    scope: &AgentScope,
    directory: Option<&Directory>,
    cycle: &Cycle,
    unfit: &Unfit,
) -> Result<(), StoreError> {
    let now = state.now();
    let Some(run) = cycle.run(state.mint(RunId::mint), directory.map(|directory| directory.id), now) else {
        return Ok(());
    };
    let run = NewRun { reason_code: Some(unfit.fault.code), reason_detail: Some(&unfit.detail), ..run };
    // The agent comes before its inbox, where others who change both begin too.
    let agent = agents::lock(tx, scope).await?;
    if let Some(directory) = directory.filter(|directory| can_mend(&agent, directory)) {
        order::full_snapshot(tx, state, scope, directory).await?;
    }
    runs::insert(tx, scope, &run).await?;
    inbox::mark_applied(tx, scope, run.cycle, run.id, now).await?.at_least(cycle.batches.len() as u64)?;
    let event = Event::of(tx.msp(), Topic::Run).customer(scope.customer().customer()).agent(scope.agent());
    tx.tell(event);
    Ok(())
}

/// An order to an agent that does not read the directory would stand for ever, and the next whole reading of the one that
/// does would be taken for the answer to it.
fn can_mend(agent: &Agent, directory: &Directory) -> bool {
    let is_heard = match agent.state {
        AgentState::Active | AgentState::Standby | AgentState::Quarantined => true,
        AgentState::Revoked => false,
    };
    is_heard && directory.agent_id == agent.id
}
