//! One worker: the tenants in turn, the oldest free job of each.

use std::{collections::HashSet, time::Duration};

use rollcall_domain::{
    ids::{AgentId, MailId, MspId},
    job::{self, JobKind},
};
use rollcall_store::{
    StoreError,
    jobs::{self, Claimed},
};
use serde::Deserialize;
use uuid::Uuid;

use super::lease;
use crate::{apply, mail, state::AppState};

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
        match claim_next(&state, &mut last).await {
            Ok(Some(claimed)) => run(&state, claimed).await,
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
    while let Some(claimed) = claim_next(state, &mut last).await? {
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

/// Around the ring from `last`, until there is a job or every due tenant was tried once: what is due may stand in a lane
/// that is blocked, and no other tenant waits for that.
async fn claim_next(state: &AppState, last: &mut MspId) -> Result<Option<Claimed>, StoreError> {
    let now = state.now();
    let mut tried = HashSet::new();
    while let Some(tenant) = jobs::find_next_tenant(&state.db, *last, now).await? {
        if !tried.insert(tenant.msp()) {
            return Ok(None);
        }
        *last = tenant.msp();
        if let Some(claimed) = jobs::claim(&state.db, tenant, now, lease::LEASE).await? {
            return Ok(Some(claimed));
        }
    }
    Ok(None)
}

#[derive(Deserialize)]
struct ApplyPayload {
    agent: AgentId,
}

#[derive(Deserialize)]
struct MailPayload {
    mail: MailId,
}

async fn run(state: &AppState, claimed: Claimed) {
    let job = claimed.scope;
    let done = async {
        match claimed.kind {
            JobKind::ApplyCycle => match serde_json::from_value::<ApplyPayload>(claimed.payload.clone()) {
                Ok(payload) => apply::apply_next(state, &job, payload.agent).await.map_err(|error| error.to_string()),
                Err(error) => Err(format!("payload: {error}")),
            },
            JobKind::SendMail => match serde_json::from_value::<MailPayload>(claimed.payload.clone()) {
                Ok(payload) => mail::send(state, &job, payload.mail).await.map_err(|error| error.to_string()),
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

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use rollcall_domain::ids::JobId;
    use rollcall_store::{MspScope, Scope as _, jobs::NewJob, testing::TestDb};

    use super::*;
    use crate::testing::{TestCloud, found};

    /// A job with nothing to do: its agent does not exist.
    async fn enqueue(cloud: &TestCloud, msp: &MspScope, lane: u128) {
        let mut tx = cloud.db().write(msp).await.unwrap();
        let job = NewJob {
            id: cloud.state.mint(JobId::mint),
            kind: JobKind::ApplyCycle,
            lane: Uuid::from_u128(lane),
            payload: serde_json::json!({ "agent": AgentId::from(Uuid::from_u128(0xbad)) }),
            due_at: cloud.now(),
        };
        jobs::enqueue(&mut tx, job).await.unwrap();
        tx.commit().await.unwrap();
        cloud.pass(TimeDelta::seconds(1));
    }

    async fn a_blocked_lane_holds_up_no_other_tenant(cloud: TestCloud) {
        let first = &cloud.who.scope;
        let second = found(cloud.db(), &cloud.state, "Southwind IT").await.scope;
        assert!(first.msp() < second.msp());
        // The first tenant's older job waits for its next try, and the younger one behind it is due.
        enqueue(&cloud, first, 7).await;
        let failed = claim_next(&cloud.state, &mut MspId::from(Uuid::nil())).await.unwrap().unwrap();
        let mut tx = cloud.db().write(&failed.scope).await.unwrap();
        jobs::retry(&mut tx, &failed.scope, cloud.now() + TimeDelta::hours(1), "the disk was full").await.unwrap();
        tx.commit().await.unwrap();
        enqueue(&cloud, first, 7).await;
        enqueue(&cloud, &second, 8).await;

        run_due(&cloud.state).await.unwrap();

        let left = jobs::count_all(cloud.db()).await.unwrap();
        assert_eq!(left, [("apply_cycle".to_owned(), "ready".to_owned(), 2)], "only the blocked lane is left");
    }

    #[tokio::test]
    async fn a_blocked_lane_holds_up_no_other_tenant_on_sqlite() {
        a_blocked_lane_holds_up_no_other_tenant(TestCloud::on_sqlite().await).await;
    }

    #[tokio::test]
    async fn a_blocked_lane_holds_up_no_other_tenant_on_postgres() {
        let postgres = rollcall_lab::postgres::Postgres::start_private().unwrap();
        let url = postgres.fresh_database().unwrap();
        a_blocked_lane_holds_up_no_other_tenant(TestCloud::on(TestDb::postgres(&url).await.unwrap()).await).await;
    }
}
