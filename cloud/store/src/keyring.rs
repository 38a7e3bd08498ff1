//! Resolves a presented secret to its tenant: the one place where a tenant is found without knowing it.

use chrono::{DateTime, Utc};
use rollcall_domain::ids::MspId;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::{Db, Result, WriteTx, error::Changed};

/// SHA-256 of a secret. Secrets are random and long, so a plain hash is enough; only this is ever stored.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SecretHash([u8; 32]);

impl SecretHash {
    pub fn of(secret: &[u8]) -> Self {
        Self(Sha256::digest(secret).into())
    }

    /// For values that already are a SHA-256, such as the name of a key.
    pub const fn from_digest(digest: [u8; 32]) -> Self {
        Self(digest)
    }

    pub const fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretHash(…)")
    }
}

/// What kind of secret it is. A secret of one kind opens nothing of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    Session,
    ApiKey,
    SigninLink,
    /// Hash of an operator's mail address: no secret, but the same question. One address may serve several MSPs.
    SigninName,
    EnrolToken,
    AgentKey,
    /// Hash of a tenant's name: no secret, but so that none is founded twice by mistake.
    MspName,
}

impl KeyKind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::ApiKey => "api_key",
            Self::SigninLink => "signin_link",
            Self::SigninName => "signin_name",
            Self::EnrolToken => "enrol_token",
            Self::AgentKey => "agent_key",
            Self::MspName => "msp_name",
        }
    }
}

/// Whose secret it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) msp: MspId,
    pub(crate) subject: Uuid,
}

/// Everybody it belongs to; more than one only for sign-in names.
pub(crate) async fn list_owners(db: &Db, kind: KeyKind, hash: SecretHash, now: DateTime<Utc>) -> Result<Vec<Owner>> {
    let mut tx = db.system_read().await?;
    let rows: Vec<(Uuid, Uuid)> = either!(&mut tx.inner, c => sqlx::query_as(
        "select msp_id, subject
         from keyring
         where key_hash = $1 and kind = $2 and (expires_at is null or expires_at > $3)
         limit 20",
    )
    .bind(hash.as_bytes())
    .bind(kind.as_str())
    .bind(now)
    .fetch_all(c))?;
    Ok(rows.into_iter().map(|(msp, subject)| Owner { msp: msp.into(), subject }).collect())
}

pub(crate) async fn find_owner(db: &Db, kind: KeyKind, hash: SecretHash, now: DateTime<Utc>) -> Result<Option<Owner>> {
    Ok(list_owners(db, kind, hash, now).await?.into_iter().next())
}

pub(crate) async fn add(
    tx: &mut WriteTx,
    kind: KeyKind,
    hash: SecretHash,
    subject: Uuid,
    expires_at: Option<DateTime<Utc>>,
) -> Result<()> {
    execute!(
        tx,
        "insert into keyring (msp_id, key_hash, kind, subject, expires_at)
         values ($1, $2, $3, $4, $5)",
        hash.as_bytes(),
        kind.as_str(),
        subject,
        expires_at,
    )?
    .exactly(1)
}

pub(crate) async fn remove(tx: &mut WriteTx, kind: KeyKind, hash: SecretHash) -> Result<Changed> {
    execute!(
        tx,
        "delete from keyring where msp_id = $1 and key_hash = $2 and kind = $3",
        hash.as_bytes(),
        kind.as_str()
    )
}
