//! Every change of every account: before, after, when, by which run or whom.

use chrono::{DateTime, Utc};
use rollcall_domain::{
    ids::{AccountId, DirectoryId, HistoryId, RunId},
    run::Change,
};
use serde_json::{Value, value::RawValue};
use sqlx::types::Json;
use uuid::Uuid;

use crate::{
    CustomerScope, Result, Tx, WriteTx,
    memberships::{PerImport, per_import},
};

/// A line to be written.
#[derive(Debug, Clone)]
pub struct NewLine {
    pub id: HistoryId,
    pub account: AccountId,
    pub import: Option<Uuid>,
    pub change: Change,
    pub before: Option<Box<RawValue>>,
    pub after: Option<Box<RawValue>>,
    pub evidence: Option<Box<RawValue>>,
}

/// Who or what made the change.
#[derive(Debug, Clone, Copy)]
pub struct By<'a> {
    pub run: Option<RunId>,
    pub actor: Option<&'a str>,
}

pub async fn insert(tx: &mut WriteTx, lines: &[NewLine], by: By<'_>, at: DateTime<Utc>) -> Result<()> {
    bulk!(
        tx,
        "insert into history (msp_id, account_id, id, run_id, import_id, at, change, before, after, evidence, actor)",
        lines,
        |line| [
            line.account.uuid(),
            line.id.uuid(),
            by.run.map(RunId::uuid),
            line.import,
            at,
            line.change.as_str(),
            line.before.as_ref().map(Json),
            line.after.as_ref().map(Json),
            line.evidence.as_ref().map(Json),
            by.actor,
        ],
        ""
    )?
    .exactly(lines.len() as u64)
}

/// A line as read.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Line {
    #[sqlx(try_from = "Uuid")]
    pub id: HistoryId,
    #[sqlx(try_from = "Uuid")]
    pub account_id: AccountId,
    pub run_id: Option<Uuid>,
    pub import_id: Option<Uuid>,
    pub at: DateTime<Utc>,
    #[sqlx(try_from = "String")]
    pub change: Change,
    pub before: Option<Json<Value>>,
    pub after: Option<Json<Value>>,
    pub evidence: Option<Json<Value>>,
    pub actor: Option<String>,
}

/// How many left each import of a directory by runs since this one. Removals that a human approved come from no run.
pub async fn count_left(tx: &mut Tx, directory: DirectoryId, since: RunId) -> Result<PerImport> {
    let rows: Vec<(Uuid, i64)> = fetch_all!(
        tx,
        (Uuid, i64),
        "select h.import_id, count(*)
         from runs r
         join history h on h.msp_id = r.msp_id and h.run_id = r.id
         where r.msp_id = $1 and r.directory_id = $2 and r.id >= $3 and r.departed > 0
             and h.change in ('departed', 'left_import') and h.import_id is not null
         group by h.import_id",
        directory.uuid(),
        since.uuid(),
    )?;
    Ok(per_import(rows))
}

/// Of one account, newest first.
pub async fn list(tx: &mut Tx, customer: &CustomerScope, account: AccountId, limit: i64) -> Result<Vec<Line>> {
    fetch_all!(
        tx,
        Line,
        "select h.id, h.account_id, h.run_id, h.import_id, h.at, h.change, h.before, h.after, h.evidence, h.actor
         from history h
         join accounts a on a.msp_id = h.msp_id and a.id = h.account_id
         where h.msp_id = $1 and a.customer_id = $2 and h.account_id = $3
         order by h.id desc
         limit $4",
        customer.customer().uuid(),
        account.uuid(),
        limit,
    )
}

/// A line of a run, with whom it concerns.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct RunLine {
    #[sqlx(flatten)]
    pub line: Line,
    pub display_name: String,
}

/// Of one run, in the order it was written; `after` is the last id of the page before.
pub async fn list_of_run(
    tx: &mut Tx,
    customer: &CustomerScope,
    run: RunId,
    after: Option<HistoryId>,
    limit: i64,
) -> Result<Vec<RunLine>> {
    fetch_all!(
        tx,
        RunLine,
        "select h.id, h.account_id, h.run_id, h.import_id, h.at, h.change, h.before, h.after, h.evidence, h.actor,
                a.display_name
         from history h
         join accounts a on a.msp_id = h.msp_id and a.id = h.account_id
         where h.msp_id = $1 and a.customer_id = $2 and h.run_id = $3 and h.id > $4
         order by h.id
         limit $5",
        customer.customer().uuid(),
        run.uuid(),
        after.map_or(Uuid::nil(), HistoryId::uuid),
        limit,
    )
}
