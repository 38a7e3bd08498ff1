//! The only file where SQLite and PostgreSQL differ: opening, guarding and beginning.

use std::time::Duration;

use rollcall_domain::ids::MspId;
use sqlx::{
    AssertSqlSafe, Connection as _, Executor as _, PgConnection, PgPool, Postgres, Sqlite, SqlitePool, Transaction,
    postgres::{PgConnectOptions, PgPoolOptions},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use crate::{Result, StoreError};

/// Longest wait for a free connection. Longer means overload, and overload is told to the caller.
const ACQUIRE: Duration = Duration::from_secs(10);

/// Longest wait for SQLite's only writer: the cycle of a large customer holds it for some seconds, and whoever presses a
/// button meanwhile should wait rather than fail.
const WRITER: Duration = Duration::from_secs(30);

/// What a database says went wrong, as far as the caller must tell it apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    Unwritable,
    Busy,
    Other,
}

/// SQLite numbers its results, an extended one in its low byte (sqlite.org/rescode.html); PostgreSQL has SQLSTATE
/// (postgresql.org/docs/current/errcodes-appendix.html), which is always five letters.
pub(crate) fn classify(code: &str) -> Trouble {
    let primary = code.parse::<u32>().ok().filter(|_| code.len() < 5).map(|extended| extended & 0xff);
    match (primary, code) {
        // BUSY, LOCKED: another program writes.
        (Some(5 | 6), _) => Trouble::Busy,
        // READONLY, IOERR, FULL, CANTOPEN.
        (Some(8 | 10 | 13 | 14), _) => Trouble::Unwritable,
        // disk_full, io_error, read_only_sql_transaction.
        (None, "53100" | "58030" | "25006") => Trouble::Unwritable,
        // too_many_connections, lock_not_available; serialization_failure, deadlock_detected: the same once more may succeed.
        (None, "53300" | "55P03" | "40001" | "40P01") => Trouble::Busy,
        // admin_shutdown, crash_shutdown, cannot_connect_now, out_of_memory: the server ends or begins, or has too much to do.
        (None, "57P01" | "57P02" | "57P03" | "53200") => Trouble::Busy,
        (Some(_) | None, _) => Trouble::Other,
    }
}

#[derive(Debug, Clone)]
pub(crate) struct SqliteHalves {
    /// One connection: SQLite has one writer, and waiting for it here is fair and needs no retry.
    pub(crate) write: SqlitePool,
    pub(crate) read: SqlitePool,
}

pub(crate) async fn open_sqlite(options: SqliteConnectOptions, readers: u32) -> Result<SqliteHalves> {
    let options = options
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(ACQUIRE)
        .statement_cache_capacity(200)
        .pragma("temp_store", "memory");
    // A large cycle is one transaction: what does not fit the writer's cache is written out and read back again.
    let write =
        sqlite_pool(1).acquire_timeout(WRITER).connect_with(options.clone().pragma("cache_size", "-262144")).await?;
    let readers_options = options.pragma("cache_size", "-16384").pragma("query_only", "true");
    let read = sqlite_pool(readers).connect_with(readers_options).await?;
    Ok(SqliteHalves { write, read })
}

fn sqlite_pool(connections: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(ACQUIRE)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        // Outside a transaction a rollback is an error; that it succeeds shows a connection left inside one.
        // After a full disk or an I/O error SQLite has ended the transaction by itself while sqlx still counts it; such a
        // connection begins no other one, so it is given up.
        .after_release(|connection, _| {
            Box::pin(async move {
                let is_outside = connection.execute("rollback").await.is_err();
                Ok(is_outside && !connection.is_in_transaction())
            })
        })
}

pub(crate) async fn open_postgres(options: PgConnectOptions, connections: u32) -> Result<PgPool> {
    // A plan that was kept from when a table was empty would read all of it ever after.
    let options = options.options([("plan_cache_mode", "force_custom_plan")]);
    // One connection outside the pool: it says why it fails, where the pool would only say that time is over.
    PgConnection::connect_with(&options).await.map_err(StoreError::Unavailable)?.close().await?;
    let pool = PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(ACQUIRE)
        .test_before_acquire(false)
        .before_acquire(|connection, _| {
            Box::pin(async move {
                // Inside an open transaction now() is the time it began, not that of this statement.
                let idle = connection.fetch_one("select now() = statement_timestamp()").await?;
                sqlx::Row::try_get::<bool, _>(&idle, 0)
            })
        })
        // Ends a transaction whose begin() was dropped half-way (sqlx 0.9.0 forgets it). Inside an aborted one the
        // begin fails, and the connection is closed instead. A bare rollback would log a warning each time.
        .after_release(|connection, _| {
            Box::pin(async move { connection.execute("begin; rollback").await.map(|_| true) })
        })
        .connect_with(options)
        .await?;
    Ok(pool)
}

/// Refuses a role for which the wall between tenants does not stand.
pub(crate) async fn refuse_bypass(pool: &PgPool) -> Result<()> {
    let bypasses: bool =
        sqlx::query_scalar("select rolsuper or rolbypassrls from pg_roles where rolname = current_user")
            .fetch_one(pool)
            .await?;
    if bypasses { Err(StoreError::RoleBypassesWall) } else { Ok(()) }
}

/// `begin` runs in a task of its own: a caller that goes away cannot stop it half-way (sqlx#4385, #4409). The finished
/// transaction is then dropped whole, which rolls it back.
pub(crate) async fn begin_sqlite(pool: SqlitePool, statement: &'static str) -> Result<Transaction<'static, Sqlite>> {
    finish(tokio::spawn(async move { pool.begin_with(statement).await })).await
}

/// `None` when the connection is in use: whoever asks has something that can wait for the next time.
pub(crate) async fn begin_sqlite_if_free(
    pool: SqlitePool,
    statement: &'static str,
) -> Result<Option<Transaction<'static, Sqlite>>> {
    finish(tokio::spawn(async move { pool.try_begin_with(statement).await })).await
}

/// What a transaction on PostgreSQL sees. SQLite shows every reader one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sees {
    /// All of it from the moment of its first statement.
    OneMoment,
    /// What is committed when each statement begins: who writes must see what it waited for.
    Newest,
}

impl Sees {
    const fn begin(self) -> &'static str {
        match self {
            Self::OneMoment => "begin isolation level repeatable read read only",
            Self::Newest => "begin",
        }
    }
}

/// The tenant is set in the same round trip. The text is safe: it is printed from a typed UUID.
pub(crate) async fn begin_postgres(
    pool: PgPool,
    sees: Sees,
    msp: Option<MspId>,
) -> Result<Transaction<'static, Postgres>> {
    let begin = sees.begin();
    let statement = match msp {
        Some(msp) => format!("{begin}; set local app.msp_id = '{}'", msp.uuid()),
        None => begin.to_owned(),
    };
    finish(tokio::spawn(async move { pool.begin_with(AssertSqlSafe(statement)).await })).await
}

/// How long PostgreSQL keeps its plans while one transaction writes many rows.
///
/// Elsewhere every execution is planned anew (see [`open_postgres`]). That holds for the checks of foreign keys too, which
/// the server runs for each row: planning them costs more than all else of a large cycle. So from the first large
/// statement on plans are kept, but never for longer than it takes the rows to double.
#[derive(Debug)]
pub(crate) struct Plans {
    written: u64,
    made_at: Option<u64>,
}

/// Rows of one statement from which on keeping plans is worth a round trip.
const MANY_ROWS: usize = 50;

impl Plans {
    pub(crate) const fn new() -> Self {
        Self { written: 0, made_at: None }
    }

    /// Before a statement of so many rows.
    pub(crate) async fn expect(&mut self, tx: &mut Transaction<'static, Postgres>, rows: usize) -> sqlx::Result<()> {
        if rows < MANY_ROWS {
            return Ok(());
        }
        if self.are_due() {
            sqlx::raw_sql("set local plan_cache_mode = 'auto'; discard plans").execute(&mut **tx).await?;
            self.made_at = Some(self.written);
        }
        self.written += rows as u64;
        Ok(())
    }

    fn are_due(&self) -> bool {
        self.made_at.is_none_or(|made_at| self.written >= made_at.saturating_mul(2).max(1))
    }
}

async fn finish<T>(task: tokio::task::JoinHandle<sqlx::Result<T>>) -> Result<T> {
    match task.await {
        Ok(begun) => Ok(begun?),
        Err(_) => Err(StoreError::Unavailable(sqlx::Error::WorkerCrashed)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_told_from_a_busy_database_on_both_engines() {
        // 13: full, 778: an I/O error while writing, 1032: read-only because it was moved; 5, 517: busy, busy snapshot.
        for code in ["13", "778", "1032", "53100", "25006"] {
            assert_eq!(classify(code), Trouble::Unwritable, "{code}");
        }
        for code in ["5", "517", "6", "53300", "40P01", "40001", "57P01", "57P02", "57P03", "53200"] {
            assert_eq!(classify(code), Trouble::Busy, "{code}");
        }
        for code in ["1", "19", "2067", "23505", "42501", "57014", "00013"] {
            assert_eq!(classify(code), Trouble::Other, "{code}");
        }
    }

    #[test]
    fn plans_are_made_again_whenever_the_rows_have_doubled() {
        let due_after = |written, made_at| Plans { written, made_at }.are_due();
        assert!(due_after(0, None));
        assert!(due_after(500, Some(0)), "made when nothing was there");
        assert!(!due_after(999, Some(500)));
        assert!(due_after(1_000, Some(500)));
    }

    #[tokio::test]
    async fn after_a_transaction_that_sqlite_ended_by_itself_the_next_one_begins() {
        let folder = tempfile::tempdir().unwrap();
        let halves = open_sqlite(SqliteConnectOptions::new().filename(folder.path().join("x.db")), 1).await.unwrap();
        let mut tx = begin_sqlite(halves.write.clone(), "begin immediate").await.unwrap();
        tx.execute("create table t (a unique)").await.unwrap();
        tx.commit().await.unwrap();

        // As a full disk does.
        let mut tx = begin_sqlite(halves.write.clone(), "begin immediate").await.unwrap();
        tx.execute("insert into t values (1)").await.unwrap();
        tx.execute("insert or rollback into t values (1)").await.unwrap_err();
        drop(tx);

        let mut tx = begin_sqlite(halves.write.clone(), "begin immediate").await.unwrap();
        tx.execute("insert into t values (1)").await.unwrap();
        tx.commit().await.unwrap();
    }
}
