//! Throw-away databases for the tests of this crate and of those above it.

use sqlx::AssertSqlSafe;
use tempfile::TempDir;

use crate::{
    Db, MspScope, Result, StoreError,
    db::{Place, PoolSize},
};

const CONNECTIONS: PoolSize = PoolSize(4);

/// A migrated, empty database. Dropping it removes the file; a PostgreSQL database goes with its cluster.
#[derive(Debug)]
pub struct TestDb {
    pub db: Db,
    pub place: Place,
    _folder: Option<TempDir>,
}

impl TestDb {
    pub async fn sqlite() -> Result<Self> {
        let folder = tempfile::tempdir().map_err(|error| StoreError::Unreadable(error.to_string()))?;
        let place = Place::sqlite(folder.path().join("test.db"));
        let db = Self::open(&place, CONNECTIONS).await?;
        Ok(Self { db, place, _folder: Some(folder) })
    }

    /// On a disk with room for so many pages of 4 KiB.
    pub async fn sqlite_with_room(pages: u32) -> Result<Self> {
        let folder = tempfile::tempdir().map_err(|error| StoreError::Unreadable(error.to_string()))?;
        let file = folder.path().join("test.db");
        let db = Db::open_with_room(&file, pages, PoolSize(4)).await?;
        db.migrate().await?;
        Ok(Self { db, place: Place::sqlite(file), _folder: Some(folder) })
    }

    /// `url` names an empty database whose role owns it and cannot pass row-level security by.
    pub async fn postgres(url: &str) -> Result<Self> {
        Self::postgres_with(url, CONNECTIONS).await
    }

    /// The same with another number of connections; the listener of its notifications has one of them.
    pub async fn postgres_with(url: &str, size: PoolSize) -> Result<Self> {
        let place = Place::parse(url)?;
        let db = Self::open(&place, size).await?;
        db.check_wall().await?;
        Ok(Self { db, place, _folder: None })
    }

    async fn open(place: &Place, size: PoolSize) -> Result<Db> {
        let db = Db::open(place, size).await?;
        db.migrate().await?;
        Ok(db)
    }

    /// Connections that wait for nothing inside a transaction. SQLite cannot be asked, but its writer would be locked.
    pub async fn count_open_transactions(&self, msp: &MspScope) -> Result<i64> {
        let mut tx = self.db.read(msp).await?;
        match &mut tx.inner {
            crate::tx::Inner::Sqlite(_) => Ok(0),
            crate::tx::Inner::Postgres(tx) => Ok(sqlx::query_scalar(
                "select count(*)
                 from pg_stat_activity
                 where datname = current_database() and state like 'idle in transaction%'",
            )
            .fetch_one(&mut **tx)
            .await?),
        }
    }

    /// Tables that name a tenant and have no forced wall around it. SQLite has no walls to forget.
    pub async fn list_unwalled(&self, msp: &MspScope) -> Result<Vec<String>> {
        let mut tx = self.db.read(msp).await?;
        match &mut tx.inner {
            crate::tx::Inner::Sqlite(_) => Ok(Vec::new()),
            crate::tx::Inner::Postgres(tx) => Ok(sqlx::query_scalar(
                "select c.relname::text
                 from pg_class c
                 join pg_namespace n on n.oid = c.relnamespace
                 join pg_attribute a on a.attrelid = c.oid and a.attname = 'msp_id' and not a.attisdropped
                 where c.relkind in ('r', 'p') and n.nspname = current_schema()
                     and not (c.relrowsecurity and c.relforcerowsecurity
                         and exists (select 1 from pg_policy p where p.polrelid = c.oid))
                 order by c.relname",
            )
            .fetch_all(&mut **tx)
            .await?),
        }
    }

    /// Any statement as this tenant: what no function of the store would do.
    pub async fn run_sql(&self, msp: &MspScope, sql: &str) -> Result<u64> {
        let mut tx = self.db.write(msp).await?;
        let changed = match tx.writer() {
            crate::tx::Inner::Sqlite(tx) => {
                sqlx::query(AssertSqlSafe(sql)).execute(&mut **tx).await.map(|done| done.rows_affected())
            }
            crate::tx::Inner::Postgres(tx) => {
                sqlx::query(AssertSqlSafe(sql)).execute(&mut **tx).await.map(|done| done.rows_affected())
            }
        }?;
        tx.commit().await?;
        Ok(changed)
    }
}
