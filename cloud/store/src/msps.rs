//! The tenants.

use chrono::{DateTime, Utc};
use rollcall_domain::{ids::MspId, pause::Pause, role::Reach};
use uuid::Uuid;

use crate::{
    Db, MspScope, Result, StoreError, Tx, WriteTx,
    keyring::{self, KeyKind, SecretHash},
};

#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Msp {
    #[sqlx(try_from = "Uuid", rename = "msp_id")]
    pub id: MspId,
    pub name: String,
    pub created_at: DateTime<Utc>,
    #[sqlx(flatten)]
    pub pause: PauseColumns,
}

/// The four columns of a pause, wherever one stands.
#[derive(Debug, Clone, Default, sqlx::FromRow)]
pub struct PauseColumns {
    pub paused_at: Option<DateTime<Utc>>,
    pub paused_until: Option<DateTime<Utc>>,
    pub paused_reason: Option<String>,
    pub paused_by: Option<String>,
}

impl PauseColumns {
    /// As set by a human; whether it still holds is the domain's answer.
    pub fn set(&self) -> Option<Pause> {
        Some(Pause {
            at: self.paused_at?,
            until: self.paused_until,
            reason: self.paused_reason.clone().unwrap_or_default(),
            by: self.paused_by.clone().unwrap_or_default(),
        })
    }
}

/// Begins a new tenant. Only `rollcall init` does this: it is the one scope that no secret stands behind.
pub async fn found(db: &Db, id: MspId, name: &str, now: DateTime<Utc>) -> Result<(MspScope, WriteTx)> {
    let hash = SecretHash::of(name.trim().to_lowercase().as_bytes());
    if keyring::find_owner(db, KeyKind::MspName, hash, now).await?.is_some() {
        return Err(StoreError::Taken);
    }
    let scope = MspScope::new(id, Reach::All);
    let mut tx = db.write(&scope).await?;
    keyring::add(&mut tx, KeyKind::MspName, hash, id.uuid(), None).await?;
    execute!(
        tx,
        "insert into msps (msp_id, name, created_at, audit_seq, audit_head)
         values ($1, $2, $3, 0, $4)",
        name,
        now,
        [0_u8; 32].as_slice(),
    )?
    .exactly(1)?;
    Ok((scope, tx))
}

pub async fn get(tx: &mut Tx) -> Result<Msp> {
    fetch_one!(
        tx,
        Msp,
        "select msp_id, name, created_at, paused_at, paused_until, paused_reason, paused_by
         from msps
         where msp_id = $1"
    )
}

/// Pauses everything of this tenant.
pub async fn set_pause(tx: &mut WriteTx, _whole: &MspScope, pause: &Pause) -> Result<()> {
    execute!(
        tx,
        "update msps
         set paused_at = $2, paused_until = $3, paused_reason = $4, paused_by = $5
         where msp_id = $1",
        pause.at,
        pause.until,
        pause.reason.as_str(),
        pause.by.as_str(),
    )?
    .exactly(1)
}

/// A pause that holds ends now. Like one that ended by itself it is kept: what is due is counted from its end.
pub async fn end_pause(tx: &mut WriteTx, _whole: &MspScope, now: DateTime<Utc>) -> Result<()> {
    execute!(
        tx,
        "update msps
         set paused_until = case when paused_at is null or paused_until <= $2 then paused_until else $2 end
         where msp_id = $1",
        now,
    )?
    .exactly(1)
}
