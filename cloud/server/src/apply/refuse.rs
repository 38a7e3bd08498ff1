//! Records a cycle that is not applied: nothing of it counts, the MSP is told, and a full snapshot is ordered.

use rollcall_domain::ids::RunId;
use rollcall_store::{
    AgentScope, StoreError, WriteTx, agents,
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
    agents::lock(tx, scope).await?;
    if let Some(directory) = directory {
        order::full_snapshot(tx, state, scope, directory).await?;
    }
    runs::insert(tx, scope, &run).await?;
    inbox::mark_applied(tx, scope, run.cycle, run.id, now).await?.at_least(cycle.batches.len() as u64)?;
    let event = Event::of(tx.msp(), Topic::Run).customer(scope.customer().customer()).agent(scope.agent());
    tx.tell(event);
    Ok(())
}
