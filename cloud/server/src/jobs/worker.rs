//! One worker: the tenants in turn, the oldest free job of each.

use std::time::Duration;

use rollcall_domain::{
    ids::{AgentId, MspId},
    job::{self, JobKind},
};
use rollcall_store::{
    StoreError,
    jobs::{self, Claimed},
};
use serde::Deserialize;
use uuid::Uuid;

use super::lease;
use crate::{apply, state::AppState};

/// Longest time without a look, in case a wake-up was lost or a lease ran out elsewhere.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Runs workers until shutdown; each ends the job it is at.
pub async fn run_workers(state: AppState, workers: usize) {
    if let Err(error) = jobs::release_all_on_start(&state.db).await {
        tracing::error!(%error, "jobs of the last start could not be released; their leases run out by themselves");
    }
    let tasks: Vec<_> = (0..workers).map(|_| tokio::spawn(work(state.clone()))).collect();
    for task in tasks {
        if task.await.is_err() {
            tracing::error!("a worker panicked");
        }
    }
}

async fn work(state: AppState) {
    let mut last = MspId::from(Uuid::nil());
    while !state.shutdown.has_begun() {
        match claim_next(&state, last).await {
            Ok(Some(claimed)) => {
                last = rollcall_store::Scope::msp(&claimed.scope);
                run(&state, claimed).await;
            }
            Ok(None) => rest(&state).await,
            Err(error) => {
                tracing::error!(%error, "no job could be claimed");
                rest(&state).await;
            }
        }
    }
}

/// Runs whatever is due, and ends when nothing is.
pub async fn run_due(state: &AppState) -> Result<(), StoreError> {
    let mut last = MspId::from(Uuid::nil());
    while let Some(claimed) = claim_next(state, last).await? {
        last = rollcall_store::Scope::msp(&claimed.scope);
        run(state, claimed).await;
    }
    Ok(())
}

/// Until a job becomes due, a while has passed, or the program ends.
async fn rest(state: &AppState) {
    tokio::select! {
        () = state.hub.wait_for_job() => {}
        () = tokio::time::sleep(LOOK_EVERY) => {}
        () = state.shutdown.begun() => {}
    }
}

async fn claim_next(state: &AppState, last: MspId) -> Result<Option<Claimed>, StoreError> {
    let now = state.now();
    let Some(tenant) = jobs::find_next_tenant(&state.db, last, now).await? else { return Ok(None) };
    jobs::claim(&state.db, tenant, now, lease::LEASE).await
}

#[derive(Deserialize)]
struct ApplyPayload {
    agent: AgentId,
}

async fn run(state: &AppState, claimed: Claimed) {
    let job = claimed.scope;
    let done = async {
        match claimed.kind {
            JobKind::ApplyCycle => match serde_json::from_value::<ApplyPayload>(claimed.payload.clone()) {
                Ok(payload) => apply::apply_next(state, &job, payload.agent).await.map_err(|error| error.to_string()),
                Err(error) => Err(format!("payload: {error}")),
            },
        }
    };
    let outcome = tokio::select! {
        outcome = done => outcome,
        () = lease::keep(state, &job) => Ok(()),
    };
    if let Err(error) = outcome {
        tracing::warn!(%error, job = %job.job(), kind = %claimed.kind, attempts = claimed.attempts, "a job failed");
        if let Err(error) = put_back(state, &claimed, &error).await {
            // Its lease runs out, and then somebody takes it again.
            tracing::error!(%error, job = %job.job(), "a failed job could not be put back");
        }
    }
}

async fn put_back(state: &AppState, claimed: &Claimed, error: &str) -> Result<(), StoreError> {
    let mut tx = state.db.write(&claimed.scope).await?;
    match job::retry_after(claimed.attempts, state.entropy.chance()) {
        Some(wait) => jobs::retry(&mut tx, &claimed.scope, state.now() + wait, error).await?,
        None => jobs::bury(&mut tx, &claimed.scope, error).await?,
    }
    tx.commit().await
}
