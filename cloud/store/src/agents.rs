//! The agents: who they are, where their chain stands, what they last said of themselves.

use chrono::{DateTime, SubsecRound as _, Utc};
use rollcall_domain::{
    agent::AgentState,
    ids::{AgentId, CustomerId, DirectoryId},
};
use serde_json::Value;
use sqlx::types::Json;
use uuid::Uuid;

use crate::{
    AgentScope, CustomerScope, MspScope, Result, Scope as _, Tx, WriteTx,
    live::{Event, Topic},
};

#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Agent {
    #[sqlx(try_from = "Uuid")]
    pub id: AgentId,
    #[sqlx(try_from = "Uuid")]
    pub customer_id: CustomerId,
    pub directory_id: Option<Uuid>,
    #[sqlx(try_from = "String")]
    pub state: AgentState,
    pub hostname: String,
    pub os: String,
    pub version: String,
    /// As it was built for; `None` from those too old to say.
    pub platform: Option<String>,
    pub facts: Json<Value>,
    pub enrolled_at: DateTime<Utc>,
    pub last_seen_at: Option<DateTime<Utc>>,
    pub checkins: i64,
    pub clock_skew_ms: Option<i64>,
    pub desired_version: i64,
    pub applied_version: i64,
    /// The newest desired state it was given, whether or not it has said since that it runs it.
    pub handed_version: i64,
    pub handed_at: Option<DateTime<Utc>>,
    pub epoch: i64,
    pub epoch_start: Vec<u8>,
    pub next_seq: i64,
    pub head: Vec<u8>,
    pub queued: i64,
    pub dc_host: Option<String>,
    pub transport: Option<String>,
    pub reason_code: Option<String>,
    pub reason_detail: Option<String>,
    pub reason_since: Option<DateTime<Utc>>,
    /// The last status as the agent sent it.
    pub report: Option<Json<Value>>,
    pub quarantined_at: Option<DateTime<Utc>>,
    pub revoked_at: Option<DateTime<Utc>>,
}

macro_rules! columns {
    () => {
        "id, customer_id, directory_id, state, hostname, os, version, platform, facts, enrolled_at, last_seen_at, checkins,
         clock_skew_ms, desired_version, applied_version, handed_version, handed_at, epoch, epoch_start, next_seq, head,
         queued, dc_host, transport, reason_code, reason_detail, reason_since, report, quarantined_at, revoked_at"
    };
}

#[derive(Debug)]
pub struct NewAgent<'a> {
    pub id: AgentId,
    pub hostname: &'a str,
    pub os: &'a str,
    pub version: &'a str,
    pub facts: Value,
    pub epoch_start: [u8; 32],
    pub enrolled_at: DateTime<Utc>,
}

/// Begins with epoch 1, sequence 1 and desired state 1.
pub async fn insert(tx: &mut WriteTx, customer: &CustomerScope, agent: NewAgent<'_>) -> Result<()> {
    execute!(
        tx,
        "insert into agents
             (msp_id, id, customer_id, state, hostname, os, version, facts, enrolled_at, checkins,
              desired_version, applied_version, epoch, epoch_start, next_seq, head, queued)
         values ($1, $2, $3, 'active', $4, $5, $6, $7, $8, 0, 1, 0, 1, $9, 1, $9, 0)",
        agent.id.uuid(),
        customer.customer().uuid(),
        agent.hostname,
        agent.os,
        agent.version,
        Json(agent.facts),
        agent.enrolled_at,
        agent.epoch_start.as_slice(),
    )?
    .exactly(1)
}

pub async fn get(tx: &mut Tx, scope: &AgentScope) -> Result<Agent> {
    fetch_one!(
        tx,
        Agent,
        concat!("select ", columns!(), " from agents where msp_id = $1 and id = $2"),
        scope.agent().uuid(),
    )
}

/// The agent as it is now, and held so until the transaction ends: whoever judges its standing acts on what is true. An
/// update that changes nothing, because both engines understand it.
pub async fn lock(tx: &mut WriteTx, scope: &AgentScope) -> Result<Agent> {
    execute!(tx, "update agents set state = state where msp_id = $1 and id = $2", scope.agent().uuid())?.exactly(1)?;
    get(tx, scope).await
}

/// Every agent of a customer, held until the transaction ends: for whoever changes more than one of them.
pub async fn lock_all(tx: &mut WriteTx, customer: &CustomerScope) -> Result<()> {
    hold!(tx, "select id from agents where msp_id = $1 and customer_id = $2 order by id", customer.customer().uuid(),)
}

/// Within the reach of this scope.
pub async fn find(tx: &mut Tx, msp: &MspScope, id: AgentId) -> Result<Option<(AgentScope, Agent)>> {
    let agent = fetch_optional!(
        tx,
        Agent,
        concat!("select ", columns!(), " from agents where msp_id = $1 and id = $2"),
        id.uuid(),
    )?;
    let agent = agent.filter(|agent| msp.reach().covers(agent.customer_id));
    Ok(agent.map(|agent| (AgentScope::new(msp.msp(), agent.customer_id, agent.id), agent)))
}

/// Of one customer, those in this state, longest enrolled first.
pub async fn list_in_state(tx: &mut Tx, customer: &CustomerScope, state: AgentState) -> Result<Vec<Agent>> {
    fetch_all!(
        tx,
        Agent,
        concat!(
            "select ",
            columns!(),
            " from agents where msp_id = $1 and customer_id = $2 and state = $3 order by id limit 1000"
        ),
        customer.customer().uuid(),
        state.as_str(),
    )
}

/// Of one customer, newest first; retired ones too, after the others.
pub async fn list(tx: &mut Tx, customer: &CustomerScope) -> Result<Vec<Agent>> {
    fetch_all!(
        tx,
        Agent,
        concat!(
            "select ",
            columns!(),
            " from agents where msp_id = $1 and customer_id = $2
             order by case when state = 'revoked' then 1 else 0 end, id desc
             limit 200"
        ),
        customer.customer().uuid(),
    )
}

/// The agent that a job works for.
pub async fn find_for_job(tx: &mut Tx, id: AgentId) -> Result<Option<(AgentScope, Agent)>> {
    let agent = fetch_optional!(
        tx,
        Agent,
        concat!("select ", columns!(), " from agents where msp_id = $1 and id = $2"),
        id.uuid(),
    )?;
    Ok(agent.map(|agent| (AgentScope::new(tx.msp(), agent.customer_id, agent.id), agent)))
}

/// What an agent says of itself in a check-in, as far as it is kept in columns.
#[derive(Debug)]
pub struct Report<'a> {
    pub hostname: &'a str,
    pub os: &'a str,
    pub version: &'a str,
    pub platform: Option<&'a str>,
    pub applied_version: i64,
    pub clock_skew_ms: i64,
    pub queued: i64,
    pub dc_host: Option<&'a str>,
    pub transport: Option<&'a str>,
    pub reason_code: Option<&'a str>,
    pub reason_detail: Option<&'a str>,
    pub reason_since: Option<DateTime<Utc>>,
    pub whole: Value,
}

/// A desired state is on its way to its agent: from now on nobody knows whether the agent has read it yet.
pub async fn record_handed(tx: &mut WriteTx, scope: &AgentScope, version: i64, now: DateTime<Utc>) -> Result<()> {
    execute!(
        tx,
        "update agents
         set handed_version = $3, handed_at = $4
         where msp_id = $1 and id = $2 and handed_version < $3",
        scope.agent().uuid(),
        version,
        now,
    )?
    .count();
    Ok(())
}

/// A cycle proves which instructions its agent had: orders in them are seen, whether or not a check-in said so yet.
/// Nobody has seen instructions that were never given.
pub async fn record_obeyed(tx: &mut WriteTx, scope: &AgentScope, version: i64) -> Result<()> {
    execute!(
        tx,
        "update agents
         set applied_version = case when $3 < desired_version then $3 else desired_version end
         where msp_id = $1 and id = $2 and applied_version < $3",
        scope.agent().uuid(),
        version,
    )?
    .count();
    Ok(())
}

pub async fn record_checkin(
    tx: &mut WriteTx,
    scope: &AgentScope,
    report: Report<'_>,
    now: DateTime<Utc>,
) -> Result<()> {
    execute!(
        tx,
        "update agents
         set hostname = $3, os = $4, version = $5, applied_version = $6, clock_skew_ms = $7, queued = $8,
             dc_host = coalesce($9, dc_host), transport = coalesce($10, transport),
             reason_code = $11, reason_detail = $12, reason_since = $13, report = $14,
             last_seen_at = $15, checkins = checkins + 1, platform = $16
         where msp_id = $1 and id = $2",
        scope.agent().uuid(),
        report.hostname,
        report.os,
        report.version,
        report.applied_version,
        report.clock_skew_ms,
        report.queued,
        report.dc_host,
        report.transport,
        report.reason_code,
        report.reason_detail,
        report.reason_since.map(|since| since.trunc_subsecs(6)),
        Json(report.whole),
        now,
        report.platform,
    )?
    .exactly(1)
}

/// Where a chain stands: what the next batch must say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    pub epoch: i64,
    pub next_seq: i64,
    pub prev: [u8; 32],
}

/// Moves the chain on by one. The old place is part of the condition: two batches at once cannot both be the next.
pub async fn advance(
    tx: &mut WriteTx,
    scope: &AgentScope,
    from: Head,
    jws: [u8; 32],
    now: DateTime<Utc>,
) -> Result<bool> {
    let changed = execute!(
        tx,
        "update agents
         set next_seq = next_seq + 1, head = $5, last_seen_at = $6
         where msp_id = $1 and id = $2 and epoch = $3 and next_seq = $4 and head = $7
             and state in ('active', 'standby')",
        scope.agent().uuid(),
        from.epoch,
        from.next_seq,
        jws.as_slice(),
        now,
        from.prev.as_slice(),
    )?;
    Ok(changed.any())
}

/// Ends the present epoch; answers the number of the new one. It is above every epoch the agent knows of: after a restore
/// of this database the agent may know a newer one.
pub async fn begin_epoch(tx: &mut WriteTx, scope: &AgentScope, start: [u8; 32], known: i64) -> Result<i64> {
    let (epoch,): (i64,) = fetch_one!(
        tx,
        (i64,),
        "update agents
         set epoch = case when epoch < $4 then $4 else epoch end + 1, epoch_start = $3, next_seq = 1, head = $3
         where msp_id = $1 and id = $2
         returning epoch",
        scope.agent().uuid(),
        start.as_slice(),
        known,
    )?;
    Ok(epoch)
}

/// Wakes the agent's parked check-in, too. What is revoked stays so, whoever asks: that is an error here.
pub async fn set_state(tx: &mut WriteTx, scope: &AgentScope, state: AgentState, now: DateTime<Utc>) -> Result<()> {
    let quarantined = (state == AgentState::Quarantined).then_some(now);
    let revoked = (state == AgentState::Revoked).then_some(now);
    execute!(
        tx,
        "update agents
         set state = $3, quarantined_at = $4, revoked_at = $5
         where msp_id = $1 and id = $2 and state <> 'revoked'",
        scope.agent().uuid(),
        state.as_str(),
        quarantined,
        revoked,
    )?
    .exactly(1)?;
    tell(tx, Topic::Agent, scope.customer().customer(), scope.agent());
    tell(tx, Topic::Desired, scope.customer().customer(), scope.agent());
    Ok(())
}

pub async fn join_directory(tx: &mut WriteTx, scope: &AgentScope, directory: DirectoryId) -> Result<()> {
    execute!(
        tx,
        "update agents set directory_id = $3 where msp_id = $1 and id = $2",
        scope.agent().uuid(),
        directory.uuid(),
    )?
    .exactly(1)
}

fn tell(tx: &mut WriteTx, topic: Topic, customer: CustomerId, agent: AgentId) {
    let event = Event::of(tx.msp(), topic).customer(customer).agent(agent);
    tx.tell(event);
}

/// Gives this agent's desired state a new number, and wakes its long poll once that is committed.
pub async fn renew_desired(tx: &mut WriteTx, scope: &AgentScope) -> Result<()> {
    execute!(
        tx,
        "update agents set desired_version = desired_version + 1 where msp_id = $1 and id = $2",
        scope.agent().uuid(),
    )?
    .exactly(1)?;
    tell(tx, Topic::Desired, scope.customer().customer(), scope.agent());
    Ok(())
}

/// An agent that already knows a higher number than the cloud (whose database was restored) would obey nothing until the
/// number had caught up: continue from the agent's.
pub async fn continue_desired_from(tx: &mut WriteTx, scope: &AgentScope, known: i64) -> Result<()> {
    execute!(
        tx,
        "update agents set desired_version = $3 where msp_id = $1 and id = $2 and desired_version < $3",
        scope.agent().uuid(),
        known,
    )?
    .exactly(1)?;
    renew_desired(tx, scope).await
}

/// The same for every agent of a customer.
pub async fn renew_desired_of_customer(tx: &mut WriteTx, customer: &CustomerScope) -> Result<()> {
    lock_all(tx, customer).await?;
    let agents: Vec<(Uuid,)> = fetch_all!(
        tx,
        (Uuid,),
        "update agents
         set desired_version = desired_version + 1
         where msp_id = $1 and customer_id = $2 and state <> 'revoked'
         returning id",
        customer.customer().uuid(),
    )?;
    for (agent,) in agents {
        tell(tx, Topic::Desired, customer.customer(), agent.into());
    }
    Ok(())
}

/// The same for every agent of the tenant.
pub async fn renew_desired_of_msp(tx: &mut WriteTx, _whole: &MspScope) -> Result<()> {
    hold!(tx, "select id from agents where msp_id = $1 order by id")?;
    let agents: Vec<(Uuid, Uuid)> = fetch_all!(
        tx,
        (Uuid, Uuid),
        "update agents
         set desired_version = desired_version + 1
         where msp_id = $1 and state <> 'revoked'
         returning id, customer_id"
    )?;
    for (agent, customer) in agents {
        tell(tx, Topic::Desired, customer.into(), agent.into());
    }
    Ok(())
}
