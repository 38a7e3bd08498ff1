//! The job table: leases with fencing, order within a lane, fair between tenants.

use chrono::{DateTime, TimeDelta, Utc};
use rollcall_domain::{
    ids::{JobId, MailId, MspId},
    job::{Counterpart, JobKind},
};
use serde_json::Value;
use sqlx::types::Json;
use uuid::Uuid;

use crate::{
    AgentScope, Db, JobScope, Result, Scope, StoreError, WriteTx,
    db::Engine,
    live::{Event, Topic},
};

#[derive(Debug)]
pub struct NewJob {
    pub id: JobId,
    pub kind: JobKind,
    /// Jobs of one lane run one after another.
    pub lane: Uuid,
    /// Ids only.
    pub payload: Value,
    pub due_at: DateTime<Utc>,
}

impl NewJob {
    /// Applies what came from this agent; agents of one customer take turns. It stands here, below those who ask for it
    /// and those who do it, so that neither knows the other.
    pub fn apply_cycle(scope: &AgentScope, id: JobId, due_at: DateTime<Utc>) -> Self {
        Self {
            id,
            kind: JobKind::ApplyCycle,
            lane: scope.customer().customer().uuid(),
            payload: serde_json::json!({ "agent": scope.agent() }),
            due_at,
        }
    }

    /// Brings one letter to the relay. No letter waits for another.
    pub fn send_mail(id: JobId, mail: MailId, due_at: DateTime<Utc>) -> Self {
        let payload = serde_json::json!({ "mail": mail });
        Self { id, kind: JobKind::SendMail, lane: mail.uuid(), payload, due_at }
    }

    /// Throws away what has expired at this tenant. It waits for days, so it has a lane of its own.
    pub fn drop_bundles(id: JobId, due_at: DateTime<Utc>) -> Self {
        Self { id, kind: JobKind::DropBundles, lane: id.uuid(), payload: serde_json::json!({}), due_at }
    }
}

pub async fn enqueue(tx: &mut WriteTx, job: NewJob) -> Result<()> {
    execute!(
        tx,
        "insert into jobs (msp_id, id, kind, lane, payload, state, attempts, due_at, fence, created_at)
         values ($1, $2, $3, $4, $5, 'ready', 0, $6, 0, $6)",
        job.id.uuid(),
        job.kind.as_str(),
        job.lane,
        Json(job.payload),
        job.due_at,
    )?
    .exactly(1)?;
    let event = Event::of(tx.msp(), Topic::Job);
    tx.tell(event);
    Ok(())
}

/// A job this worker holds until `lease_until`.
#[derive(Debug)]
pub struct Claimed {
    pub scope: JobScope,
    pub kind: JobKind,
    pub payload: Value,
    /// This one included.
    pub attempts: i64,
    pub lease_until: DateTime<Utc>,
}

#[derive(Debug, sqlx::FromRow)]
struct ClaimedRow {
    id: Uuid,
    #[sqlx(try_from = "String")]
    kind: JobKind,
    payload: Json<Value>,
    attempts: i64,
    fence: i64,
}

/// The next tenant after `last` that has due work with this counterpart, around the ring: so no tenant waits for another's
/// thousand jobs.
pub async fn find_next_tenant(
    db: &Db,
    counterpart: Counterpart,
    last: MspId,
    now: DateTime<Utc>,
) -> Result<Option<Tenant>> {
    let mut tx = db.system_read().await?;
    let row: Option<(Uuid,)> = either!(&mut tx.inner, c => sqlx::query_as(
        "select msp_id
         from jobs
         where ((state = 'ready' and due_at <= $1) or (state = 'running' and lease_until < $1))
             and (kind = 'send_mail') = $3
         order by case when msp_id > $2 then 0 else 1 end, msp_id
         limit 1",
    )
    .bind(now)
    .bind(last.uuid())
    .bind(is_mail(counterpart))
    .fetch_optional(c))?;
    Ok(row.map(|(msp,)| Tenant(msp.into())))
}

const fn is_mail(counterpart: Counterpart) -> bool {
    match counterpart {
        Counterpart::Database => false,
        Counterpart::MailRelay => true,
    }
}

/// A tenant with due work. Good for claiming, and for nothing else.
#[derive(Debug, Clone, Copy)]
pub struct Tenant(MspId);

impl Tenant {
    pub const fn msp(self) -> MspId {
        self.0
    }
}

crate::scope::seal!(Tenant);

impl Scope for Tenant {
    fn msp(&self) -> MspId {
        self.0
    }
}

/// Takes the oldest due job of this tenant and counterpart whose lane is free. A younger job of the lane may run already, where an older
/// one was committed late; that one is waited for. `None`: another worker was quicker.
pub async fn claim(
    db: &Db,
    tenant: Tenant,
    counterpart: Counterpart,
    now: DateTime<Utc>,
    lease: TimeDelta,
) -> Result<Option<Claimed>> {
    let mut tx = db.write(&tenant).await?;
    // The only difference of the two texts: on PostgreSQL two workers must not wait for one another's choice.
    let sql = match db.engine {
        Engine::Sqlite(_) => CLAIM_SQLITE,
        Engine::Postgres(_) => CLAIM_POSTGRES,
    };
    let lease_until = now + lease;
    let row = fetch_optional!(tx, ClaimedRow, sql, now, lease_until, is_mail(counterpart))?;
    tx.commit().await?;
    Ok(row.map(|row| Claimed {
        scope: JobScope::new(tenant.0, row.id.into(), row.fence),
        kind: row.kind,
        payload: row.payload.0,
        attempts: row.attempts,
        lease_until,
    }))
}

macro_rules! claim {
    ($lock:literal) => {
        concat!(
            "update jobs
             set state = 'running', attempts = attempts + 1, fence = fence + 1, lease_until = $3
             where msp_id = $1 and id = (
                 select j.id
                 from jobs j
                 where j.msp_id = $1
                     and (j.kind = 'send_mail') = $4
                     and ((j.state = 'ready' and j.due_at <= $2) or (j.state = 'running' and j.lease_until < $2))
                     and not exists (
                         select 1
                         from jobs other
                         where other.msp_id = j.msp_id and other.lane = j.lane and (
                             (other.id < j.id and other.state <> 'dead')
                             or (other.id > j.id and other.state = 'running' and other.lease_until >= $2)))
                 order by j.due_at, j.id
                 limit 1 ",
            $lock,
            ")
             returning id, kind, payload, attempts, fence"
        )
    };
}

const CLAIM_SQLITE: &str = claim!("");
const CLAIM_POSTGRES: &str = claim!("for update skip locked");

/// The job is done. Fails, and with it the whole transaction, if the lease went to another worker.
pub async fn finish(tx: &mut WriteTx, scope: &JobScope) -> Result<()> {
    execute!(
        tx,
        "delete from jobs where msp_id = $1 and id = $2 and fence = $3 and state = 'running'",
        scope.job().uuid(),
        scope.fence(),
    )?
    .exactly(1)
}

/// Back into the queue, for later.
pub async fn retry(tx: &mut WriteTx, scope: &JobScope, due_at: DateTime<Utc>, error: &str) -> Result<()> {
    execute!(
        tx,
        "update jobs
         set state = 'ready', due_at = $4, lease_until = null, last_error = $5
         where msp_id = $1 and id = $2 and fence = $3 and state = 'running'",
        scope.job().uuid(),
        scope.fence(),
        due_at,
        error,
    )?
    .exactly(1)
}

/// Given up: it no longer blocks its lane, and a human sees it.
pub async fn bury(tx: &mut WriteTx, scope: &JobScope, error: &str) -> Result<()> {
    execute!(
        tx,
        "update jobs
         set state = 'dead', lease_until = null, last_error = $4
         where msp_id = $1 and id = $2 and fence = $3 and state = 'running'",
        scope.job().uuid(),
        scope.fence(),
        error,
    )?
    .exactly(1)
}

/// Keeps the lease. False: it went to another worker, stop.
pub async fn renew(tx: &mut WriteTx, scope: &JobScope, lease_until: DateTime<Utc>) -> Result<bool> {
    let changed = execute!(
        tx,
        "update jobs set lease_until = $4 where msp_id = $1 and id = $2 and fence = $3 and state = 'running'",
        scope.job().uuid(),
        scope.fence(),
        lease_until,
    )?;
    Ok(changed.any())
}

/// The same for what must not be done twice: fails, and with it the whole transaction, if another worker has the job.
pub async fn hold(tx: &mut WriteTx, scope: &JobScope, lease_until: DateTime<Utc>) -> Result<()> {
    if renew(tx, scope, lease_until).await? { Ok(()) } else { Err(StoreError::WrongCount { expected: 1, found: 0 }) }
}

/// Depth of the queue by kind and state, over all tenants, for the metrics.
pub async fn count_all(db: &Db) -> Result<Vec<(String, String, i64)>> {
    let mut tx = db.system_read().await?;
    either!(&mut tx.inner, c =>
        sqlx::query_as("select kind, state, count(*) from jobs group by kind, state").fetch_all(c))
}

/// Tries after which a job that was cut off again is no longer the first thing a new process does: it may be what ended the
/// old one.
const CUT_OFF_OFTEN: i64 = 2;

/// SQLite has one process: what runs when it starts was cut off, and need not wait for its lease.
pub async fn release_all_on_start(db: &Db, now: DateTime<Utc>) -> Result<()> {
    if !matches!(db.engine, Engine::Sqlite(_)) {
        return Ok(());
    }
    let mut tx = db.system().await?;
    either!(&mut tx.inner, c => async {
        sqlx::query(
            "update jobs
             set state = 'ready', lease_until = null, due_at = case when attempts > $1 then $2 else due_at end
             where state = 'running'",
        )
        .bind(CUT_OFF_OFTEN)
        .bind(now + TimeDelta::minutes(1))
        .execute(c)
        .await
        .map(|_| ())
    })?;
    tx.commit().await
}
