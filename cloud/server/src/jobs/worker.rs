//! One worker: the tenants in turn, the oldest free job of each.

use std::{collections::HashSet, time::Duration};

use rollcall_domain::{
    ids::MspId,
    job::{self, Counterpart},
};
use rollcall_protocol::catalogue;
use rollcall_store::{
    JobScope, StoreError,
    jobs::{self, Claimed},
};
use uuid::Uuid;

use super::{
    drop_bundles,
    failed::{self, Failed},
    lease,
    payload::Work,
};
use crate::{
    apply::{self, ApplyError},
    mail::{self, SendError},
    setback::Setback,
    state::AppState,
};

/// Longest time without a look, in case a wake-up was lost or a lease ran out elsewhere.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Two run what waits for the database, and there is little else to wait for.
const WITH_DATABASE: usize = 2;

/// One brings mail away: letters may wait for one another where the relay is slow, and nothing else waits for a relay.
const WITH_RELAY: usize = 1;

/// Runs workers until shutdown; each ends the job it is at.
pub async fn run_workers(state: AppState) {
    if let Err(error) = jobs::release_all_on_start(&state.db, state.now()).await {
        tracing::error!(%error, "jobs of the last start could not be released; their leases run out by themselves");
    }
    let with = |counterpart, workers| std::iter::repeat_n(counterpart, workers);
    let workers = with(Counterpart::Database, WITH_DATABASE).chain(with(Counterpart::MailRelay, WITH_RELAY));
    let tasks = workers.map(|counterpart| replace_when_lost(state.clone(), counterpart));
    futures_util::future::join_all(tasks).await;
}

/// A job that panics ends by itself, see [`attempt`]; a worker that does is replaced, so that there are always as many.
async fn replace_when_lost(state: AppState, counterpart: Counterpart) {
    while let Err(error) = tokio::spawn(work(state.clone(), counterpart)).await {
        tracing::error!(%error, "a worker was lost");
        metrics::counter!("rollcall_workers_lost_total").increment(1);
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

async fn work(state: AppState, counterpart: Counterpart) {
    let mut last = MspId::from(Uuid::nil());
    while !state.shutdown.has_begun() {
        match claim_next(&state, counterpart, &mut last).await {
            Ok(Some(claimed)) => run(&state, claimed).await,
            Ok(None) => rest(&state, counterpart).await,
            Err(error) => {
                tracing::error!(%error, "no job could be claimed");
                rest(&state, counterpart).await;
            }
        }
    }
}

/// Runs whatever is due, and ends when nothing is.
pub async fn run_due(state: &AppState) -> Result<(), StoreError> {
    for counterpart in [Counterpart::Database, Counterpart::MailRelay] {
        let mut last = MspId::from(Uuid::nil());
        while let Some(claimed) = claim_next(state, counterpart, &mut last).await? {
            run(state, claimed).await;
        }
    }
    Ok(())
}

/// Until a job becomes due, a while has passed, or the program ends.
async fn rest(state: &AppState, counterpart: Counterpart) {
    tokio::select! {
        () = state.hub.wait_for_job(counterpart) => {}
        () = tokio::time::sleep(LOOK_EVERY) => {}
        () = state.shutdown.begun() => {}
    }
}

/// Around the ring from `last`, until there is a job or every due tenant was tried once: what is due may stand in a lane
/// that is blocked, and no other tenant waits for that.
async fn claim_next(
    state: &AppState,
    counterpart: Counterpart,
    last: &mut MspId,
) -> Result<Option<Claimed>, StoreError> {
    let now = state.now();
    let mut tried = HashSet::new();
    while let Some(tenant) = jobs::find_next_tenant(&state.db, counterpart, *last, now).await? {
        if !tried.insert(tenant.msp()) {
            return Ok(None);
        }
        *last = tenant.msp();
        if let Some(claimed) = jobs::claim(&state.db, tenant, counterpart, now, job::LEASE).await? {
            return Ok(Some(claimed));
        }
    }
    Ok(None)
}

async fn run(state: &AppState, claimed: Claimed) {
    let (kind, job) = (claimed.kind, claimed.scope.job());
    let work = Work::read(kind, &claimed.payload);
    let failed = if claimed.attempts > job::MAX_ATTEMPTS {
        // Each try was begun and none came to an end: whatever ran it died with it.
        Some(Failed::Lost)
    } else {
        let done = attempt(perform(state.clone(), claimed.scope, work));
        tokio::select! {
            done = done => done.err(),
            never = lease::keep(state, &claimed.scope) => match never {},
        }
    };
    let Some(failed) = failed else { return };
    tracing::warn!(error = %failed, %job, %kind, attempts = claimed.attempts, "a job failed");
    if let Err(error) = failed::put_back(state, &claimed, &work, &failed).await {
        // Its lease runs out, and then somebody takes it again.
        tracing::error!(%error, %job, "a failed job could not be put back");
    }
}

/// In a task of its own: a panic is one failed try, not the end of the worker.
async fn attempt(work: impl Future<Output = Result<(), Failed>> + Send + 'static) -> Result<(), Failed> {
    match tokio::spawn(work).await {
        Ok(done) => done,
        Err(panicked) => Err(Failed::Panicked(panicked)),
    }
}

async fn perform(state: AppState, scope: JobScope, work: Work) -> Result<(), Failed> {
    match work {
        Work::ApplyCycle { agent } => apply::apply_next(&state, &scope, agent).await.map_err(|error| match error {
            ApplyError::Store(error) => Failed::Store(error),
            error @ (ApplyError::Poisoned { .. } | ApplyError::Vanished(_)) => {
                Failed::Met(Setback::new(&catalogue::APPLY_FAILED, error.to_string()))
            }
        }),
        Work::SendMail { mail } => mail::send(&state, &scope, mail).await.map_err(|error| match error {
            SendError::Store(error) => Failed::Store(error),
            SendError::NotNow(setback) => Failed::Met(setback),
        }),
        Work::DropBundles => Ok(drop_bundles::run(&state, &scope).await?),
        Work::Unreadable => Err(StoreError::Unreadable("payload of a job".to_owned()).into()),
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use rollcall_domain::{
        ids::{AgentId, JobId},
        job::JobKind,
        run::RunResult,
    };
    use rollcall_protocol::{answer::Answer, desired::Order};
    use rollcall_store::{MspScope, Scope as _, jobs::NewJob, work};

    use super::*;
    use crate::testing::{TestAgent, TestCloud, crowd, found, stories};

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
        let failed =
            claim_next(&cloud.state, Counterpart::Database, &mut MspId::from(Uuid::nil())).await.unwrap().unwrap();
        let mut tx = cloud.db().write(&failed.scope).await.unwrap();
        jobs::retry(&mut tx, &failed.scope, cloud.now() + TimeDelta::hours(1), "the disk was full").await.unwrap();
        tx.commit().await.unwrap();
        enqueue(&cloud, first, 7).await;
        enqueue(&cloud, &second, 8).await;

        run_due(&cloud.state).await.unwrap();

        let left = jobs::count_all(cloud.db()).await.unwrap();
        assert_eq!(left, [("apply_cycle".to_owned(), "ready".to_owned(), 2)], "only the blocked lane is left");
    }

    async fn dead(cloud: &TestCloud) -> Vec<work::Dead> {
        let mut tx = cloud.db().read(&cloud.who.scope).await.unwrap();
        work::list_dead(&mut tx, 10).await.unwrap()
    }

    async fn a_job_that_ends_the_program_each_time_is_given_up(cloud: TestCloud) {
        enqueue(&cloud, &cloud.who.scope, 7).await;
        for _ in 0..job::MAX_ATTEMPTS {
            let claimed = claim_next(&cloud.state, Counterpart::Database, &mut MspId::from(Uuid::nil())).await.unwrap();
            assert!(claimed.is_some(), "nobody is left to put it back, and its lease ran out");
            cloud.pass(job::LEASE + TimeDelta::seconds(1));
        }

        run_due(&cloud.state).await.unwrap();

        let dead = dead(&cloud).await;
        assert_eq!(dead[0].last_error.as_deref(), Some("RC-4012"));
        cloud.pass(TimeDelta::hours(1));
        assert!(
            claim_next(&cloud.state, Counterpart::Database, &mut MspId::from(Uuid::nil())).await.unwrap().is_none()
        );
    }

    /// Begun as often as it may be, and never ended: whatever ran it died.
    async fn die_trying(cloud: &TestCloud) {
        for _ in 0..job::MAX_ATTEMPTS {
            claim_next(&cloud.state, Counterpart::Database, &mut MspId::from(Uuid::nil())).await.unwrap().unwrap();
            cloud.pass(job::LEASE + TimeDelta::seconds(1));
        }
    }

    async fn a_cycle_that_ends_the_program_each_time_is_set_aside_and_the_next_is_applied(cloud: TestCloud) {
        let mut agent = TestAgent::enrol(&cloud, 1).await;
        let import = cloud.import(Uuid::from_u128(0x0f)).await;
        for people in [3, 5] {
            let parts = agent.read_full(&cloud, crowd(people, import), 1);
            assert!(matches!(agent.push(&cloud, &parts[0]).await, Answer::Accepted(_)));
            cloud.pass(TimeDelta::seconds(1));
        }
        die_trying(&cloud).await;

        run_due(&cloud.state).await.unwrap();

        let runs = cloud.runs().await;
        let told: Vec<_> = runs.iter().map(|run| (run.result, run.reason_code.as_deref())).collect();
        assert_eq!(told, [(RunResult::Ok, None), (RunResult::Failed, Some("RC-4012"))], "the newest first");
        assert_eq!((cloud.list(None).await.len(), dead(&cloud).await.len()), (5, 1));
        let ordered = agent.check_in(&cloud).await.unwrap().commands;
        assert_eq!(ordered[0].order, Order::FullSnapshot, "whatever was in it comes again");
    }

    async fn a_job_that_was_cut_off_often_is_not_the_first_after_a_start(cloud: TestCloud) {
        enqueue(&cloud, &cloud.who.scope, 7).await;
        for _ in 0..3 {
            claim_next(&cloud.state, Counterpart::Database, &mut MspId::from(Uuid::nil())).await.unwrap().unwrap();
            cloud.pass(job::LEASE + TimeDelta::seconds(1));
            jobs::release_all_on_start(cloud.db(), cloud.now()).await.unwrap();
        }
        enqueue(&cloud, &cloud.who.scope, 8).await;

        let first =
            claim_next(&cloud.state, Counterpart::Database, &mut MspId::from(Uuid::nil())).await.unwrap().unwrap();

        assert_eq!(first.attempts, 1, "the other one");
    }

    #[tokio::test]
    async fn a_panic_is_one_failed_try() {
        let panicked = attempt(async { panic!("a bug") }).await;
        assert!(matches!(panicked, Err(Failed::Panicked(_))));
        assert!(attempt(async { Ok(()) }).await.is_ok());
    }

    stories! { no_job_holds_up_the_others_on_postgres: [
        a_blocked_lane_holds_up_no_other_tenant,
        a_job_that_ends_the_program_each_time_is_given_up,
        a_cycle_that_ends_the_program_each_time_is_set_aside_and_the_next_is_applied,
    ] }

    #[tokio::test]
    async fn after_a_start_what_was_cut_off_often_waits() {
        // PostgreSQL serves many processes: there a lease must run out.
        a_job_that_was_cut_off_often_is_not_the_first_after_a_start(TestCloud::on_sqlite().await).await;
    }
}
