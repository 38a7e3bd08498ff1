//! The accounts: every person of a customer as Rollcall knows them.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use rollcall_domain::{
    account::AccountState,
    ids::{AccountId, CustomerId, DirectoryId},
};
use serde_json::value::RawValue;
use sqlx::types::Json;
use uuid::Uuid;

use crate::{CustomerScope, Result, Tx, WriteTx, customers::contains, tx::BULK_ROWS};

/// An account as apply needs it.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Stored {
    #[sqlx(try_from = "Uuid")]
    pub id: AccountId,
    pub object_guid: Uuid,
    #[sqlx(try_from = "String")]
    pub state: AccountState,
    pub person: Json<Box<RawValue>>,
    pub reading_hash: Option<Vec<u8>>,
    pub first_seen_at: DateTime<Utc>,
    pub changed_at: DateTime<Utc>,
    pub departed_at: Option<DateTime<Utc>>,
}

/// The accounts behind these objectGUIDs, in no order. At most [`BULK_ROWS`] at a time.
pub async fn list_by_guids(tx: &mut Tx, directory: DirectoryId, guids: &[Uuid]) -> Result<Vec<Stored>> {
    if guids.is_empty() {
        return Ok(Vec::new());
    }
    fetch_in!(
        tx,
        Stored,
        "select id, object_guid, state, person, reading_hash, first_seen_at, changed_at, departed_at
         from accounts
         where msp_id = ",
        [" and directory_id = " => directory.uuid()],
        " and object_guid",
        guids
    )
}

/// Everything apply writes of an account.
#[derive(Debug, Clone)]
pub struct Row {
    pub id: AccountId,
    pub object_guid: Uuid,
    pub state: AccountState,
    pub display_name: String,
    pub sort_name: String,
    pub sam: String,
    pub upn: Option<String>,
    pub mail: Option<String>,
    pub enabled: bool,
    pub search: String,
    pub person: Box<RawValue>,
    pub reading_hash: [u8; 32],
    pub first_seen_at: DateTime<Utc>,
    pub changed_at: DateTime<Utc>,
}

/// Adds and replaces in bulk. Whoever is written here is in the directory, so `departed_at` is cleared.
pub async fn upsert(tx: &mut WriteTx, customer: CustomerId, directory: DirectoryId, rows: &[Row]) -> Result<()> {
    bulk!(
        tx,
        "insert into accounts
             (msp_id, id, customer_id, directory_id, object_guid, state, display_name, sort_name, sam, upn, mail, enabled,
              search, person, reading_hash, first_seen_at, changed_at)",
        rows,
        |row| [
            row.id.uuid(),
            customer.uuid(),
            directory.uuid(),
            row.object_guid,
            row.state.as_str(),
            row.display_name.as_str(),
            row.sort_name.as_str(),
            row.sam.as_str(),
            row.upn.as_deref(),
            row.mail.as_deref(),
            row.enabled,
            row.search.as_str(),
            Json(&row.person),
            row.reading_hash.as_slice(),
            row.first_seen_at,
            row.changed_at,
        ],
        " on conflict (msp_id, id) do update set
             state = excluded.state, display_name = excluded.display_name, sort_name = excluded.sort_name,
             sam = excluded.sam, upn = excluded.upn, mail = excluded.mail, enabled = excluded.enabled,
             search = excluded.search, person = excluded.person, reading_hash = excluded.reading_hash,
             changed_at = excluded.changed_at, departed_at = null"
    )?
    .exactly(rows.len() as u64)
}

/// What becomes of one account when a membership of it ended.
#[derive(Debug, Clone, Copy)]
pub struct Leaving {
    pub id: AccountId,
    pub state: AccountState,
    pub in_snapshot: InSnapshot,
}

/// Whether the agent's snapshot still holds the person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum InSnapshot {
    Yes,
    No,
}

/// Everybody once. Those of whom the same becomes are written together.
pub async fn set_leaving(tx: &mut WriteTx, leaving: &[Leaving], now: DateTime<Utc>) -> Result<()> {
    let mut alike: BTreeMap<(AccountState, InSnapshot), Vec<Uuid>> = BTreeMap::new();
    for one in leaving {
        alike.entry((one.state, one.in_snapshot)).or_default().push(one.id.uuid());
    }
    for ((state, in_snapshot), ids) in &alike {
        let tenant = match in_snapshot {
            InSnapshot::Yes => " where msp_id = ",
            InSnapshot::No => ", reading_hash = null where msp_id = ",
        };
        let departed_at = (*state == AccountState::Departed).then_some(now);
        for ids in ids.chunks(BULK_ROWS) {
            execute_in!(
                tx,
                ["update accounts set state = " => state.as_str(), ", changed_at = " => now, ", departed_at = " => departed_at],
                tenant,
                " and id",
                ids
            )?
            .exactly(ids.len() as u64)?;
        }
    }
    Ok(())
}

/// Takes people out of the compared set whom a full snapshot did not show. Nothing else changes: absence is no evidence.
pub async fn set_unconfirmed(tx: &mut WriteTx, ids: &[AccountId]) -> Result<()> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.uuid()).collect();
    for ids in ids.chunks(BULK_ROWS) {
        execute_in!(tx, [], "update accounts set reading_hash = null where msp_id = ", " and id", ids)?
            .exactly(ids.len() as u64)?;
    }
    Ok(())
}

/// One line of the set that is compared with the agent's.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct SetLine {
    #[sqlx(try_from = "Uuid")]
    pub id: AccountId,
    pub object_guid: Uuid,
    pub reading_hash: Vec<u8>,
}

/// The set in ascending order of the objectGUID's bytes, page by page; begin with the nil UUID, which no object has.
pub async fn list_set(tx: &mut Tx, directory: DirectoryId, after: Uuid, limit: i64) -> Result<Vec<SetLine>> {
    fetch_all!(
        tx,
        SetLine,
        "select id, object_guid, reading_hash
         from accounts
         where msp_id = $1 and directory_id = $2 and object_guid > $3 and reading_hash is not null
         order by object_guid
         limit $4",
        directory.uuid(),
        after,
        limit,
    )
}

/// Who is in an import and whom no reading shows: a whole one did not, and nothing has come of asking since. In ascending
/// order of the objectGUID, page by page.
pub async fn list_unconfirmed(tx: &mut Tx, directory: DirectoryId, after: Uuid, limit: i64) -> Result<Vec<Uuid>> {
    let rows: Vec<(Uuid,)> = fetch_all!(
        tx,
        (Uuid,),
        "select a.object_guid
         from accounts a
         where a.msp_id = $1 and a.directory_id = $2 and a.object_guid > $3 and a.reading_hash is null
             and a.state <> 'departed'
             and exists (
                 select 1
                 from memberships m
                 where m.msp_id = a.msp_id and m.account_id = a.id and m.state = 'active')
         order by a.object_guid
         limit $4",
        directory.uuid(),
        after,
        limit,
    )?;
    Ok(rows.into_iter().map(|(guid,)| guid).collect())
}

/// An account as lists show it.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Listed {
    #[sqlx(try_from = "Uuid")]
    pub id: AccountId,
    pub object_guid: Uuid,
    #[sqlx(try_from = "String")]
    pub state: AccountState,
    pub display_name: String,
    pub sort_name: String,
    pub sam: String,
    pub upn: Option<String>,
    pub mail: Option<String>,
    pub enabled: bool,
    pub person: Json<Box<RawValue>>,
    pub changed_at: DateTime<Utc>,
    pub departed_at: Option<DateTime<Utc>>,
}

/// What part of the list is wanted.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// Any part of name, account, UPN or mail.
    pub search: String,
    /// `None`: everybody but the departed.
    pub state: Option<AccountState>,
    /// `sort_name` and id of the last row of the page before.
    pub after: Option<(String, AccountId)>,
    pub limit: i64,
}

/// In order of the name.
pub async fn list(tx: &mut Tx, customer: &CustomerScope, page: &Page) -> Result<Vec<Listed>> {
    let (name, id) = page.after.clone().map_or((String::new(), Uuid::nil()), |(name, id)| (name, id.uuid()));
    fetch_all!(
        tx,
        Listed,
        "select id, object_guid, state, display_name, sort_name, sam, upn, mail, enabled, person, changed_at, departed_at
         from accounts
         where msp_id = $1 and customer_id = $2
             and (sort_name, id) > ($3, $4)
             and (($5 = '' and state <> 'departed') or state = $5)
             and search like $6 escape '\\'
         order by sort_name, id
         limit $7",
        customer.customer().uuid(),
        name,
        id,
        page.state.map_or("", AccountState::as_str),
        contains(&page.search),
        page.limit,
    )
}

/// An account with everything.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Account {
    #[sqlx(try_from = "Uuid")]
    pub id: AccountId,
    #[sqlx(try_from = "Uuid")]
    pub customer_id: CustomerId,
    #[sqlx(try_from = "Uuid")]
    pub directory_id: DirectoryId,
    pub object_guid: Uuid,
    #[sqlx(try_from = "String")]
    pub state: AccountState,
    pub display_name: String,
    pub sam: String,
    pub upn: Option<String>,
    pub mail: Option<String>,
    pub enabled: bool,
    pub person: Json<Box<RawValue>>,
    pub first_seen_at: DateTime<Utc>,
    pub changed_at: DateTime<Utc>,
    pub departed_at: Option<DateTime<Utc>>,
}

pub async fn find(tx: &mut Tx, customer: &CustomerScope, id: AccountId) -> Result<Option<Account>> {
    fetch_optional!(
        tx,
        Account,
        "select id, customer_id, directory_id, object_guid, state, display_name, sam, upn, mail, enabled, person,
                first_seen_at, changed_at, departed_at
         from accounts
         where msp_id = $1 and customer_id = $2 and id = $3",
        customer.customer().uuid(),
        id.uuid(),
    )
}

/// How many there are in each state.
pub async fn count_by_state(tx: &mut Tx, customer: &CustomerScope) -> Result<Vec<(AccountState, i64)>> {
    let rows: Vec<(String, i64)> = fetch_all!(
        tx,
        (String, i64),
        "select state, count(*) from accounts where msp_id = $1 and customer_id = $2 group by state",
        customer.customer().uuid(),
    )?;
    rows.into_iter().map(|(state, count)| Ok((state.parse()?, count))).collect()
}
