//! Opens the database named by a URL, and hands out transactions to those who hold a scope.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::str::FromStr as _;

use sqlx::{PgPool, migrate::Migrator, postgres::PgConnectOptions, sqlite::SqliteConnectOptions};

use crate::{
    Result, StoreError,
    dialect::{self, Sees, SqliteHalves},
    live::Live,
    scope::Scope,
    tx::{Inner, Refusals, SystemTx, Tx, WriteTx},
};

/// Where the data is. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Db {
    pub(crate) engine: Engine,
    live: Live,
    refusals: Refusals,
}

#[derive(Debug, Clone)]
pub(crate) enum Engine {
    Sqlite(SqliteHalves),
    Postgres(PgPool),
}

/// A database, named by a URL and understood.
#[derive(Debug, Clone)]
pub enum Place {
    Sqlite { file: PathBuf },
    Postgres(Box<PgConnectOptions>),
}

/// The URL names no database that Rollcall knows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a database URL begins with sqlite:// or postgres://")]
pub struct BadUrl;

impl Place {
    pub fn parse(url: &str) -> Result<Self, BadUrl> {
        if let Some(file) = url.strip_prefix("sqlite://").or_else(|| url.strip_prefix("sqlite:")) {
            let file = file.split('?').next().unwrap_or_default();
            return if file.is_empty() { Err(BadUrl) } else { Ok(Self::Sqlite { file: file.into() }) };
        }
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            return PgConnectOptions::from_str(url)
                .map(|options| Self::Postgres(Box::new(options)))
                .map_err(|_| BadUrl);
        }
        Err(BadUrl)
    }

    pub fn sqlite(file: impl AsRef<Path>) -> Self {
        Self::Sqlite { file: file.as_ref().to_owned() }
    }

    /// For people: without a password.
    pub fn describe(&self) -> String {
        match self {
            Self::Sqlite { file } => format!("SQLite at {}", file.display()),
            Self::Postgres(options) => format!(
                "PostgreSQL database {} at {}:{} as {}",
                options.get_database().unwrap_or("(default)"),
                options.get_host(),
                options.get_port(),
                options.get_username()
            ),
        }
    }
}

/// How many connections: readers of SQLite, or all of PostgreSQL.
#[derive(Debug, Clone, Copy)]
pub struct PoolSize(pub u32);

static SQLITE: Migrator = sqlx::migrate!("migrations/sqlite");
static POSTGRES: Migrator = sqlx::migrate!("migrations/postgres");

/// The tables, compared with what this program knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tables {
    Current,
    /// Something is to be migrated, perhaps everything.
    Older,
    /// A newer program has migrated them.
    Newer,
}

impl Db {
    pub async fn open(place: &Place, size: PoolSize) -> Result<Self> {
        let live = Live::new();
        let engine = match place {
            Place::Sqlite { file } => {
                Engine::Sqlite(dialect::open_sqlite(SqliteConnectOptions::new().filename(file), size.0).await?)
            }
            Place::Postgres(options) => Engine::Postgres(dialect::open_postgres((**options).clone(), size.0).await?),
        };
        Ok(Self { engine, live, refusals: Refusals::default() })
    }

    /// As on a disk with room for so many pages of 4 KiB.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) async fn open_with_room(file: &Path, pages: u32, size: PoolSize) -> Result<Self> {
        let options = SqliteConnectOptions::new().filename(file).pragma("max_page_count", pages.to_string());
        let engine = Engine::Sqlite(dialect::open_sqlite(options, size.0).await?);
        Ok(Self { engine, live: Live::new(), refusals: Refusals::default() })
    }

    /// Brings the tables up to this version.
    pub async fn migrate(&self) -> Result<()> {
        match &self.engine {
            Engine::Sqlite(halves) => SQLITE.run(&halves.write).await?,
            Engine::Postgres(pool) => POSTGRES.run(pool).await?,
        }
        Ok(())
    }

    /// Of which version the tables are. Changes nothing.
    pub async fn tables(&self) -> Tables {
        let applied = "select version from _sqlx_migrations where success order by version";
        let (known, applied): (_, std::result::Result<Vec<(i64,)>, sqlx::Error>) = match &self.engine {
            Engine::Sqlite(halves) => (&SQLITE, sqlx::query_as(applied).fetch_all(&halves.read).await),
            Engine::Postgres(pool) => (&POSTGRES, sqlx::query_as(applied).fetch_all(pool).await),
        };
        // A database that nobody has set up yet has not even this table.
        let applied: BTreeSet<i64> = applied.unwrap_or_default().into_iter().map(|(version,)| version).collect();
        let known: BTreeSet<i64> = known.iter().map(|migration| migration.version).collect();
        if !applied.is_subset(&known) {
            Tables::Newer
        } else if applied == known {
            Tables::Current
        } else {
            Tables::Older
        }
    }

    /// Refuses to go on where the wall between tenants would not stand.
    pub async fn check_wall(&self) -> Result<()> {
        match &self.engine {
            Engine::Sqlite(_) => Ok(()),
            Engine::Postgres(pool) => dialect::refuse_bypass(pool).await,
        }
    }

    pub const fn engine_name(&self) -> &'static str {
        match self.engine {
            Engine::Sqlite(_) => "sqlite",
            Engine::Postgres(_) => "postgres",
        }
    }

    pub const fn live(&self) -> &Live {
        &self.live
    }

    pub async fn read(&self, scope: &impl Scope) -> Result<Tx> {
        let inner = match &self.engine {
            Engine::Sqlite(halves) => Inner::Sqlite(dialect::begin_sqlite(halves.read.clone(), "begin").await?),
            Engine::Postgres(pool) => {
                Inner::Postgres(dialect::begin_postgres(pool.clone(), Sees::OneMoment, Some(scope.msp())).await?)
            }
        };
        Ok(Tx::new(inner, scope.msp()))
    }

    pub async fn write(&self, scope: &impl Scope) -> Result<WriteTx> {
        let inner = match &self.engine {
            Engine::Sqlite(halves) => {
                Inner::Sqlite(dialect::begin_sqlite(halves.write.clone(), "begin immediate").await?)
            }
            Engine::Postgres(pool) => {
                Inner::Postgres(dialect::begin_postgres(pool.clone(), Sees::Newest, Some(scope.msp())).await?)
            }
        };
        Ok(self.to_write_tx(inner, scope))
    }

    /// For what may as well be written the next time: on SQLite a large cycle may hold the writer for seconds, and nobody
    /// who only reads should wait for it. `None`: not now.
    pub async fn write_if_free(&self, scope: &impl Scope) -> Result<Option<WriteTx>> {
        match &self.engine {
            Engine::Sqlite(halves) => {
                let begun = dialect::begin_sqlite_if_free(halves.write.clone(), "begin immediate").await?;
                Ok(begun.map(|tx| self.to_write_tx(Inner::Sqlite(tx), scope)))
            }
            Engine::Postgres(_) => self.write(scope).await.map(Some),
        }
    }

    fn to_write_tx(&self, inner: Inner, scope: &impl Scope) -> WriteTx {
        WriteTx::new(Tx::new(inner, scope.msp()), self.live.clone(), self.refusals.clone())
    }

    /// How often the disk refused a write.
    pub const fn refusals(&self) -> &Refusals {
        &self.refusals
    }

    /// For the tables without a tenant.
    pub(crate) async fn system(&self) -> Result<SystemTx> {
        let inner = match &self.engine {
            Engine::Sqlite(halves) => {
                Inner::Sqlite(dialect::begin_sqlite(halves.write.clone(), "begin immediate").await?)
            }
            Engine::Postgres(pool) => Inner::Postgres(dialect::begin_postgres(pool.clone(), Sees::Newest, None).await?),
        };
        Ok(SystemTx { inner })
    }

    /// The same, reading only; on SQLite it does not wait for the writer.
    pub(crate) async fn system_read(&self) -> Result<SystemTx> {
        let inner = match &self.engine {
            Engine::Sqlite(halves) => Inner::Sqlite(dialect::begin_sqlite(halves.read.clone(), "begin").await?),
            Engine::Postgres(pool) => Inner::Postgres(dialect::begin_postgres(pool.clone(), Sees::Newest, None).await?),
        };
        Ok(SystemTx { inner })
    }

    /// One round trip: is the database there?
    pub async fn ping(&self) -> Result<()> {
        let mut tx = self.system_read().await?;
        let (_,): (i32,) = either!(&mut tx.inner, c => sqlx::query_as("select 1").fetch_one(c))?;
        Ok(())
    }

    /// Lets open transactions end, then closes.
    pub async fn close(&self) {
        match &self.engine {
            Engine::Sqlite(halves) => {
                halves.read.close().await;
                halves.write.close().await;
            }
            Engine::Postgres(pool) => pool.close().await,
        }
    }
}

impl From<BadUrl> for StoreError {
    fn from(error: BadUrl) -> Self {
        Self::Unreadable(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_sqlite_or_postgres_and_nothing_else() {
        assert!(
            matches!(Place::parse("sqlite:///var/lib/x.db"), Ok(Place::Sqlite { file }) if file == Path::new("/var/lib/x.db"))
        );
        assert!(matches!(Place::parse("postgres://u:p@h/db"), Ok(Place::Postgres(_))));
        assert_eq!(Place::parse("mysql://h/db").err(), Some(BadUrl));
        assert_eq!(Place::parse("sqlite://").err(), Some(BadUrl));
    }

    #[test]
    fn a_password_is_never_described() {
        let place = Place::parse("postgres://ana:s3cret@db.example:6432/rollcall").unwrap();
        assert_eq!(place.describe(), "PostgreSQL database rollcall at db.example:6432 as ana");
    }
}
