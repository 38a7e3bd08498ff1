//! The customers of a tenant, with everything the list needs to say how each of them fares.

mod watched;

use chrono::{DateTime, Utc};
use rollcall_domain::{
    customer::{CustomerName, Slug},
    health::{Facts, Trouble},
    ids::CustomerId,
    pause::{self, Pause},
    role::Reach,
};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

pub use self::watched::Watched;
use crate::{CustomerScope, MspScope, Result, Scope as _, StoreError, Tx, WriteTx, msps::PauseColumns};

#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Customer {
    #[sqlx(try_from = "Uuid")]
    pub id: CustomerId,
    pub slug: String,
    pub name: String,
    pub created_at: DateTime<Utc>,
    #[sqlx(flatten)]
    pub pause: PauseColumns,
}

/// A customer and the numbers behind its state.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Overview {
    #[sqlx(flatten)]
    pub customer: Customer,
    pub agents: i64,
    pub last_seen_at: Option<DateTime<Utc>>,
    pub quarantined_at: Option<DateTime<Utc>>,
    pub imports: i64,
    /// Since when a directory with an import has lacked the agent that read it.
    pub unread_since: Option<DateTime<Utc>>,
    pub people: i64,
    pub held: i64,
    pub held_since: Option<DateTime<Utc>>,
    pub last_good_run_at: Option<DateTime<Utc>>,
    pub last_result: Option<String>,
    pub last_code: Option<String>,
    pub last_run_at: Option<DateTime<Utc>>,
    pub agent_code: Option<String>,
    pub agent_code_since: Option<DateTime<Utc>>,
    #[sqlx(skip)]
    pub directories: Vec<Watched>,
}

impl Overview {
    /// `msp_pause`: a pause of the whole MSP pauses every customer.
    pub fn facts(&self, msp_pause: Option<&Pause>, now: DateTime<Utc>) -> Facts {
        let own = self.customer.pause.set();
        Facts {
            created_at: self.customer.created_at,
            paused: pause::in_force(own.iter().chain(msp_pause), now).cloned(),
            resumed_at: pause::last_end(own.iter().chain(msp_pause), now),
            agents: self.agents,
            last_seen_at: self.last_seen_at,
            quarantined_at: self.quarantined_at,
            imports: self.imports,
            unread_since: self.unread_since,
            held: self.held,
            held_since: self.held_since,
            last_good_run_at: self.last_good_run_at,
            directories: self.directories.iter().map(Watched::facts).collect(),
            trouble: self.trouble(),
        }
    }

    /// When the directory that was read longest ago was read well.
    pub fn worst_good_run_at(&self) -> Option<DateTime<Utc>> {
        let read = self.directories.iter().filter_map(|directory| directory.last_good_run_at);
        read.min().or(self.last_good_run_at)
    }

    /// The newest run of each directory counts if it did not end well; else what an agent itself reports.
    fn trouble(&self) -> Option<Trouble> {
        let of_runs = if self.directories.is_empty() {
            trouble_of(self.last_result.as_deref(), self.last_code.as_deref(), self.last_run_at)
        } else {
            self.directories.iter().filter_map(Watched::trouble).min_by_key(|trouble| trouble.since)
        };
        of_runs.or_else(|| Some(Trouble { code: self.agent_code.clone()?, since: self.agent_code_since? }))
    }
}

fn trouble_of(result: Option<&str>, code: Option<&str>, since: Option<DateTime<Utc>>) -> Option<Trouble> {
    match result {
        Some("ok") | None => None,
        Some(_) => Some(Trouble { code: code.unwrap_or("RC-9001").to_owned(), since: since? }),
    }
}

const COLUMNS: &str = "c.id, c.slug, c.name, c.created_at, c.paused_at, c.paused_until, c.paused_reason, c.paused_by";

/// One subquery per number, each on an index that begins with tenant and customer: a page has at most some fifty rows.
const OVERVIEW: &str = "
    (select count(*) from agents a where a.msp_id = c.msp_id and a.customer_id = c.id and a.state <> 'revoked') as agents,
    (select max(a.last_seen_at) from agents a
        where a.msp_id = c.msp_id and a.customer_id = c.id and a.state <> 'revoked') as last_seen_at,
    (select min(a.quarantined_at) from agents a
        where a.msp_id = c.msp_id and a.customer_id = c.id and a.state = 'quarantined') as quarantined_at,
    (select count(*) from imports i
        where i.msp_id = c.msp_id and i.customer_id = c.id and i.deleted_at is null) as imports,
    (select min(a.revoked_at) from directories d join agents a on a.msp_id = d.msp_id and a.id = d.agent_id
        where d.msp_id = c.msp_id and d.customer_id = c.id and a.state = 'revoked'
            and exists (select 1 from imports i
                where i.msp_id = d.msp_id and i.directory_id = d.id and i.deleted_at is null)) as unread_since,
    (select count(*) from accounts p
        where p.msp_id = c.msp_id and p.customer_id = c.id and p.state <> 'departed') as people,
    (select count(*) from memberships m join imports i on i.msp_id = m.msp_id and i.id = m.import_id
        where i.msp_id = c.msp_id and i.customer_id = c.id and m.state = 'held') as held,
    (select min(m.since) from memberships m join imports i on i.msp_id = m.msp_id and i.id = m.import_id
        where i.msp_id = c.msp_id and i.customer_id = c.id and m.state = 'held') as held_since,
    (select max(r.finished_at) from runs r
        where r.msp_id = c.msp_id and r.customer_id = c.id and r.result in ('ok', 'partial')) as last_good_run_at,
    (select r.result from runs r
        where r.msp_id = c.msp_id and r.customer_id = c.id order by r.id desc limit 1) as last_result,
    (select r.reason_code from runs r
        where r.msp_id = c.msp_id and r.customer_id = c.id order by r.id desc limit 1) as last_code,
    (select r.finished_at from runs r
        where r.msp_id = c.msp_id and r.customer_id = c.id order by r.id desc limit 1) as last_run_at,
    (select a.reason_code from agents a
        where a.msp_id = c.msp_id and a.customer_id = c.id and a.state = 'active' and a.reason_code is not null
        order by a.reason_since, a.id limit 1) as agent_code,
    (select a.reason_since from agents a
        where a.msp_id = c.msp_id and a.customer_id = c.id and a.state = 'active' and a.reason_code is not null
        order by a.reason_since, a.id limit 1) as agent_code_since";

pub async fn insert(
    tx: &mut WriteTx,
    _msp: &MspScope,
    id: CustomerId,
    name: &CustomerName,
    slug: &Slug,
    now: DateTime<Utc>,
) -> Result<CustomerScope> {
    execute!(
        tx,
        "insert into customers (msp_id, id, slug, name, created_at)
         values ($1, $2, $3, $4, $5)",
        id.uuid(),
        slug.as_str(),
        name.as_str(),
        now,
    )?
    .exactly(1)?;
    Ok(CustomerScope::new(tx.msp(), id))
}

/// The first of `slug`, `slug-2`, `slug-3` … that nobody has.
pub async fn find_free_slug(tx: &mut Tx, _msp: &MspScope, wanted: &Slug) -> Result<Slug> {
    let taken: Vec<(String,)> = fetch_all!(
        tx,
        (String,),
        "select slug from customers where msp_id = $1 and (slug = $2 or slug like $3)",
        wanted.as_str(),
        format!("{}-%", wanted.as_str()),
    )?;
    let is_free = |slug: &Slug| !taken.iter().any(|(other,)| other == slug.as_str());
    let mut slug = wanted.clone();
    let mut number = 1;
    while !is_free(&slug) {
        number += 1;
        slug = wanted.numbered(number);
    }
    Ok(slug)
}

/// The customer, and the right to ask about it, if this scope reaches it.
pub async fn find(tx: &mut Tx, msp: &MspScope, id: CustomerId) -> Result<Option<(CustomerScope, Customer)>> {
    let customer = fetch_optional!(
        tx,
        Customer,
        "select id, slug, name, created_at, paused_at, paused_until, paused_reason, paused_by
         from customers
         where msp_id = $1 and id = $2 and archived_at is null",
        id.uuid(),
    )?;
    Ok(within_reach(msp, customer))
}

pub async fn find_by_slug(tx: &mut Tx, msp: &MspScope, slug: &str) -> Result<Option<(CustomerScope, Customer)>> {
    let customer = fetch_optional!(
        tx,
        Customer,
        "select id, slug, name, created_at, paused_at, paused_until, paused_reason, paused_by
         from customers
         where msp_id = $1 and slug = $2 and archived_at is null",
        slug,
    )?;
    Ok(within_reach(msp, customer))
}

fn within_reach(msp: &MspScope, customer: Option<Customer>) -> Option<(CustomerScope, Customer)> {
    let customer = customer.filter(|customer| msp.reach().covers(customer.id))?;
    Some((CustomerScope::new(msp.msp(), customer.id), customer))
}

/// The customer a scope stands for.
pub async fn get(tx: &mut Tx, scope: &CustomerScope) -> Result<Customer> {
    fetch_one!(
        tx,
        Customer,
        "select id, slug, name, created_at, paused_at, paused_until, paused_reason, paused_by
         from customers
         where msp_id = $1 and id = $2",
        scope.customer().uuid(),
    )
}

pub async fn get_overview(tx: &mut Tx, scope: &CustomerScope) -> Result<Overview> {
    let sql = format!("select {COLUMNS}, {OVERVIEW} from customers c where c.msp_id = $1 and c.id = $2");
    let overview = fetch_one!(tx, Overview, AssertSqlSafe(sql), scope.customer().uuid())?;
    let mut found = vec![overview];
    watched::fill(tx, &mut found).await?;
    found.pop().ok_or_else(|| StoreError::Unreadable("overview of a customer".to_owned()))
}

/// What part of the list is wanted.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// Part of the name, in any case.
    pub search: String,
    /// Name and id of the last row of the page before.
    pub after: Option<(String, CustomerId)>,
    pub limit: i64,
}

/// In order of the name, as far as this scope reaches.
pub async fn list(tx: &mut Tx, msp: &MspScope, page: &Page) -> Result<Vec<Overview>> {
    let chosen: &[CustomerId] = match msp.reach() {
        Reach::All => &[],
        Reach::Chosen(chosen) if chosen.is_empty() => return Ok(Vec::new()),
        Reach::Chosen(chosen) => chosen,
    };
    let within =
        if chosen.is_empty() { String::new() } else { format!("and c.id in ({})", placeholders(6, chosen.len())) };
    let sql = format!(
        "select {COLUMNS}, {OVERVIEW}
         from customers c
         where c.msp_id = $1
             and c.archived_at is null
             and (c.name > $2 or (c.name = $2 and c.id > $3))
             and lower(c.name) like $4 escape '\\'
             {within}
         order by c.name, c.id
         limit $5"
    );
    let (name, id) = page.after.clone().map_or((String::new(), Uuid::nil()), |(name, id)| (name, id.uuid()));
    let like = contains(&page.search);
    let msp = tx.msp().uuid();
    let mut found: Vec<Overview> = either!(&mut tx.inner, c => {
        let mut query = sqlx::query_as::<_, Overview>(AssertSqlSafe(sql)).bind(msp).bind(name).bind(id).bind(like).bind(page.limit);
        for id in chosen {
            query = query.bind(id.uuid());
        }
        query.fetch_all(c)
    })?;
    watched::fill(tx, &mut found).await?;
    Ok(found)
}

/// `$6, $7, …`
pub(crate) fn placeholders(first: usize, count: usize) -> String {
    (first..first + count).map(|number| format!("${number}")).collect::<Vec<_>>().join(", ")
}

/// A `like` pattern for "contains this, whatever its signs mean to `like`".
pub(crate) fn contains(text: &str) -> String {
    // PostgreSQL has no NUL in a text, so no row can hold one.
    let escaped =
        text.replace('\0', "").trim().to_lowercase().replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    format!("%{escaped}%")
}

pub async fn set_pause(tx: &mut WriteTx, scope: &CustomerScope, pause: &Pause) -> Result<()> {
    execute!(
        tx,
        "update customers
         set paused_at = $3, paused_until = $4, paused_reason = $5, paused_by = $6
         where msp_id = $1 and id = $2",
        scope.customer().uuid(),
        pause.at,
        pause.until,
        pause.reason.as_str(),
        pause.by.as_str(),
    )?
    .exactly(1)
}

/// [`crate::msps::end_pause`] of this customer.
pub async fn end_pause(tx: &mut WriteTx, scope: &CustomerScope, now: DateTime<Utc>) -> Result<()> {
    execute!(
        tx,
        "update customers
         set paused_until = case when paused_at is null or paused_until <= $3 then paused_until else $3 end
         where msp_id = $1 and id = $2",
        scope.customer().uuid(),
        now,
    )?
    .exactly(1)
}

/// All within reach.
pub async fn count(tx: &mut Tx, msp: &MspScope) -> Result<i64> {
    if let Reach::Chosen(chosen) = msp.reach() {
        return Ok(i64::try_from(chosen.len()).unwrap_or(i64::MAX));
    }
    let (count,): (i64,) =
        fetch_one!(tx, (i64,), "select count(*) from customers where msp_id = $1 and archived_at is null")?;
    Ok(count)
}

/// Ids and names within reach, by name.
pub async fn list_names(tx: &mut Tx, msp: &MspScope, limit: i64) -> Result<Vec<(CustomerId, String)>> {
    let rows: Vec<(Uuid, String)> = fetch_all!(
        tx,
        (Uuid, String),
        "select id, name from customers where msp_id = $1 and archived_at is null order by name, id limit $2",
        limit,
    )?;
    let named = rows.into_iter().map(|(id, name)| (CustomerId::from(id), name));
    Ok(named.filter(|(id, _)| msp.reach().covers(*id)).collect())
}
