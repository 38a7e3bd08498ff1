//! Runs: what the cloud made of each reading, with counts from the committed transaction.

use chrono::{DateTime, SubsecRound as _, Utc};
use rollcall_domain::{
    ids::{AgentId, CustomerId, DirectoryId, RunId},
    run::{Counts, RunKind, RunResult},
};
use uuid::Uuid;

use crate::{AgentScope, CustomerScope, MspScope, Result, Tx, WriteTx};

#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Run {
    #[sqlx(try_from = "Uuid")]
    pub id: RunId,
    #[sqlx(try_from = "Uuid")]
    pub customer_id: CustomerId,
    pub directory_id: Option<Uuid>,
    #[sqlx(try_from = "Uuid")]
    pub agent_id: AgentId,
    pub cycle: Option<Uuid>,
    pub cause: String,
    #[sqlx(try_from = "String")]
    pub kind: RunKind,
    #[sqlx(try_from = "String")]
    pub result: RunResult,
    pub reason_code: Option<String>,
    pub reason_detail: Option<String>,
    pub started_at: DateTime<Utc>,
    pub received_at: DateTime<Utc>,
    pub finished_at: DateTime<Utc>,
    pub epoch: i64,
    pub first_seq: i64,
    pub last_seq: i64,
    pub batches: i64,
    pub bytes: i64,
    #[sqlx(flatten)]
    pub counts: CountColumns,
    pub digest_agrees: Option<bool>,
    pub dc_host: Option<String>,
}

#[derive(Debug, Clone, Copy, Default, sqlx::FromRow)]
pub struct CountColumns {
    pub people: i64,
    pub added: i64,
    pub updated: i64,
    pub returned: i64,
    pub departed: i64,
    pub held: i64,
    pub unchanged: i64,
    pub set_aside: i64,
}

impl From<Counts> for CountColumns {
    fn from(counts: Counts) -> Self {
        let Counts { people, added, updated, returned, departed, held, unchanged, set_aside } = counts;
        Self { people, added, updated, returned, departed, held, unchanged, set_aside }
    }
}

macro_rules! columns {
    () => {
        "id, customer_id, directory_id, agent_id, cycle, cause, kind, result, reason_code, reason_detail, started_at,
         received_at, finished_at, epoch, first_seq, last_seq, batches, bytes, people, added, updated, returned, departed,
         held, unchanged, set_aside, digest_agrees, dc_host"
    };
}

#[derive(Debug)]
pub struct NewRun<'a> {
    pub id: RunId,
    pub directory: Option<DirectoryId>,
    pub cycle: Uuid,
    pub cause: &'a str,
    pub kind: RunKind,
    pub result: RunResult,
    pub reason_code: Option<&'a str>,
    pub reason_detail: Option<&'a str>,
    pub started_at: DateTime<Utc>,
    pub received_at: DateTime<Utc>,
    pub finished_at: DateTime<Utc>,
    pub epoch: i64,
    pub first_seq: i64,
    pub last_seq: i64,
    pub batches: i64,
    pub bytes: i64,
    pub counts: Counts,
    pub digest_agrees: Option<bool>,
    pub dc_host: Option<&'a str>,
}

pub async fn insert(tx: &mut WriteTx, agent: &AgentScope, run: &NewRun<'_>) -> Result<()> {
    execute!(
        tx,
        "insert into runs
             (msp_id, id, customer_id, directory_id, agent_id, cycle, cause, kind, result, reason_code, reason_detail,
              started_at, received_at, finished_at, epoch, first_seq, last_seq, batches, bytes, people, added, updated,
              returned, departed, held, unchanged, set_aside, digest_agrees, dc_host)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23,
                 $24, $25, $26, $27, $28, $29)",
        run.id.uuid(),
        agent.customer().customer().uuid(),
        run.directory.map(DirectoryId::uuid),
        agent.agent().uuid(),
        run.cycle,
        run.cause,
        run.kind.as_str(),
        run.result.as_str(),
        run.reason_code,
        run.reason_detail,
        // An agent tells finer times than PostgreSQL keeps.
        run.started_at.trunc_subsecs(6),
        run.received_at.trunc_subsecs(6),
        run.finished_at.trunc_subsecs(6),
        run.epoch,
        run.first_seq,
        run.last_seq,
        run.batches,
        run.bytes,
        run.counts.people,
        run.counts.added,
        run.counts.updated,
        run.counts.returned,
        run.counts.departed,
        run.counts.held,
        run.counts.unchanged,
        run.counts.set_aside,
        run.digest_agrees,
        run.dc_host,
    )?
    .exactly(1)
}

/// Newest first; `before` is the last id of the page before.
pub async fn list(tx: &mut Tx, customer: &CustomerScope, before: Option<RunId>, limit: i64) -> Result<Vec<Run>> {
    fetch_all!(
        tx,
        Run,
        concat!(
            "select ",
            columns!(),
            " from runs where msp_id = $1 and customer_id = $2 and id < $3 order by id desc limit $4"
        ),
        customer.customer().uuid(),
        before.map_or(Uuid::max(), RunId::uuid),
        limit,
    )
}

pub async fn find(tx: &mut Tx, msp: &MspScope, id: RunId) -> Result<Option<Run>> {
    let run = fetch_optional!(
        tx,
        Run,
        concat!("select ", columns!(), " from runs where msp_id = $1 and id = $2"),
        id.uuid()
    )?;
    Ok(run.filter(|run| msp.reach().covers(run.customer_id)))
}

/// Whether this reading of this agent was recorded already.
pub async fn is_recorded(tx: &mut Tx, agent: &AgentScope, cycle: Uuid) -> Result<bool> {
    let (count,): (i64,) = fetch_one!(
        tx,
        (i64,),
        "select count(*) from runs where msp_id = $1 and customer_id = $2 and agent_id = $3 and cycle = $4",
        agent.customer().customer().uuid(),
        agent.agent().uuid(),
        cycle,
    )?;
    Ok(count > 0)
}

/// A record that could not be applied.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct SetAside {
    pub line: i64,
    pub object_guid: Option<Uuid>,
    pub code: String,
    pub detail: String,
}

pub async fn insert_set_aside(tx: &mut WriteTx, run: RunId, records: &[SetAside]) -> Result<()> {
    bulk!(
        tx,
        "insert into set_aside (msp_id, run_id, line, object_guid, code, detail)",
        records,
        |record| [run.uuid(), record.line, record.object_guid, record.code.as_str(), record.detail.as_str()],
        ""
    )?
    .exactly(records.len() as u64)
}

pub async fn list_set_aside(tx: &mut Tx, run: RunId) -> Result<Vec<SetAside>> {
    fetch_all!(
        tx,
        SetAside,
        "select line, object_guid, code, detail from set_aside where msp_id = $1 and run_id = $2 order by line limit 500",
        run.uuid(),
    )
}

/// The same, only those that ended in one way.
pub async fn list_with_result(
    tx: &mut Tx,
    customer: &CustomerScope,
    result: Option<RunResult>,
    before: Option<RunId>,
    limit: i64,
) -> Result<Vec<Run>> {
    fetch_all!(
        tx,
        Run,
        concat!(
            "select ",
            columns!(),
            " from runs where msp_id = $1 and customer_id = $2 and id < $3 and ($4 = '' or result = $4)
             order by id desc limit $5"
        ),
        customer.customer().uuid(),
        before.map_or(Uuid::max(), RunId::uuid),
        result.map_or("", RunResult::as_str),
        limit,
    )
}
