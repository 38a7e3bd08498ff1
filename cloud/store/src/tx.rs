//! A transaction of one tenant, and the macros that run one SQL text on either engine.
//!
//! Whoever changes rows of several tables takes them in this order, so that on PostgreSQL no two wait for each other:
//! operators, customers, rollouts, pins → directories → their imports → agents, in order of their ids → what belongs to an
//! agent (keys, updates, orders, the inbox) → jobs and mails → the tenant's own row, which the audit chain holds. The last
//! one takes care of itself: lines of the audit log are written by `commit`. A transaction that turns out to need an
//! earlier row ends, and another one begins.

use std::collections::HashSet;
use std::ops::{Deref, DerefMut};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use rollcall_domain::ids::MspId;
use sqlx::{Postgres, Sqlite, Transaction};

use crate::{
    Result, StoreError,
    audit::{self, Unchained},
    dialect::Plans,
    live::Event,
    live::Live,
};

#[derive(Debug)]
pub(crate) enum Inner {
    Sqlite(Transaction<'static, Sqlite>),
    Postgres(Transaction<'static, Postgres>),
}

/// Reads of one tenant, all from one moment on either engine. Dropping it ends it.
#[derive(Debug)]
pub struct Tx {
    pub(crate) inner: Inner,
    msp: MspId,
}

impl Tx {
    pub(crate) const fn new(inner: Inner, msp: MspId) -> Self {
        Self { inner, msp }
    }

    pub const fn msp(&self) -> MspId {
        self.msp
    }
}

/// Reads and writes of one tenant. Without `commit` nothing happened.
#[derive(Debug)]
pub struct WriteTx {
    tx: Tx,
    live: Live,
    refusals: Refusals,
    events: Events,
    unchained: Vec<Unchained>,
    plans: Plans,
}

/// Each once, in the order they were told.
#[derive(Debug, Default)]
struct Events {
    told: HashSet<Event>,
    in_order: Vec<Event>,
}

/// How often the disk under the database refused a write since the program began.
#[derive(Debug, Clone, Default)]
pub struct Refusals(Arc<AtomicU64>);

impl Refusals {
    pub fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    fn note(&self, error: sqlx::Error) -> StoreError {
        let error = StoreError::from(error);
        if matches!(error, StoreError::Unwritable(_)) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
        error
    }
}

impl WriteTx {
    pub(crate) fn new(tx: Tx, live: Live, refusals: Refusals) -> Self {
        Self { tx, live, refusals, events: Events::default(), unchained: Vec::new(), plans: Plans::new() }
    }

    /// What a failed write means; a refusal of the disk is counted.
    pub(crate) fn failed(&self, error: sqlx::Error) -> StoreError {
        self.refusals.note(error)
    }

    /// The macros that write go through here, so that a read transaction cannot.
    pub(crate) const fn writer(&mut self) -> &mut Inner {
        &mut self.tx.inner
    }

    /// So many rows follow in one statement.
    pub(crate) async fn expect_rows(&mut self, rows: usize) -> Result<()> {
        match &mut self.tx.inner {
            Inner::Sqlite(_) => Ok(()),
            Inner::Postgres(tx) => self.plans.expect(tx, rows).await.map_err(|error| self.refusals.note(error)),
        }
    }

    /// Told to whoever listens, on all instances, once this transaction is committed.
    pub fn tell(&mut self, event: Event) {
        if self.events.told.insert(event) {
            self.events.in_order.push(event);
        }
    }

    pub(crate) fn note(&mut self, line: Unchained) {
        self.unchained.push(line);
    }

    pub async fn commit(mut self) -> Result<()> {
        for line in std::mem::take(&mut self.unchained) {
            Box::pin(audit::chain(&mut self, line)).await?;
        }
        let events = std::mem::take(&mut self.events.in_order);
        match self.tx.inner {
            Inner::Sqlite(tx) => {
                tx.commit().await.map_err(|error| self.refusals.note(error))?;
                self.live.publish(events);
            }
            Inner::Postgres(mut tx) => {
                // The server sends them at commit, and only then; our own listener hears them too.
                if !events.is_empty() {
                    let told: Vec<String> = events.iter().map(|event| event.to_text()).collect();
                    sqlx::query("select pg_notify($1, told) from unnest($2::text[]) as told")
                        .bind(crate::live::CHANNEL)
                        .bind(told)
                        .execute(&mut *tx)
                        .await?;
                }
                tx.commit().await.map_err(|error| self.refusals.note(error))?;
            }
        }
        Ok(())
    }
}

impl Deref for WriteTx {
    type Target = Tx;

    fn deref(&self) -> &Tx {
        &self.tx
    }
}

impl DerefMut for WriteTx {
    fn deref_mut(&mut self) -> &mut Tx {
        &mut self.tx
    }
}

/// Reads and writes of the few tables without a tenant: keyring, jobs, sign-in attempts, the cloud's keys.
#[derive(Debug)]
pub(crate) struct SystemTx {
    pub(crate) inner: Inner,
}

impl SystemTx {
    pub(crate) async fn commit(self) -> Result<()> {
        match self.inner {
            Inner::Sqlite(tx) => tx.commit().await?,
            Inner::Postgres(tx) => tx.commit().await?,
        }
        Ok(())
    }
}

/// Runs one expression on whichever connection there is.
macro_rules! either {
    ($inner:expr, $connection:ident => $body:expr) => {
        match $inner {
            $crate::tx::Inner::Sqlite(tx) => {
                let $connection = &mut **tx;
                $body.await
            }
            $crate::tx::Inner::Postgres(tx) => {
                let $connection = &mut **tx;
                $body.await
            }
        }
        .map_err($crate::StoreError::from)
    };
}

/// `fetch_all!(tx, Row, "select …  where msp_id = $1 and …", binds…)`: `$1` is always the tenant of the transaction.
macro_rules! fetch_all {
    ($tx:expr, $row:ty, $sql:expr $(, $bind:expr)* $(,)?) => {{
        let msp = $tx.msp().uuid();
        either!(&mut $tx.inner, c => sqlx::query_as::<_, $row>($sql).bind(msp)$(.bind($bind))*.fetch_all(c))
    }};
}

macro_rules! fetch_optional {
    ($tx:expr, $row:ty, $sql:expr $(, $bind:expr)* $(,)?) => {{
        let msp = $tx.msp().uuid();
        either!(&mut $tx.inner, c => sqlx::query_as::<_, $row>($sql).bind(msp)$(.bind($bind))*.fetch_optional(c))
    }};
}

macro_rules! fetch_one {
    ($tx:expr, $row:ty, $sql:expr $(, $bind:expr)* $(,)?) => {{
        let msp = $tx.msp().uuid();
        either!(&mut $tx.inner, c => sqlx::query_as::<_, $row>($sql).bind(msp)$(.bind($bind))*.fetch_one(c))
    }};
}

/// Writes; only a `WriteTx` can. Answers how many rows changed.
macro_rules! execute {
    ($tx:expr, $sql:expr $(, $bind:expr)* $(,)?) => {{
        let msp = $tx.msp().uuid();
        match $tx.writer() {
            $crate::tx::Inner::Sqlite(tx) => {
                sqlx::query($sql).bind(msp)$(.bind($bind))*.execute(&mut **tx).await.map(|done| done.rows_affected())
            }
            $crate::tx::Inner::Postgres(tx) => {
                sqlx::query($sql).bind(msp)$(.bind($bind))*.execute(&mut **tx).await.map(|done| done.rows_affected())
            }
        }
        .map($crate::error::Changed)
        .map_err(|error| $tx.failed(error))
    }};
}

/// Takes the locks of many rows one after the other: `hold!(tx, "select id from t where … order by id", binds…)`. An
/// update of many takes them in whatever order it meets them. SQLite has one writer, and so nothing to do.
macro_rules! hold {
    ($tx:expr, $sql:literal $(, $bind:expr)* $(,)?) => {{
        let msp = $tx.msp().uuid();
        match $tx.writer() {
            $crate::tx::Inner::Sqlite(_) => Ok(()),
            $crate::tx::Inner::Postgres(tx) => {
                let query = sqlx::query(concat!($sql, " for no key update")).bind(msp)$(.bind($bind))*;
                query.execute(&mut **tx).await.map(|_| ())
            }
        }
        .map_err(|error| $tx.failed(error))
    }};
}

/// Writes many rows with multi-row statements: `bulk!(tx, "insert into t (msp_id, …)", rows, |row| [a, b], " on conflict …")`.
/// The tenant is bound first in every row. Not `unnest`: row-level security refuses that under Citus, and SQLite has none.
macro_rules! bulk {
    ($tx:expr, $head:expr, $rows:expr, |$row:ident| [$($bind:expr),+ $(,)?], $tail:expr) => {{
        let msp = $tx.msp().uuid();
        let mut changed = 0_u64;
        for rows in $rows.chunks($crate::tx::BULK_ROWS) {
            $tx.expect_rows(rows.len()).await?;
            changed += match $tx.writer() {
                $crate::tx::Inner::Sqlite(tx) => bulk_one!(sqlx::Sqlite, tx, msp, $head, rows, |$row| [$($bind),+], $tail),
                $crate::tx::Inner::Postgres(tx) => bulk_one!(sqlx::Postgres, tx, msp, $head, rows, |$row| [$($bind),+], $tail),
            }
            .map_err(|error| $tx.failed(error))?;
        }
        Ok::<_, $crate::StoreError>($crate::error::Changed(changed))
    }};
}

macro_rules! bulk_one {
    ($engine:ty, $tx:expr, $msp:expr, $head:expr, $rows:expr, |$row:ident| [$($bind:expr),+], $tail:expr) => {{
        let mut query = sqlx::QueryBuilder::<$engine>::new($head);
        query.push(" ");
        query.push_values($rows, |mut values, $row| {
            values.push_bind($msp);
            $(values.push_bind($bind);)+
        });
        query.push($tail);
        let full = $rows.len() == $crate::tx::BULK_ROWS;
        // Only the full length is worth a place in the statement cache.
        let query = query.build().persistent(full);
        query.execute(&mut **$tx).await.map(|done| done.rows_affected())
    }};
}

/// Reads the rows whose last column of the condition is one of many:
/// `fetch_in!(tx, Row, "select … where msp_id = ", [" and directory_id = " => id], " and guid", guids)`.
/// A list of places on SQLite. On PostgreSQL one array, each value of which looks its rows up by itself: left to choose,
/// the planner compares every row of a table it has no statistics of yet with the whole array.
macro_rules! fetch_in {
    ($tx:expr, $row:ty, $head:expr, [$($and:expr => $bind:expr),*], $column:expr, $values:expr) => {{
        let msp = $tx.msp().uuid();
        match &mut $tx.inner {
            $crate::tx::Inner::Sqlite(tx) => {
                let mut query = sqlx::QueryBuilder::<sqlx::Sqlite>::new($head);
                query.push_bind(msp);
                $(query.push($and).push_bind($bind);)*
                query.push($column).push(" in (");
                let mut list = query.separated(", ");
                for value in $values {
                    list.push_bind(value);
                }
                query.push(")");
                // Only the full length is worth a place in the statement cache.
                let full = $values.len() == $crate::tx::BULK_ROWS;
                query.build_query_as::<$row>().persistent(full).fetch_all(&mut **tx).await
            }
            $crate::tx::Inner::Postgres(tx) => {
                let mut query = sqlx::QueryBuilder::<sqlx::Postgres>::new("select found.* from (select distinct unnest(");
                query.push_bind($values).push(") as value) as wanted cross join lateral (").push($head);
                query.push_bind(msp);
                $(query.push($and).push_bind($bind);)*
                // Without `offset 0` the lookup would be merged into a join, and the planner would choose again.
                query.push($column).push(" = wanted.value offset 0) as found");
                query.build_query_as::<$row>().fetch_all(&mut **tx).await
            }
        }
        .map_err($crate::StoreError::from)
    }};
}

/// Writes the same into every row whose last column of the condition is one of many:
/// `execute_in!(tx, ["update t set a = " => a], " where msp_id = ", " and id", ids)`. At most [`BULK_ROWS`] at a time.
macro_rules! execute_in {
    ($tx:expr, [$($set:expr => $bind:expr),*], $tenant:expr, $column:expr, $values:expr) => {{
        let msp = $tx.msp().uuid();
        match $tx.writer() {
            $crate::tx::Inner::Sqlite(tx) => {
                let mut query = sqlx::QueryBuilder::<sqlx::Sqlite>::default();
                $(query.push($set).push_bind($bind);)*
                query.push($tenant).push_bind(msp).push($column).push(" in (");
                let mut list = query.separated(", ");
                for value in $values {
                    list.push_bind(value);
                }
                query.push(")");
                let full = $values.len() == $crate::tx::BULK_ROWS;
                query.build().persistent(full).execute(&mut **tx).await.map(|done| done.rows_affected())
            }
            $crate::tx::Inner::Postgres(tx) => {
                let mut query = sqlx::QueryBuilder::<sqlx::Postgres>::default();
                $(query.push($set).push_bind($bind);)*
                query.push($tenant).push_bind(msp).push($column).push(" = any(").push_bind($values).push(")");
                query.build().execute(&mut **tx).await.map(|done| done.rows_affected())
            }
        }
        .map($crate::error::Changed)
        .map_err(|error| $tx.failed(error))
    }};
}

/// Rows of one multi-row statement: 20 columns stay well under the 32,766 variables of SQLite.
pub(crate) const BULK_ROWS: usize = 500;
