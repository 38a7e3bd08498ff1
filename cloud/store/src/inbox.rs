//! Batches exactly as they came: proof, and the work of apply.

use chrono::{DateTime, Utc};
use rollcall_domain::ids::RunId;
use uuid::Uuid;

use crate::{AgentScope, Result, StoreError, Tx, WriteTx, error::Changed};

#[derive(Debug)]
pub struct NewBatch<'a> {
    pub epoch: i64,
    pub seq: i64,
    pub cycle: Uuid,
    pub part: i64,
    pub parts: i64,
    pub jws_hash: [u8; 32],
    pub jws: &'a str,
    pub body: &'a [u8],
    pub received_at: DateTime<Utc>,
}

pub async fn insert(tx: &mut WriteTx, scope: &AgentScope, batch: NewBatch<'_>) -> Result<()> {
    execute!(
        tx,
        "insert into inbox (msp_id, agent_id, epoch, seq, cycle, part, parts, jws_hash, jws, body, received_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        scope.agent().uuid(),
        batch.epoch,
        batch.seq,
        batch.cycle,
        batch.part,
        batch.parts,
        batch.jws_hash.as_slice(),
        batch.jws,
        batch.body,
        batch.received_at,
    )?
    .exactly(1)
}

/// What of an agent waits to be applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
pub struct Waiting {
    /// Parts of other cycles than the one that is being sent, and their bytes.
    pub parts: i64,
    pub bytes: i64,
    /// The same of that one. It is applied when it is whole, so its parts never wait for each other.
    pub own_parts: i64,
    pub own_bytes: i64,
}

pub async fn count_waiting(tx: &mut Tx, scope: &AgentScope, sending: Uuid) -> Result<Waiting> {
    fetch_one!(
        tx,
        Waiting,
        "select cast(coalesce(sum(case when cycle <> $3 then 1 else 0 end), 0) as bigint) as parts,
             cast(coalesce(sum(case when cycle <> $3 then length(body) else 0 end), 0) as bigint) as bytes,
             cast(coalesce(sum(case when cycle = $3 then 1 else 0 end), 0) as bigint) as own_parts,
             cast(coalesce(sum(case when cycle = $3 then length(body) else 0 end), 0) as bigint) as own_bytes
         from inbox
         where msp_id = $1 and agent_id = $2 and applied_at is null",
        scope.agent().uuid(),
        sending,
    )
}

/// The hash of the batch at this place, if one is stored.
pub async fn find_hash(tx: &mut Tx, scope: &AgentScope, epoch: i64, seq: i64) -> Result<Option<[u8; 32]>> {
    let row: Option<(Vec<u8>,)> = fetch_optional!(
        tx,
        (Vec<u8>,),
        "select jws_hash from inbox where msp_id = $1 and agent_id = $2 and epoch = $3 and seq = $4",
        scope.agent().uuid(),
        epoch,
        seq,
    )?;
    row.map(|(hash,)| hash.try_into().map_err(|_| StoreError::Unreadable("hash of a batch".into()))).transpose()
}

/// Which part of which cycle a batch is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
pub struct Part {
    pub cycle: Uuid,
    pub part: i64,
    pub parts: i64,
}

/// What the batch at this place is, if one is stored.
pub async fn find_part(tx: &mut Tx, scope: &AgentScope, epoch: i64, seq: i64) -> Result<Option<Part>> {
    fetch_optional!(
        tx,
        Part,
        "select cycle, part, parts from inbox where msp_id = $1 and agent_id = $2 and epoch = $3 and seq = $4",
        scope.agent().uuid(),
        epoch,
        seq,
    )
}

/// A batch without its body.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Envelope {
    pub epoch: i64,
    pub seq: i64,
    pub cycle: Uuid,
    pub part: i64,
    pub parts: i64,
    pub jws: String,
    pub received_at: DateTime<Utc>,
}

/// The first `most` batches of the oldest cycle that waits to be applied, in order. Perhaps not all of its parts are there
/// yet.
pub async fn list_next_cycle(tx: &mut Tx, scope: &AgentScope, most: i64) -> Result<Vec<Envelope>> {
    fetch_all!(
        tx,
        Envelope,
        "select epoch, seq, cycle, part, parts, jws, received_at
         from inbox
         where msp_id = $1 and agent_id = $2 and applied_at is null and cycle = (
             select cycle
             from inbox
             where msp_id = $1 and agent_id = $2 and applied_at is null
             order by epoch, seq
             limit 1)
         order by epoch, seq
         limit $3",
        scope.agent().uuid(),
        most,
    )
}

/// Whether a batch of another cycle stands behind this one: then its own cycle gets no further part.
pub async fn is_followed(tx: &mut Tx, scope: &AgentScope, batch: &Envelope) -> Result<bool> {
    let (count,): (i64,) = fetch_one!(
        tx,
        (i64,),
        "select count(*)
         from inbox
         where msp_id = $1 and agent_id = $2 and epoch = $3 and seq > $4 and cycle <> $5",
        scope.agent().uuid(),
        batch.epoch,
        batch.seq,
        batch.cycle,
    )?;
    Ok(count > 0)
}

pub async fn get_body(tx: &mut Tx, scope: &AgentScope, epoch: i64, seq: i64) -> Result<Vec<u8>> {
    let (body,): (Vec<u8>,) = fetch_one!(
        tx,
        (Vec<u8>,),
        "select body from inbox where msp_id = $1 and agent_id = $2 and epoch = $3 and seq = $4",
        scope.agent().uuid(),
        epoch,
        seq,
    )?;
    Ok(body)
}

/// Ties every batch of a cycle to its run.
pub async fn mark_applied(
    tx: &mut WriteTx,
    scope: &AgentScope,
    cycle: Uuid,
    run: RunId,
    now: DateTime<Utc>,
) -> Result<Changed> {
    execute!(
        tx,
        "update inbox
         set applied_at = $4, run_id = $5
         where msp_id = $1 and agent_id = $2 and cycle = $3 and applied_at is null",
        scope.agent().uuid(),
        cycle,
        now,
        run.uuid(),
    )
}

/// Why this batch could not be applied; kept beside it for whoever looks.
pub async fn mark_poison(
    tx: &mut WriteTx,
    scope: &AgentScope,
    epoch: i64,
    seq: i64,
    code: &str,
    detail: &str,
) -> Result<()> {
    execute!(
        tx,
        "update inbox
         set poison_code = $5, poison_detail = $6
         where msp_id = $1 and agent_id = $2 and epoch = $3 and seq = $4",
        scope.agent().uuid(),
        epoch,
        seq,
        code,
        detail,
    )?
    .exactly(1)
}

/// Parts of a cycle that will never be whole, because its epoch ended: they are not waited for.
pub async fn abandon_epochs_before(
    tx: &mut WriteTx,
    scope: &AgentScope,
    epoch: i64,
    now: DateTime<Utc>,
) -> Result<u64> {
    let changed = execute!(
        tx,
        "update inbox
         set applied_at = $4, poison_code = 'RC-4010', poison_detail = 'the epoch ended before the cycle was whole'
         where msp_id = $1 and agent_id = $2 and epoch < $3 and applied_at is null
             and not exists (
                 select 1 from inbox last
                 where last.msp_id = inbox.msp_id and last.agent_id = inbox.agent_id and last.applied_at is null
                     and last.cycle = inbox.cycle and last.part = last.parts)",
        scope.agent().uuid(),
        epoch,
        now,
    )?;
    Ok(changed.count())
}
