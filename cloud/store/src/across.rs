//! Lists across all customers that a scope reaches: people, runs and agents, each with the customer's name.

use rollcall_domain::{
    account::AccountState,
    ids::{AccountId, AgentId, RunId},
    role::Reach,
    run::RunResult,
};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::{MspScope, Result, Tx, accounts, agents, customers::contains, runs};

/// A row together with whose it is.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Of<T>
where
    T: for<'r> sqlx::FromRow<'r, sqlx::sqlite::SqliteRow> + for<'r> sqlx::FromRow<'r, sqlx::postgres::PgRow>,
{
    pub customer_slug: String,
    pub customer_name: String,
    #[sqlx(flatten)]
    pub row: T,
}

const PERSON: &str =
    "a.id, a.object_guid, a.state, a.display_name, a.sort_name, a.sam, a.upn, a.mail, a.enabled, a.person,
    a.changed_at, a.departed_at";
const RUN: &str = "r.id, r.customer_id, r.directory_id, r.agent_id, r.cycle, r.cause, r.kind, r.result, r.reason_code,
    r.reason_detail, r.started_at, r.received_at, r.finished_at, r.epoch, r.first_seq, r.last_seq, r.batches, r.bytes,
    r.people, r.added, r.updated, r.returned, r.departed, r.held, r.unchanged, r.set_aside, r.digest_agrees, r.dc_host";
const AGENT: &str = "a.id, a.customer_id, a.directory_id, a.state, a.hostname, a.os, a.version, a.platform, a.facts,
    a.enrolled_at, a.last_seen_at, a.checkins, a.clock_skew_ms, a.desired_version, a.applied_version, a.handed_version,
    a.handed_at, a.epoch, a.epoch_start, a.next_seq, a.head, a.queued, a.dc_host, a.transport, a.reason_code,
    a.reason_detail, a.reason_since, a.report, a.quarantined_at,
    a.revoked_at";

/// The chosen customers as a condition on `column`, bound from number `first` on. Nothing for those who reach all.
fn within(msp: &MspScope, column: &str, first: usize) -> String {
    match msp.reach() {
        Reach::All => String::new(),
        Reach::Chosen(chosen) if chosen.is_empty() => "and 1 = 0".to_owned(),
        Reach::Chosen(chosen) => {
            let alternatives: Vec<String> = (first..first + chosen.len()).map(|number| format!("${number}")).collect();
            format!("and {column} in ({})", alternatives.join(", "))
        }
    }
}

macro_rules! fetch_within {
    ($tx:expr, $msp:expr, $row:ty, $sql:expr, [$($bind:expr),* $(,)?]) => {{
        let chosen: Vec<Uuid> = match $msp.reach() {
            Reach::All => Vec::new(),
            Reach::Chosen(chosen) => chosen.iter().map(|id| id.uuid()).collect(),
        };
        let tenant = $tx.msp().uuid();
        either!(&mut $tx.inner, c => {
            let mut query = sqlx::query_as::<_, $row>(AssertSqlSafe($sql)).bind(tenant)$(.bind($bind))*;
            for id in &chosen {
                query = query.bind(*id);
            }
            query.fetch_all(c)
        })
    }};
}

/// In order of the name.
pub async fn list_people(tx: &mut Tx, msp: &MspScope, page: &accounts::Page) -> Result<Vec<Of<accounts::Listed>>> {
    let (name, id) =
        page.after.clone().map_or((String::new(), Uuid::nil()), |(name, id): (String, AccountId)| (name, id.uuid()));
    let sql = format!(
        "select c.slug as customer_slug, c.name as customer_name, {PERSON}
         from accounts a
         join customers c on c.msp_id = a.msp_id and c.id = a.customer_id
         where a.msp_id = $1
             and (a.sort_name, a.id) > ($2, $3)
             and (($4 = '' and a.state <> 'departed') or a.state = $4)
             and a.search like $5 escape '\\'
             and c.archived_at is null
             {}
         order by a.sort_name, a.id
         limit $6",
        within(msp, "a.customer_id", 7)
    );
    let state = page.state.map_or("", AccountState::as_str);
    fetch_within!(tx, msp, Of<accounts::Listed>, sql, [name, id, state, contains(&page.search), page.limit])
}

/// Newest first; `before` is the last id of the page before.
pub async fn list_runs(
    tx: &mut Tx,
    msp: &MspScope,
    result: Option<RunResult>,
    before: Option<RunId>,
    limit: i64,
) -> Result<Vec<Of<runs::Run>>> {
    let sql = format!(
        "select c.slug as customer_slug, c.name as customer_name, {RUN}
         from runs r
         join customers c on c.msp_id = r.msp_id and c.id = r.customer_id
         where r.msp_id = $1
             and r.id < $2
             and ($3 = '' or r.result = $3)
             and c.archived_at is null
             {}
         order by r.id desc
         limit $4",
        within(msp, "r.customer_id", 5)
    );
    let result = result.map_or("", RunResult::as_str);
    let before = before.map_or(Uuid::max(), RunId::uuid);
    fetch_within!(tx, msp, Of<runs::Run>, sql, [before, result, limit])
}

/// By host; retired ones are left out.
pub async fn list_agents(
    tx: &mut Tx,
    msp: &MspScope,
    after: Option<(String, AgentId)>,
    limit: i64,
) -> Result<Vec<Of<agents::Agent>>> {
    let sql = format!(
        "select c.slug as customer_slug, c.name as customer_name, {AGENT}
         from agents a
         join customers c on c.msp_id = a.msp_id and c.id = a.customer_id
         where a.msp_id = $1
             and (a.hostname, a.id) > ($2, $3)
             and a.state <> 'revoked'
             and c.archived_at is null
             {}
         order by a.hostname, a.id
         limit $4",
        within(msp, "a.customer_id", 5)
    );
    let (host, id) = after.map_or((String::new(), Uuid::nil()), |(host, id)| (host, id.uuid()));
    fetch_within!(tx, msp, Of<agents::Agent>, sql, [host, id, limit])
}

/// Removals that wait at one customer.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct HeldAt {
    pub customer_slug: String,
    pub customer_name: String,
    pub people: i64,
}

/// Customers where removals wait, most first.
pub async fn list_held(tx: &mut Tx, msp: &MspScope) -> Result<Vec<HeldAt>> {
    let sql = format!(
        "select c.slug as customer_slug, c.name as customer_name, count(*) as people
         from memberships m
         join imports i on i.msp_id = m.msp_id and i.id = m.import_id
         join customers c on c.msp_id = i.msp_id and c.id = i.customer_id
         where m.msp_id = $1
             and m.state = 'held'
             and c.archived_at is null
             {}
         group by c.slug, c.name
         order by people desc, customer_name
         limit 200",
        within(msp, "i.customer_id", 2)
    );
    fetch_within!(tx, msp, HeldAt, sql, [])
}

/// What one run changed, for the chart of days.
#[derive(Debug, Clone, Copy, sqlx::FromRow)]
pub struct Change {
    pub finished_at: chrono::DateTime<chrono::Utc>,
    pub added: i64,
    pub updated: i64,
    pub returned: i64,
    pub departed: i64,
    pub set_aside: i64,
}

/// Runs that changed anything, from `since` on. Ids rise with time, so the range is one of the key.
pub async fn list_changes(tx: &mut Tx, msp: &MspScope, since: RunId) -> Result<Vec<Change>> {
    let sql = format!(
        "select r.finished_at, r.added, r.updated, r.returned, r.departed, r.set_aside
         from runs r
         where r.msp_id = $1
             and r.id >= $2
             and r.added + r.updated + r.returned + r.departed + r.set_aside > 0
             {}
         order by r.id
         limit 50000",
        within(msp, "r.customer_id", 3)
    );
    fetch_within!(tx, msp, Change, sql, [since.uuid()])
}
