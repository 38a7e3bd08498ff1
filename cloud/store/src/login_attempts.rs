//! Counts attempts to sign in, for all instances together: so many per name (or address) and hour, and no more.

use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::{Db, Result, keyring::SecretHash, tx::SystemTx};

/// The attempts of one clock hour are counted together.
pub const WINDOW: TimeDelta = TimeDelta::hours(1);

/// Whether an attempt may be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    Open,
    /// Too many; the count begins anew then.
    ClosedUntil(DateTime<Utc>),
}

/// Takes one of `limit` places of this hour. Each place is a row of its own whose key follows from its number, so that
/// attempts arriving together on several instances cannot take the same place, nor one too many.
pub async fn take_place(db: &Db, subject: SecretHash, limit: i64, now: DateTime<Utc>) -> Result<Gate> {
    let begin = now.duration_trunc(WINDOW).unwrap_or(now);
    let mut tx = db.system().await?;
    let (taken,): (i64,) = either!(&mut tx.inner, c => sqlx::query_as(
        "select count(*) from login_attempts where subject_hash = $1 and attempted_at >= $2",
    )
    .bind(subject.as_bytes())
    .bind(begin)
    .fetch_one(c))?;
    for place in taken..limit {
        let id = place_id(subject, begin, place);
        let changed = either!(&mut tx.inner, c => async {
            sqlx::query(
                "insert into login_attempts (id, subject_hash, attempted_at, outcome)
                 values ($1, $2, $3, 'tried')
                 on conflict (id) do nothing",
            )
            .bind(id)
            .bind(subject.as_bytes())
            .bind(now)
            .execute(c)
            .await
            .map(|done| done.rows_affected())
        })?;
        if changed == 1 {
            delete_before(&mut tx, now - WINDOW).await?;
            tx.commit().await?;
            return Ok(Gate::Open);
        }
    }
    Ok(Gate::ClosedUntil(begin + WINDOW))
}

/// After a success the name begins anew. Old hours go as well.
pub async fn forget(db: &Db, subject: SecretHash, now: DateTime<Utc>) -> Result<()> {
    let mut tx = db.system().await?;
    either!(&mut tx.inner, c => async {
        sqlx::query("delete from login_attempts where subject_hash = $1")
            .bind(subject.as_bytes())
            .execute(c)
            .await
            .map(|_| ())
    })?;
    delete_before(&mut tx, now - WINDOW).await?;
    tx.commit().await
}

/// What is over counts no more; subjects that nobody tries again would stay for ever.
async fn delete_before(tx: &mut SystemTx, time: DateTime<Utc>) -> Result<()> {
    either!(&mut tx.inner, c => async {
        sqlx::query("delete from login_attempts where attempted_at < $1").bind(time).execute(c).await.map(|_| ())
    })
}

fn place_id(subject: SecretHash, begin: DateTime<Utc>, place: i64) -> Uuid {
    let mut sha = Sha256::new();
    sha.update(subject.as_bytes());
    sha.update(begin.timestamp().to_be_bytes());
    sha.update(place.to_be_bytes());
    let digest = sha.finalize();
    let mut id = [0_u8; 16];
    id.copy_from_slice(&digest[..16]);
    Uuid::from_bytes(id)
}
