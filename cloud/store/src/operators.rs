//! The operators of a tenant, and how one of them becomes known by name and password.

use chrono::{DateTime, Utc};
use rollcall_domain::{
    ids::{CustomerId, MspId, OperatorId},
    role::{Reach, Role},
};
use uuid::Uuid;

use crate::{
    Db, MspScope, Result, Scope, Tx, WriteTx,
    keyring::{self, KeyKind, SecretHash},
};

#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Operator {
    #[sqlx(try_from = "Uuid")]
    pub id: OperatorId,
    pub email: String,
    pub name: String,
    #[sqlx(try_from = "String")]
    pub role: Role,
    pub all_customers: bool,
    pub password_hash: Option<String>,
    pub created_at: DateTime<Utc>,
    pub disabled_at: Option<DateTime<Utc>>,
}

macro_rules! columns {
    () => {
        "id, email, name, role, all_customers, password_hash, created_at, disabled_at"
    };
}

#[derive(Debug)]
pub struct NewOperator<'a> {
    pub id: OperatorId,
    pub email: &'a str,
    pub name: &'a str,
    pub role: Role,
    pub reach: &'a Reach,
    pub created_at: DateTime<Utc>,
}

/// The name a person signs in with, as the keyring knows it: letter case and outer blanks do not count.
pub fn signin_name(email: &str) -> SecretHash {
    SecretHash::of(format!("signin\n{}", email.trim().to_lowercase()).as_bytes())
}

/// Without a password: a one-time link sets it. `StoreError::Taken` if the address is there already.
pub async fn insert(tx: &mut WriteTx, _whole: &MspScope, operator: NewOperator<'_>) -> Result<()> {
    execute!(
        tx,
        "insert into operators (msp_id, id, email, name, role, all_customers, created_at)
         values ($1, $2, $3, $4, $5, $6, $7)",
        operator.id.uuid(),
        operator.email.trim().to_lowercase(),
        operator.name.trim(),
        operator.role.as_str(),
        matches!(operator.reach, Reach::All),
        operator.created_at,
    )?
    .exactly(1)?;
    if let Reach::Chosen(customers) = operator.reach {
        for customer in customers {
            add_customer(tx, operator.id, *customer).await?;
        }
    }
    keyring::add(tx, KeyKind::SigninName, signin_name(operator.email), operator.id.uuid(), None).await
}

async fn add_customer(tx: &mut WriteTx, operator: OperatorId, customer: CustomerId) -> Result<()> {
    execute!(
        tx,
        "insert into operator_customers (msp_id, operator_id, customer_id) values ($1, $2, $3)",
        operator.uuid(),
        customer.uuid(),
    )?
    .exactly(1)
}

pub async fn list(tx: &mut Tx, _whole: &MspScope) -> Result<Vec<Operator>> {
    fetch_all!(
        tx,
        Operator,
        concat!("select ", columns!(), " from operators where msp_id = $1 order by name, id limit 1000")
    )
}

/// Addresses of those who can sign in, reach every customer and whose role is one of the wanted; each once.
pub async fn list_mails_of_whole_reach(tx: &mut Tx, is_wanted: impl Fn(Role) -> bool) -> Result<Vec<String>> {
    let rows: Vec<Operator> = fetch_all!(
        tx,
        Operator,
        concat!(
            "select ",
            columns!(),
            " from operators where msp_id = $1 and disabled_at is null and all_customers = true order by id limit 1000"
        )
    )?;
    let mut mails: Vec<String> =
        rows.into_iter().filter(|operator| is_wanted(operator.role)).map(|operator| operator.email).collect();
    mails.sort();
    mails.dedup();
    Ok(mails)
}

pub async fn find(tx: &mut Tx, _whole: &MspScope, id: OperatorId) -> Result<Option<Operator>> {
    find_row(tx, id).await
}

async fn find_row(tx: &mut Tx, id: OperatorId) -> Result<Option<Operator>> {
    fetch_optional!(
        tx,
        Operator,
        concat!("select ", columns!(), " from operators where msp_id = $1 and id = $2"),
        id.uuid(),
    )
}

async fn find_reach(tx: &mut Tx, operator: &Operator) -> Result<Reach> {
    if operator.all_customers {
        return Ok(Reach::All);
    }
    let chosen: Vec<(Uuid,)> = fetch_all!(
        tx,
        (Uuid,),
        "select customer_id from operator_customers where msp_id = $1 and operator_id = $2",
        operator.id.uuid(),
    )?;
    Ok(Reach::Chosen(chosen.into_iter().map(|(id,)| id.into()).collect()))
}

pub async fn set_password(tx: &mut WriteTx, operator: OperatorId, hash: &str, now: DateTime<Utc>) -> Result<()> {
    execute!(
        tx,
        "update operators
         set password_hash = $3, password_changed_at = $4
         where msp_id = $1 and id = $2 and disabled_at is null",
        operator.uuid(),
        hash,
        now,
    )?
    .exactly(1)
}

/// False if there is no such operator, or they were disabled before. Their sign-ins end with the next request.
pub async fn disable(tx: &mut WriteTx, _whole: &MspScope, id: OperatorId, now: DateTime<Utc>) -> Result<bool> {
    let changed = execute!(
        tx,
        "update operators set disabled_at = $3 where msp_id = $1 and id = $2 and disabled_at is null",
        id.uuid(),
        now,
    )?;
    Ok(changed.any())
}

/// Every owner's row until the transaction ends, so that a count of them stays true.
pub async fn hold_owners(tx: &mut WriteTx, _whole: &MspScope) -> Result<()> {
    hold!(tx, "select id from operators where msp_id = $1 and role = 'owner' order by id")
}

/// Owners who can still sign in: the last one cannot be disabled.
pub async fn count_owners(tx: &mut Tx, _whole: &MspScope) -> Result<i64> {
    let (count,): (i64,) = fetch_one!(
        tx,
        (i64,),
        "select count(*) from operators where msp_id = $1 and role = 'owner' and disabled_at is null"
    )?;
    Ok(count)
}

/// An operator who was named, but has proved nothing yet. Only the check of a secret gets at the scope.
#[derive(Debug)]
pub struct Claimed {
    msp: MspId,
    operator: Operator,
    reach: Reach,
}

/// An operator whose secret held, with the right to act for them.
#[derive(Debug, Clone)]
pub struct Known {
    pub scope: MspScope,
    pub operator: Operator,
}

impl Claimed {
    pub fn password_hash(&self) -> Option<&str> {
        self.operator.password_hash.as_deref()
    }

    /// `check` answers whether the presented secret is this operator's.
    pub fn prove<E>(self, check: impl FnOnce(&Self) -> Result<(), E>) -> Result<Known, E> {
        check(&self)?;
        Ok(Known { scope: MspScope::new(self.msp, self.reach), operator: self.operator })
    }
}

/// Whoever looks an operator up, until their secret is checked.
#[derive(Debug)]
struct Lookup(MspId);

crate::scope::seal!(Lookup);

impl Scope for Lookup {
    fn msp(&self) -> MspId {
        self.0
    }
}

/// Everybody who signs in by this name: one per tenant, and never a disabled one.
pub async fn list_claimed(db: &Db, name: SecretHash, now: DateTime<Utc>) -> Result<Vec<Claimed>> {
    let mut claimed = Vec::new();
    for owner in keyring::list_owners(db, KeyKind::SigninName, name, now).await? {
        claimed.extend(find_claimed(db, owner.msp, owner.subject.into()).await?);
    }
    Ok(claimed)
}

pub(crate) async fn find_claimed(db: &Db, msp: MspId, id: OperatorId) -> Result<Option<Claimed>> {
    let mut tx = db.read(&Lookup(msp)).await?;
    let Some(operator) = find_row(&mut tx, id).await?.filter(|operator| operator.disabled_at.is_none()) else {
        return Ok(None);
    };
    let reach = find_reach(&mut tx, &operator).await?;
    Ok(Some(Claimed { msp, operator, reach }))
}
