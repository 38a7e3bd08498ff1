//! Sign-ins of operators: begun after a proof, found by the hash of their secret, ended by time or by hand.

use chrono::{DateTime, TimeDelta, Utc};
use rollcall_domain::ids::OperatorId;
use uuid::Uuid;

use crate::{
    Db, Result, Tx, WriteTx,
    error::forgive,
    keyring::{self, KeyKind, SecretHash},
    operators::{self, Known},
};

/// Without a request for this long, a sign-in ends.
pub const IDLE: TimeDelta = TimeDelta::hours(12);
/// No sign-in lives longer than this.
pub const LONGEST: TimeDelta = TimeDelta::days(7);
/// The time of the last request is kept only this exactly, so that reading a page is not a write.
const SEEN_EVERY: TimeDelta = TimeDelta::minutes(1);

#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Session {
    pub id_hash: Vec<u8>,
    #[sqlx(try_from = "Uuid")]
    pub operator_id: OperatorId,
    pub created_at: DateTime<Utc>,
    pub seen_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    pub ip: Option<String>,
    pub user_agent: Option<String>,
}

#[derive(Debug)]
pub struct NewSession<'a> {
    pub hash: SecretHash,
    pub operator: OperatorId,
    pub ip: Option<&'a str>,
    pub user_agent: Option<&'a str>,
    pub now: DateTime<Utc>,
}

pub async fn insert(tx: &mut WriteTx, session: NewSession<'_>) -> Result<()> {
    execute!(
        tx,
        "insert into sessions (msp_id, id_hash, operator_id, created_at, seen_at, expires_at, ip, user_agent)
         values ($1, $2, $3, $4, $4, $5, $6, $7)",
        session.hash.as_bytes(),
        session.operator.uuid(),
        session.now,
        session.now + IDLE,
        session.ip,
        session.user_agent,
    )?
    .exactly(1)?;
    keyring::add(tx, KeyKind::Session, session.hash, session.operator.uuid(), Some(session.now + LONGEST)).await
}

/// The operator behind a sign-in, if it still holds.
pub async fn find(db: &Db, hash: SecretHash, now: DateTime<Utc>) -> Result<Option<(Known, Session)>> {
    let Some(owner) = keyring::find_owner(db, KeyKind::Session, hash, now).await? else { return Ok(None) };
    let Some(claimed) = operators::find_claimed(db, owner.msp, owner.subject.into()).await? else { return Ok(None) };
    let Ok(known) = claimed.prove(|_| Ok::<_, std::convert::Infallible>(()));
    let mut tx = db.read(&known.scope).await?;
    let session = fetch_optional!(
        tx,
        Session,
        "select id_hash, operator_id, created_at, seen_at, expires_at, ip, user_agent
         from sessions
         where msp_id = $1 and id_hash = $2 and operator_id = $3 and expires_at > $4",
        hash.as_bytes(),
        known.operator.id.uuid(),
        now,
    )?;
    drop(tx);
    let Some(session) = session else { return Ok(None) };
    if now - session.seen_at > SEEN_EVERY {
        forgive("a session's last use", record_seen(db, &known, hash, &session, now).await);
    }
    Ok(Some((known, session)))
}

/// Where somebody else writes, the next look notes it.
async fn record_seen(db: &Db, known: &Known, hash: SecretHash, session: &Session, now: DateTime<Utc>) -> Result<()> {
    let Some(mut tx) = db.write_if_free(&known.scope).await? else { return Ok(()) };
    execute!(
        tx,
        "update sessions set seen_at = $3, expires_at = $4 where msp_id = $1 and id_hash = $2",
        hash.as_bytes(),
        now,
        (now + IDLE).min(session.created_at + LONGEST),
    )?
    .count();
    tx.commit().await
}

/// Those of one operator that still hold, newest first.
pub async fn list(tx: &mut Tx, operator: OperatorId, now: DateTime<Utc>) -> Result<Vec<Session>> {
    fetch_all!(
        tx,
        Session,
        "select id_hash, operator_id, created_at, seen_at, expires_at, ip, user_agent
         from sessions
         where msp_id = $1 and operator_id = $2 and expires_at > $3
         order by seen_at desc
         limit 50",
        operator.uuid(),
        now,
    )
}

/// False if it is not one of this operator's.
pub async fn end(tx: &mut WriteTx, operator: OperatorId, hash: SecretHash) -> Result<bool> {
    let changed = execute!(
        tx,
        "delete from sessions where msp_id = $1 and id_hash = $2 and operator_id = $3",
        hash.as_bytes(),
        operator.uuid(),
    )?;
    if changed.any() {
        keyring::remove(tx, KeyKind::Session, hash).await?.count();
    }
    Ok(changed.any())
}

/// All of one operator: after a new password, or when they are disabled.
pub async fn end_all(tx: &mut WriteTx, operator: OperatorId) -> Result<()> {
    execute!(tx, "delete from keyring where msp_id = $1 and subject = $2 and kind = 'session'", operator.uuid(),)?
        .count();
    execute!(tx, "delete from sessions where msp_id = $1 and operator_id = $2", operator.uuid())?.count();
    Ok(())
}
