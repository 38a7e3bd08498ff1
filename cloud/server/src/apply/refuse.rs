//! Records a cycle that is not applied: nothing of it counts, the MSP is told, and a full snapshot is ordered.

use rollcall_domain::{
    ids::RunId,
    run::{Counts, RunKind, RunResult},
};
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
    let told = &cycle.told;
    let (Some(first), Some(last)) = (cycle.batches.first(), cycle.batches.last()) else { return Ok(()) };
    let run = NewRun {
        id: state.mint(RunId::mint),
        directory: directory.map(|directory| directory.id),
        cycle: told.cycle,
        cause: told.trigger.as_str(),
        kind: if cycle.is_full() { RunKind::Full } else { RunKind::Delta },
        result: RunResult::Failed,
        reason_code: Some(unfit.fault.code),
        reason_detail: Some(&unfit.detail),
        started_at: told.started_at,
        received_at: last.received_at,
        finished_at: now,
        epoch: first.epoch,
        first_seq: first.seq,
        last_seq: last.seq,
        batches: i64::try_from(cycle.batches.len()).unwrap_or(i64::MAX),
        bytes: cycle.bytes,
        counts: Counts { people: i64::try_from(told.set.people).unwrap_or(i64::MAX), ..Counts::default() },
        digest_agrees: None,
        dc_host: Some(&told.dc.dns_name),
    };
    // The agent comes before its inbox, where others who change both begin too.
    agents::lock(tx, scope).await?;
    if let Some(directory) = directory {
        order::full_snapshot(tx, state, scope, directory).await?;
    }
    runs::insert(tx, scope, &run).await?;
    inbox::mark_applied(tx, scope, told.cycle, run.id, now, cycle.batches.len() as u64).await?;
    let event = Event::of(tx.msp(), Topic::Run).customer(scope.customer().customer()).agent(scope.agent());
    tx.tell(event);
    Ok(())
}
