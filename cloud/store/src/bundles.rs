//! Support bundles exactly as the agents sent them, for a week.

use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};
use rollcall_domain::ids::{AgentId, BundleId, CommandId};
use uuid::Uuid;

use crate::{AgentScope, Result, Tx, WriteTx};

/// Long enough to be looked at, short enough not to lie about.
pub const LIFE: TimeDelta = TimeDelta::days(7);
/// Bundles kept for one agent; an older one makes room.
const KEPT: i64 = 5;

#[derive(Debug)]
pub struct NewBundle<'a> {
    pub id: BundleId,
    pub command: CommandId,
    pub sha256: [u8; 32],
    pub jws: &'a str,
    pub body: &'a [u8],
    pub received_at: DateTime<Utc>,
}

/// A bundle without its bytes.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Bundle {
    #[sqlx(try_from = "Uuid")]
    pub id: BundleId,
    #[sqlx(try_from = "Uuid")]
    pub agent_id: AgentId,
    pub received_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    pub size: i64,
    pub sha256: Vec<u8>,
}

/// Throws away what has expired at this tenant.
pub async fn delete_expired(tx: &mut WriteTx, now: DateTime<Utc>) -> Result<()> {
    execute!(tx, "delete from bundles where msp_id = $1 and expires_at <= $2", now)?.count();
    Ok(())
}

/// Rows of this tenant, expired or not.
#[cfg(any(test, feature = "testing"))]
pub async fn count(tx: &mut Tx) -> Result<i64> {
    let (count,): (i64,) = fetch_one!(tx, (i64,), "select count(*) from bundles where msp_id = $1")?;
    Ok(count)
}

/// Stores one, and throws away what is too much for this agent. Answers when it expires; whoever stores it sees to that.
pub async fn insert(tx: &mut WriteTx, scope: &AgentScope, bundle: NewBundle<'_>) -> Result<DateTime<Utc>> {
    let received_at = bundle.received_at.trunc_subsecs(6);
    execute!(
        tx,
        "insert into bundles (msp_id, id, agent_id, command_id, received_at, expires_at, size, sha256, jws, body)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        bundle.id.uuid(),
        scope.agent().uuid(),
        bundle.command.uuid(),
        received_at,
        received_at + LIFE,
        i64::try_from(bundle.body.len()).unwrap_or(i64::MAX),
        bundle.sha256.as_slice(),
        bundle.jws,
        bundle.body,
    )?
    .exactly(1)?;
    execute!(
        tx,
        "delete from bundles
         where msp_id = $1 and agent_id = $2 and id not in (
             select id from bundles where msp_id = $1 and agent_id = $2 order by id desc limit $3)",
        scope.agent().uuid(),
        KEPT,
    )?
    .count();
    Ok(received_at + LIFE)
}

/// The bundle that answers an order, if it is there: an agent that did not hear the receipt sends it again.
pub async fn find_by_command(tx: &mut Tx, scope: &AgentScope, command: CommandId) -> Result<Option<BundleId>> {
    let row: Option<(Uuid,)> = fetch_optional!(
        tx,
        (Uuid,),
        "select id from bundles where msp_id = $1 and agent_id = $2 and command_id = $3",
        scope.agent().uuid(),
        command.uuid(),
    )?;
    Ok(row.map(|(id,)| id.into()))
}

/// Newest first.
pub async fn list(tx: &mut Tx, scope: &AgentScope, now: DateTime<Utc>) -> Result<Vec<Bundle>> {
    fetch_all!(
        tx,
        Bundle,
        "select id, agent_id, received_at, expires_at, size, sha256
         from bundles
         where msp_id = $1 and agent_id = $2 and expires_at > $3
         order by id desc
         limit 20",
        scope.agent().uuid(),
        now,
    )
}

/// The bytes of a bundle of this agent that has not expired.
pub async fn find_body(tx: &mut Tx, scope: &AgentScope, id: BundleId, now: DateTime<Utc>) -> Result<Option<Vec<u8>>> {
    let row: Option<(Vec<u8>,)> = fetch_optional!(
        tx,
        (Vec<u8>,),
        "select body from bundles where msp_id = $1 and agent_id = $2 and id = $3 and expires_at > $4",
        scope.agent().uuid(),
        id.uuid(),
        now,
    )?;
    Ok(row.map(|(body,)| body))
}
