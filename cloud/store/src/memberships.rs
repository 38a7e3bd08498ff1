//! Which account is in which import, and how that stands.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use rollcall_domain::{
    ids::{AccountId, DirectoryId, ImportId, RunId},
    membership::MembershipState,
};
use serde_json::Value;
use sqlx::types::Json;
use uuid::Uuid;

use crate::{CustomerScope, Result, Tx, WriteTx};

#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Membership {
    #[sqlx(try_from = "Uuid")]
    pub import_id: ImportId,
    #[sqlx(try_from = "Uuid")]
    pub account_id: AccountId,
    #[sqlx(try_from = "String")]
    pub state: MembershipState,
    /// objectGUIDs of the selections that hold the person.
    pub via: Json<Vec<Uuid>>,
    pub since: DateTime<Utc>,
    pub evidence: Option<Json<Value>>,
    pub run_id: Option<Uuid>,
}

pub async fn list_of_accounts(tx: &mut Tx, accounts: &[AccountId]) -> Result<Vec<Membership>> {
    if accounts.is_empty() {
        return Ok(Vec::new());
    }
    let accounts: Vec<Uuid> = accounts.iter().map(|id| id.uuid()).collect();
    fetch_in!(
        tx,
        Membership,
        "select import_id, account_id, state, via, since, evidence, run_id
         from memberships
         where msp_id = ",
        [],
        " and account_id",
        &accounts
    )
}

pub async fn list_by_account(tx: &mut Tx, accounts: &[AccountId]) -> Result<HashMap<AccountId, Vec<Membership>>> {
    let mut by_account: HashMap<AccountId, Vec<Membership>> = HashMap::new();
    for membership in list_of_accounts(tx, accounts).await? {
        by_account.entry(membership.account_id).or_default().push(membership);
    }
    Ok(by_account)
}

/// Adds and replaces in bulk.
pub async fn upsert(tx: &mut WriteTx, rows: &[Membership]) -> Result<()> {
    bulk!(
        tx,
        "insert into memberships (msp_id, import_id, account_id, state, via, since, evidence, run_id)",
        rows,
        |row| [
            row.import_id.uuid(),
            row.account_id.uuid(),
            row.state.as_str(),
            &row.via,
            row.since,
            row.evidence.as_ref(),
            row.run_id,
        ],
        " on conflict (msp_id, import_id, account_id) do update set
             state = excluded.state, via = excluded.via, since = excluded.since, evidence = excluded.evidence,
             run_id = excluded.run_id"
    )?
    .exactly(rows.len() as u64)
}

/// A number of people for each import that has any.
pub type PerImport = HashMap<ImportId, u64>;

pub(crate) fn per_import(rows: Vec<(Uuid, i64)>) -> PerImport {
    rows.into_iter().map(|(import, count)| (import.into(), u64::try_from(count).unwrap_or_default())).collect()
}

/// Active memberships of each import of a directory: what the guard measures departures against. Those that already wait
/// for a human, or were kept by one, are not in the agent's set any more and do not make an import look fuller.
pub async fn count(tx: &mut Tx, directory: DirectoryId) -> Result<PerImport> {
    let rows: Vec<(Uuid, i64)> = fetch_all!(
        tx,
        (Uuid, i64),
        "select m.import_id, count(*)
         from memberships m
         join imports i on i.msp_id = m.msp_id and i.id = m.import_id
         where i.msp_id = $1 and i.directory_id = $2 and m.state = 'active'
         group by m.import_id",
        directory.uuid(),
    )?;
    Ok(per_import(rows))
}

/// The same, but only those whom the cloud knew in this very import at that time: somebody who left long ago, or is in
/// another import, can be shown in this one by a word. An import that was made since has nobody older, and all of it counts.
pub async fn count_known_before(tx: &mut Tx, directory: DirectoryId, at: DateTime<Utc>) -> Result<PerImport> {
    let rows: Vec<(Uuid, i64)> = fetch_all!(
        tx,
        (Uuid, i64),
        "select m.import_id, count(*)
         from memberships m
         join imports i on i.msp_id = m.msp_id and i.id = m.import_id
         join accounts a on a.msp_id = m.msp_id and a.id = m.account_id
         where i.msp_id = $1 and i.directory_id = $2 and m.state = 'active'
             and ((a.first_seen_at < $3 and m.since < $3) or i.created_at >= $3)
         group by m.import_id",
        directory.uuid(),
        at,
    )?;
    Ok(per_import(rows))
}

/// Who is in an import, a deleted one too; of more than a hundred thousand the rest comes when these wait or have left.
pub async fn list_active_guids(tx: &mut Tx, import: ImportId) -> Result<Vec<Uuid>> {
    let rows: Vec<(Uuid,)> = fetch_all!(
        tx,
        (Uuid,),
        "select a.object_guid
         from memberships m
         join accounts a on a.msp_id = m.msp_id and a.id = m.account_id
         where m.msp_id = $1 and m.import_id = $2 and m.state = 'active'
         order by a.object_guid
         limit 100000",
        import.uuid(),
    )?;
    Ok(rows.into_iter().map(|(guid,)| guid).collect())
}

/// A removal that waits for a human.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Held {
    #[sqlx(try_from = "Uuid")]
    pub import_id: ImportId,
    #[sqlx(try_from = "Uuid")]
    pub account_id: AccountId,
    pub display_name: String,
    pub sam: String,
    pub since: DateTime<Utc>,
    pub evidence: Option<Json<Value>>,
    pub run_id: Option<Uuid>,
}

/// All of one import, by name.
pub async fn list_held(tx: &mut Tx, customer: &CustomerScope, import: ImportId) -> Result<Vec<Held>> {
    fetch_all!(
        tx,
        Held,
        "select m.import_id, m.account_id, a.display_name, a.sam, m.since, m.evidence, m.run_id
         from memberships m
         join accounts a on a.msp_id = m.msp_id and a.id = m.account_id
         where m.msp_id = $1 and a.customer_id = $2 and m.import_id = $3 and m.state = 'held'
         order by a.sort_name, a.id
         limit 100000",
        customer.customer().uuid(),
        import.uuid(),
    )
}

/// Those of one run.
pub async fn list_held_by_run(tx: &mut Tx, customer: &CustomerScope, run: RunId) -> Result<Vec<Held>> {
    fetch_all!(
        tx,
        Held,
        "select m.import_id, m.account_id, a.display_name, a.sam, m.since, m.evidence, m.run_id
         from memberships m
         join accounts a on a.msp_id = m.msp_id and a.id = m.account_id
         where m.msp_id = $1 and a.customer_id = $2 and m.run_id = $3 and m.state = 'held'
         order by a.sort_name, a.id
         limit 100000",
        customer.customer().uuid(),
        run.uuid(),
    )
}

/// How many are in each state, per import of this customer.
pub async fn count_by_state(tx: &mut Tx, customer: &CustomerScope) -> Result<Vec<(ImportId, MembershipState, i64)>> {
    let rows: Vec<(Uuid, String, i64)> = fetch_all!(
        tx,
        (Uuid, String, i64),
        "select m.import_id, m.state, count(*)
         from memberships m
         join imports i on i.msp_id = m.msp_id and i.id = m.import_id
         where i.msp_id = $1 and i.customer_id = $2
         group by m.import_id, m.state",
        customer.customer().uuid(),
    )?;
    rows.into_iter().map(|(import, state, count)| Ok((import.into(), state.parse()?, count))).collect()
}
