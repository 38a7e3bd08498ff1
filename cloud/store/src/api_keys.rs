//! API keys: made by an operator, found by their hash, each with a role and all customers or one.

use chrono::{DateTime, TimeDelta, Utc};
use rollcall_domain::{
    ids::{ApiKeyId, CustomerId, MspId},
    role::{Reach, Role},
};
use uuid::Uuid;

use crate::{
    Db, MspScope, Result, Scope, Tx, WriteTx,
    error::forgive,
    keyring::{self, KeyKind, SecretHash},
};

/// The time of the last use is kept only this exactly, so that reading is not a write.
const USED_EVERY: TimeDelta = TimeDelta::minutes(1);

#[derive(Debug, Clone, sqlx::FromRow)]
pub struct ApiKey {
    #[sqlx(try_from = "Uuid")]
    pub id: ApiKeyId,
    pub name: String,
    /// The first letters of the key, by which people tell keys apart.
    pub prefix: String,
    #[sqlx(try_from = "String")]
    pub role: Role,
    pub customer_id: Option<Uuid>,
    pub created_by: String,
    pub created_at: DateTime<Utc>,
    pub expires_at: Option<DateTime<Utc>>,
    pub last_used_at: Option<DateTime<Utc>>,
    pub revoked_at: Option<DateTime<Utc>>,
}

impl ApiKey {
    pub fn works(&self, now: DateTime<Utc>) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|end| now < end)
    }
}

macro_rules! columns {
    () => {
        "id, name, prefix, role, customer_id, created_by, created_at, expires_at, last_used_at, revoked_at"
    };
}

#[derive(Debug)]
pub struct NewKey<'a> {
    pub id: ApiKeyId,
    pub hash: SecretHash,
    pub name: &'a str,
    pub prefix: &'a str,
    pub role: Role,
    pub customer: Option<CustomerId>,
    pub created_by: &'a str,
    pub created_at: DateTime<Utc>,
    pub expires_at: Option<DateTime<Utc>>,
}

pub async fn insert(tx: &mut WriteTx, _whole: &MspScope, key: NewKey<'_>) -> Result<()> {
    execute!(
        tx,
        "insert into api_keys
             (msp_id, id, name, prefix, key_hash, role, customer_id, created_by, created_at, expires_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        key.id.uuid(),
        key.name.trim(),
        key.prefix,
        key.hash.as_bytes(),
        key.role.as_str(),
        key.customer.map(CustomerId::uuid),
        key.created_by,
        key.created_at,
        key.expires_at,
    )?
    .exactly(1)?;
    keyring::add(tx, KeyKind::ApiKey, key.hash, key.id.uuid(), key.expires_at).await
}

/// Newest first, ended ones too.
pub async fn list(tx: &mut Tx, _whole: &MspScope) -> Result<Vec<ApiKey>> {
    fetch_all!(
        tx,
        ApiKey,
        concat!("select ", columns!(), " from api_keys where msp_id = $1 order by id desc limit 500")
    )
}

/// False if there is no such key, or it was revoked before.
pub async fn revoke(tx: &mut WriteTx, _whole: &MspScope, id: ApiKeyId, now: DateTime<Utc>) -> Result<bool> {
    let changed = execute!(
        tx,
        "update api_keys set revoked_at = $3 where msp_id = $1 and id = $2 and revoked_at is null",
        id.uuid(),
        now,
    )?;
    execute!(tx, "delete from keyring where msp_id = $1 and subject = $2 and kind = 'api_key'", id.uuid())?.count();
    Ok(changed.any())
}

/// Whoever holds a working key, with the right to act for it.
#[derive(Debug, Clone)]
pub struct Holder {
    pub scope: MspScope,
    pub key: ApiKey,
}

/// Whoever looks a key up.
#[derive(Debug)]
struct Lookup(MspId);

crate::scope::seal!(Lookup);

impl Scope for Lookup {
    fn msp(&self) -> MspId {
        self.0
    }
}

pub async fn find_holder(db: &Db, hash: SecretHash, now: DateTime<Utc>) -> Result<Option<Holder>> {
    let Some(owner) = keyring::find_owner(db, KeyKind::ApiKey, hash, now).await? else { return Ok(None) };
    let mut tx = db.read(&Lookup(owner.msp)).await?;
    let key = fetch_optional!(
        tx,
        ApiKey,
        concat!("select ", columns!(), " from api_keys where msp_id = $1 and id = $2 and key_hash = $3"),
        owner.subject,
        hash.as_bytes(),
    )?;
    drop(tx);
    let Some(key) = key.filter(|key| key.works(now)) else { return Ok(None) };
    let reach = key.customer_id.map_or(Reach::All, |id| Reach::Chosen(vec![id.into()]));
    let holder = Holder { scope: MspScope::new(owner.msp, reach), key };
    if holder.key.last_used_at.is_none_or(|used| now - used > USED_EVERY) {
        forgive("an API key's last use", record_use(db, &holder, now).await);
    }
    Ok(Some(holder))
}

/// Where somebody else writes, the next use notes it.
async fn record_use(db: &Db, holder: &Holder, now: DateTime<Utc>) -> Result<()> {
    let Some(mut tx) = db.write_if_free(&holder.scope).await? else { return Ok(()) };
    execute!(tx, "update api_keys set last_used_at = $3 where msp_id = $1 and id = $2", holder.key.id.uuid(), now,)?
        .count();
    tx.commit().await
}
