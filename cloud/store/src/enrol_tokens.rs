//! One-time enrolment tokens: made by an operator, used up in the transaction that creates the agent.

use chrono::{DateTime, Utc};
use rollcall_domain::ids::{AgentId, EnrolTokenId, MspId};
use uuid::Uuid;

use crate::{
    AgentScope, CustomerScope, Db, Result, Scope, Tx, WriteTx,
    keyring::{self, KeyKind, SecretHash},
};

#[derive(Debug, Clone, sqlx::FromRow)]
pub struct EnrolToken {
    #[sqlx(try_from = "Uuid")]
    pub id: EnrolTokenId,
    pub created_by: String,
    pub created_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    pub used_at: Option<DateTime<Utc>>,
    pub agent_id: Option<Uuid>,
    pub revoked_at: Option<DateTime<Utc>>,
}

#[derive(Debug)]
pub struct NewToken<'a> {
    pub id: EnrolTokenId,
    pub hash: SecretHash,
    pub created_by: &'a str,
    pub created_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
}

pub async fn insert(tx: &mut WriteTx, customer: &CustomerScope, token: NewToken<'_>) -> Result<()> {
    execute!(
        tx,
        "insert into enrol_tokens (msp_id, id, customer_id, token_hash, created_by, created_at, expires_at)
         values ($1, $2, $3, $4, $5, $6, $7)",
        token.id.uuid(),
        customer.customer().uuid(),
        token.hash.as_bytes(),
        token.created_by,
        token.created_at,
        token.expires_at,
    )?
    .exactly(1)?;
    // No expiry here: a late token must still be answered with "expired" and not with "unknown".
    keyring::add(tx, KeyKind::EnrolToken, token.hash, token.id.uuid(), None).await
}

/// Newest first.
pub async fn list(tx: &mut Tx, customer: &CustomerScope, limit: i64) -> Result<Vec<EnrolToken>> {
    fetch_all!(
        tx,
        EnrolToken,
        "select id, created_by, created_at, expires_at, used_at, agent_id, revoked_at
         from enrol_tokens
         where msp_id = $1 and customer_id = $2
         order by id desc
         limit $3",
        customer.customer().uuid(),
        limit,
    )
}

/// False if it was used, revoked, or is not this customer's.
pub async fn revoke(tx: &mut WriteTx, customer: &CustomerScope, id: EnrolTokenId, now: DateTime<Utc>) -> Result<bool> {
    let changed = execute!(
        tx,
        "update enrol_tokens
         set revoked_at = $4
         where msp_id = $1 and customer_id = $2 and id = $3 and used_at is null and revoked_at is null",
        customer.customer().uuid(),
        id.uuid(),
        now,
    )?;
    Ok(changed.any())
}

/// Whoever holds an issued token, for the length of one enrolment.
#[derive(Debug, Clone, Copy)]
pub struct TokenHolder {
    msp: MspId,
    token: EnrolTokenId,
}

crate::scope::seal!(TokenHolder);

impl Scope for TokenHolder {
    fn msp(&self) -> MspId {
        self.msp
    }
}

pub async fn find_holder(db: &Db, hash: SecretHash, now: DateTime<Utc>) -> Result<Option<TokenHolder>> {
    let owner = keyring::find_owner(db, KeyKind::EnrolToken, hash, now).await?;
    Ok(owner.map(|owner| TokenHolder { msp: owner.msp, token: owner.subject.into() }))
}

impl TokenHolder {
    pub const fn token(&self) -> EnrolTokenId {
        self.token
    }
}

/// How a token stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It could be used now. Nothing is promised: somebody else may be faster.
    Open,
    Expired,
    Used,
    Revoked,
}

/// Of which customer the token is, and how it stands.
pub async fn get_standing(tx: &mut Tx, holder: TokenHolder, now: DateTime<Utc>) -> Result<(CustomerScope, Standing)> {
    let (customer, expires_at, used_at, revoked_at): Dates = fetch_one!(
        tx,
        Dates,
        "select customer_id, expires_at, used_at, revoked_at from enrol_tokens where msp_id = $1 and id = $2",
        holder.token.uuid(),
    )?;
    let standing = match (used_at, revoked_at) {
        (Some(_), _) => Standing::Used,
        (None, Some(_)) => Standing::Revoked,
        (None, None) if expires_at <= now => Standing::Expired,
        (None, None) => Standing::Open,
    };
    Ok((CustomerScope::new(holder.msp, customer.into()), standing))
}

/// Customer, end of life, and when it was used or revoked.
type Dates = (Uuid, DateTime<Utc>, Option<DateTime<Utc>>, Option<DateTime<Utc>>);

/// What is told of a token beside its use. Each kind is counted apart: a script that fetches often leaves room for the line
/// about a thief.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trace {
    Fetch,
    Refusal,
}

/// Lines of the audit log about one token, of each kind.
const TRACES: i64 = 20;

/// Whether one more line may be written about this token.
pub async fn count_trace(tx: &mut WriteTx, holder: TokenHolder, trace: Trace) -> Result<bool> {
    let sql = match trace {
        Trace::Fetch => "update enrol_tokens set traces = traces + 1 where msp_id = $1 and id = $2 and traces < $3",
        Trace::Refusal => {
            "update enrol_tokens set refusals = refusals + 1 where msp_id = $1 and id = $2 and refusals < $3"
        }
    };
    Ok(execute!(tx, sql, holder.token.uuid(), TRACES)?.any())
}

/// What came of the attempt to use a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// Used up, by this transaction alone, for an agent of this customer.
    Granted(CustomerScope),
    Expired,
    /// By this agent.
    AlreadyUsed(Option<AgentScope>),
    Revoked,
}

/// Customer, agent, and how the token ended.
type Ended = (Uuid, Option<Uuid>, Option<DateTime<Utc>>, Option<DateTime<Utc>>);

/// The conditional update decides the race: of two who come at once, one changes the row.
pub async fn use_up(tx: &mut WriteTx, holder: TokenHolder, agent: AgentId, now: DateTime<Utc>) -> Result<Use> {
    let granted: Option<(Uuid,)> = fetch_optional!(
        tx,
        (Uuid,),
        "update enrol_tokens
         set used_at = $3, agent_id = $4
         where msp_id = $1 and id = $2 and used_at is null and revoked_at is null and expires_at > $3
         returning customer_id",
        holder.token.uuid(),
        now,
        agent.uuid(),
    )?;
    if let Some((customer,)) = granted {
        return Ok(Use::Granted(CustomerScope::new(holder.msp, customer.into())));
    }
    let (customer, agent, used_at, revoked_at): Ended = fetch_one!(
        tx,
        Ended,
        "select customer_id, agent_id, used_at, revoked_at from enrol_tokens where msp_id = $1 and id = $2",
        holder.token.uuid(),
    )?;
    let by = agent.map(|agent| AgentScope::new(holder.msp, customer.into(), agent.into()));
    Ok(match (used_at, revoked_at) {
        (Some(_), _) => Use::AlreadyUsed(by),
        (None, Some(_)) => Use::Revoked,
        (None, None) => Use::Expired,
    })
}
