//! Records a cycle that is not applied: nothing of it counts, the MSP is told, and a full snapshot is ordered.

use rollcall_domain::{
    ids::{CommandId, RunId},
    run::{Counts, RunKind, RunResult},
};
use rollcall_protocol::desired::Order;
use rollcall_store::{
    AgentScope, StoreError, WriteTx, agents, commands,
    commands::NewCommand,
    directories::{self, Directory},
    inbox,
    live::{Event, Topic},
    runs::{self, NewRun},
};
use serde_json::json;

use super::cycle::{Cycle, Unfit};
use crate::state::AppState;

/// Orders not given again before the last one of the kind is done.
const BY: &str = "Rollcall";

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
        cause: super::run::cause(told.trigger),
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
    runs::insert(tx, scope, &run).await?;
    inbox::mark_applied(tx, scope, told.cycle, run.id, now, cycle.batches.len() as u64).await?;
    if let Some(directory) = directory {
        order_full_snapshot(tx, state, scope, directory).await?;
    }
    let event = Event::of(tx.msp(), Topic::Run).customer(scope.customer().customer()).agent(scope.agent());
    tx.tell(event);
    Ok(())
}

/// Asks the agent to send everybody with the next cycle, unless it was asked already.
pub async fn order_full_snapshot(
    tx: &mut WriteTx,
    state: &AppState,
    scope: &AgentScope,
    directory: &Directory,
) -> Result<(), StoreError> {
    directories::want_full(tx, directory.id, Some(state.now())).await?;
    order(tx, state, scope, Order::FullSnapshot).await
}

/// Puts an order into the agent's desired state. One that waits unchanged is not doubled.
pub async fn order(tx: &mut WriteTx, state: &AppState, scope: &AgentScope, order: Order) -> Result<(), StoreError> {
    let payload = json!(order);
    let open = commands::list_open(tx, scope.agent()).await?;
    if open.iter().any(|command| command.payload.0 == payload) {
        return Ok(());
    }
    let kind = payload.get("kind").and_then(serde_json::Value::as_str).unwrap_or("order").to_owned();
    let command =
        NewCommand { id: state.mint(CommandId::mint), kind: &kind, payload, created_by: BY, created_at: state.now() };
    commands::insert(tx, scope.agent(), command).await?;
    agents::renew_desired(tx, scope).await
}
