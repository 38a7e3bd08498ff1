//! Answers to requests that carried an Idempotency-Key, so that the same request is not carried out twice.

use chrono::{DateTime, TimeDelta, Utc};

use crate::{Db, MspScope, Result, WriteTx, keyring::SecretHash};

/// How long an answer is kept.
pub const KEPT: TimeDelta = TimeDelta::hours(24);
/// A request that has not ended after this long has died with its instance, and may be made again.
const LONGEST: TimeDelta = TimeDelta::minutes(2);

/// What is known of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Known {
    /// Nothing: the request may run. It must be finished or forgotten.
    New,
    /// The same request runs right now.
    Running,
    /// The key stands for another request.
    Other,
    /// The same request was answered; without a body when that held a secret.
    Answered { status: u16, body: Option<Vec<u8>> },
}

#[derive(sqlx::FromRow)]
struct Row {
    request_hash: Vec<u8>,
    begun_at: DateTime<Utc>,
    status: Option<i64>,
    body: Option<Vec<u8>>,
}

/// Takes the key for this request, if nobody has it.
pub async fn begin(db: &Db, msp: &MspScope, key: SecretHash, request: SecretHash, now: DateTime<Utc>) -> Result<Known> {
    let mut tx = db.write(msp).await?;
    execute!(
        tx,
        "delete from idempotency where msp_id = $1 and (begun_at < $2 or (status is null and begun_at < $3))",
        now - KEPT,
        now - LONGEST,
    )?
    .count();
    let taken = execute!(
        tx,
        "insert into idempotency (msp_id, key_hash, request_hash, begun_at)
         values ($1, $2, $3, $4)
         on conflict (msp_id, key_hash) do nothing",
        key.as_bytes(),
        request.as_bytes(),
        now,
    )?;
    let known = if taken.any() { Known::New } else { find(&mut tx, key, request).await? };
    tx.commit().await?;
    Ok(known)
}

async fn find(tx: &mut WriteTx, key: SecretHash, request: SecretHash) -> Result<Known> {
    let row: Option<Row> = fetch_optional!(
        tx,
        Row,
        "select request_hash, begun_at, status, body from idempotency where msp_id = $1 and key_hash = $2",
        key.as_bytes(),
    )?;
    let Some(row) = row else { return Ok(Known::Running) };
    if row.request_hash != request.as_bytes() {
        return Ok(Known::Other);
    }
    let status = row.status.and_then(|status| u16::try_from(status).ok());
    tracing::debug!(begun_at = %row.begun_at, "a request came again");
    Ok(status.map_or(Known::Running, |status| Known::Answered { status, body: row.body }))
}

/// Keeps the answer; without a body if it held a secret.
pub async fn finish(db: &Db, msp: &MspScope, key: SecretHash, status: u16, body: Option<&[u8]>) -> Result<()> {
    let mut tx = db.write(msp).await?;
    execute!(
        tx,
        "update idempotency set status = $3, body = $4 where msp_id = $1 and key_hash = $2",
        key.as_bytes(),
        i64::from(status),
        body,
    )?
    .count();
    tx.commit().await
}

/// After a failure of ours the same key may try again.
pub async fn forget(db: &Db, msp: &MspScope, key: SecretHash) -> Result<()> {
    let mut tx = db.write(msp).await?;
    execute!(tx, "delete from idempotency where msp_id = $1 and key_hash = $2", key.as_bytes())?.count();
    tx.commit().await
}
