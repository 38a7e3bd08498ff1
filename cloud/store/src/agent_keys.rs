//! The keys of agents. A scope comes out of here only when the caller's check of the signature has held.

use chrono::{DateTime, Utc};
use rollcall_domain::{
    agent::{AgentState, KeyState},
    ids::{AgentId, CustomerId, DirectoryId, MspId},
};
use uuid::Uuid;

use crate::{
    AgentScope, Db, Result, Scope, Tx, WriteTx,
    keyring::{self, KeyKind, SecretHash},
};

/// A key somebody claims to hold. Nothing can be done with it but to check a signature.
#[derive(Debug)]
pub struct UnprovenKey {
    msp: MspId,
    row: KeyRow,
}

#[derive(Debug, sqlx::FromRow)]
struct KeyRow {
    agent_id: Uuid,
    customer_id: Uuid,
    public_key: Vec<u8>,
    #[sqlx(try_from = "String")]
    state: KeyState,
    retired_at: Option<DateTime<Utc>>,
    reused_at: Option<DateTime<Utc>>,
    #[sqlx(try_from = "String")]
    agent_state: AgentState,
    directory_id: Option<Uuid>,
}

/// An agent whose signature held.
#[derive(Debug)]
pub struct Proven<T> {
    pub scope: AgentScope,
    pub agent_state: AgentState,
    pub key_state: KeyState,
    pub retired_at: Option<DateTime<Utc>>,
    /// When it was noted that it was used after that.
    pub reused_at: Option<DateTime<Utc>>,
    /// Once an agent has one, it keeps it.
    pub directory: Option<DirectoryId>,
    pub claims: T,
}

impl UnprovenKey {
    pub fn public_key(&self) -> &[u8] {
        &self.row.public_key
    }

    /// `check` verifies the signature with this key and reads what was signed.
    pub fn prove<T, E>(self, check: impl FnOnce(&Self) -> Result<T, E>) -> Result<Proven<T>, E> {
        let claims = check(&self)?;
        let scope = AgentScope::new(self.msp, self.row.customer_id.into(), self.row.agent_id.into());
        let KeyRow { state: key_state, agent_state, retired_at, reused_at, directory_id, .. } = self.row;
        let directory = directory_id.map(DirectoryId::from);
        Ok(Proven { scope, agent_state, key_state, retired_at, reused_at, directory, claims })
    }
}

/// Whoever looks a key up, until the signature is checked.
#[derive(Debug)]
struct KeyLookup(MspId);

crate::scope::seal!(KeyLookup);

impl Scope for KeyLookup {
    fn msp(&self) -> MspId {
        self.0
    }
}

pub async fn find(db: &Db, kid: SecretHash, now: DateTime<Utc>) -> Result<Option<UnprovenKey>> {
    let Some(owner) = keyring::find_owner(db, KeyKind::AgentKey, kid, now).await? else { return Ok(None) };
    let mut tx = db.read(&KeyLookup(owner.msp)).await?;
    let row = fetch_optional!(
        tx,
        KeyRow,
        "select k.agent_id, a.customer_id, k.public_key, k.state, k.retired_at, k.reused_at, a.state as agent_state,
                a.directory_id
         from agent_keys k
         join agents a on a.msp_id = k.msp_id and a.id = k.agent_id
         where k.msp_id = $1 and k.kid = $2",
        kid.as_bytes(),
    )?;
    Ok(row.map(|row| UnprovenKey { msp: owner.msp, row }))
}

#[derive(Debug)]
pub struct NewKey<'a> {
    pub kid: SecretHash,
    pub customer: CustomerId,
    pub agent: AgentId,
    pub public_key: &'a [u8],
    pub state: KeyState,
    pub created_at: DateTime<Utc>,
}

pub async fn insert(tx: &mut WriteTx, key: NewKey<'_>) -> Result<()> {
    execute!(
        tx,
        "insert into agent_keys (msp_id, kid, agent_id, alg, public_key, state, created_at)
         values ($1, $2, $3, 'EdDSA', $4, $5, $6)",
        key.kid.as_bytes(),
        key.agent.uuid(),
        key.public_key,
        key.state.as_str(),
        key.created_at,
    )?
    .exactly(1)?;
    keyring::add(tx, KeyKind::AgentKey, key.kid, key.agent.uuid(), None).await
}

/// How a key of this agent stands now. A rotation that was asked again brings a key that is known: it is no second key.
pub async fn find_state(tx: &mut Tx, scope: &AgentScope, kid: SecretHash) -> Result<Option<KeyState>> {
    let found: Option<(String,)> = fetch_optional!(
        tx,
        (String,),
        "select state from agent_keys where msp_id = $1 and agent_id = $2 and kid = $3",
        scope.agent().uuid(),
        kid.as_bytes(),
    )?;
    Ok(found.map(|(state,)| state.parse()).transpose()?)
}

/// Notes that a replaced key was used again. False if that was known: it is told once.
pub async fn note_reuse(tx: &mut WriteTx, scope: &AgentScope, kid: SecretHash, now: DateTime<Utc>) -> Result<bool> {
    let changed = execute!(
        tx,
        "update agent_keys
         set reused_at = $4
         where msp_id = $1 and agent_id = $2 and kid = $3 and state = 'retired' and reused_at is null",
        scope.agent().uuid(),
        kid.as_bytes(),
        now,
    )?;
    Ok(changed.any())
}

/// A newer introduction replaces those before it, but not the key that makes it: with that one it may be asked again.
pub async fn retire_pending(tx: &mut WriteTx, scope: &AgentScope, by: SecretHash, now: DateTime<Utc>) -> Result<()> {
    execute!(
        tx,
        "update agent_keys
         set state = 'retired', retired_at = $4
         where msp_id = $1 and agent_id = $2 and kid <> $3 and state = 'pending'",
        scope.agent().uuid(),
        by.as_bytes(),
        now,
    )?
    .count();
    Ok(())
}

/// The agent works with its new key: it becomes the key, and those before it retire. One that it has introduced since
/// stays as it is: the agent may not know yet that it was heard.
pub async fn promote(tx: &mut WriteTx, scope: &AgentScope, kid: SecretHash, now: DateTime<Utc>) -> Result<()> {
    execute!(
        tx,
        "update agent_keys
         set state = 'retired', retired_at = $4
         where msp_id = $1 and agent_id = $2 and kid <> $3 and (
             state = 'active'
             or (state = 'pending' and created_at < (
                 select mine.created_at
                 from agent_keys mine
                 where mine.msp_id = $1 and mine.kid = $3)))",
        scope.agent().uuid(),
        kid.as_bytes(),
        now,
    )?
    .count();
    execute!(
        tx,
        "update agent_keys set state = 'active' where msp_id = $1 and agent_id = $2 and kid = $3",
        scope.agent().uuid(),
        kid.as_bytes(),
    )?
    .exactly(1)
}

/// A key as people see it.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct ShownKey {
    pub kid: Vec<u8>,
    #[sqlx(try_from = "String")]
    pub state: KeyState,
    pub created_at: DateTime<Utc>,
}

pub async fn list(tx: &mut Tx, scope: &AgentScope) -> Result<Vec<ShownKey>> {
    fetch_all!(
        tx,
        ShownKey,
        "select kid, state, created_at from agent_keys where msp_id = $1 and agent_id = $2 order by created_at desc limit 20",
        scope.agent().uuid(),
    )
}
