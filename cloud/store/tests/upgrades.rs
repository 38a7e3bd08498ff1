//! A database of every earlier version, with a row in each of its tables, is brought up to this version and keeps them.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use rollcall_lab::postgres::Postgres;
use rollcall_store::{
    Db,
    db::{Place, PoolSize},
};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, SqliteConnection, migrate::Migrator};
use uuid::Uuid;

static ON_SQLITE: Migrator = sqlx::migrate!("migrations/sqlite");
static ON_POSTGRES: Migrator = sqlx::migrate!("migrations/postgres");

/// Every key of every row: so each row belongs to each other one.
const ID: Uuid = Uuid::from_u128(1);
const TIME: &str = "2026-11-01T08:30:00+00:00";
/// The last version that had one rollout for all platforms.
const ONE_FOR_ALL: i64 = 24;

/// Table, and its columns with their types.
type Table = (String, Vec<(String, String)>);

fn insert(table: &Table, spell: impl Fn(&str, &str) -> String) -> String {
    let (name, columns) = table;
    let names: Vec<&str> = columns.iter().map(|(name, _)| name.as_str()).collect();
    let values: Vec<String> = columns.iter().map(|(name, kind)| spell(name, kind)).collect();
    format!("insert into {name} ({}) values ({})", names.join(", "), values.join(", "))
}

fn in_sqlite(name: &str, kind: &str) -> String {
    match kind.to_lowercase().as_str() {
        "blob" => format!("x'{}'", ID.simple()),
        "integer" => "1".into(),
        "text" if name == "at" || name.ends_with("_at") || name.ends_with("since") => format!("'{TIME}'"),
        "text" => "'{}'".into(),
        other => panic!("{name} {other}"),
    }
}

fn in_postgres(name: &str, kind: &str) -> String {
    match kind {
        "uuid" => format!("'{ID}'"),
        "bigint" => "1".into(),
        "boolean" => "true".into(),
        "timestamp with time zone" => format!("'{TIME}'"),
        "bytea" => "'\\x01'".into(),
        "text" | "jsonb" => "'{}'".into(),
        other => panic!("{name} {other}"),
    }
}

/// From here on a consent is of one import and of so many people.
const CONSENTS_WITH_A_NUMBER: i64 = 30;

/// What a version that had one rollout for all platforms says of it.
const ROLLOUT: &str = "update rollouts set version = '1.4.0', ring = 'tenth', cutoff = 6500, state = 'running'";

/// The last version that searched for names by the database's own lower().
const SEARCHED_BY_THE_DATABASE: i64 = 31;
const CAPITALS: &str = "update customers set name = 'ÄRZTEHAUS Škoda ΑΘΗΝΑ МОСКВА 1'";
const SEARCHED: &str = "select search from customers";
const SMALL: &str = "ärztehaus škoda αθηνα москва 1";

async fn fill_sqlite(db: &mut SqliteConnection) -> Vec<Table> {
    let names: Vec<(String,)> = sqlx::query_as(
        "select name from sqlite_master where type = 'table' and name not like 'sqlite_%' and name not like '_sqlx_%'",
    )
    .fetch_all(&mut *db)
    .await
    .unwrap();
    let mut tables = Vec::new();
    for (name,) in names {
        let columns = sqlx::query_as("select name, type from pragma_table_info($1)").bind(&name);
        tables.push((name.clone(), columns.fetch_all(&mut *db).await.unwrap()));
    }
    let rows: Vec<String> = tables.iter().map(|table| insert(table, in_sqlite)).collect();
    let all = format!("begin; pragma defer_foreign_keys = on; {}; commit", rows.join("; "));
    db.execute(AssertSqlSafe(all)).await.unwrap();
    tables
}

/// A row waits until those are there that it belongs to.
async fn fill_postgres(db: &mut PgConnection) -> Vec<Table> {
    let names: Vec<(String,)> = sqlx::query_as(
        "select table_name::text
         from information_schema.tables
         where table_schema = current_schema() and table_name <> '_sqlx_migrations'",
    )
    .fetch_all(&mut *db)
    .await
    .unwrap();
    let mut tables = Vec::new();
    for (name,) in names {
        let columns = sqlx::query_as(
            "select column_name::text, data_type::text
             from information_schema.columns
             where table_schema = current_schema() and table_name = $1",
        );
        tables.push((name.clone(), columns.bind(&name).fetch_all(&mut *db).await.unwrap()));
    }
    let mut waiting: Vec<&Table> = tables.iter().collect();
    while !waiting.is_empty() {
        let mut left = Vec::new();
        let mut why = None;
        for table in &waiting {
            if let Err(error) = db.execute(AssertSqlSafe(insert(table, in_postgres))).await {
                left.push(*table);
                why = Some(error);
            }
        }
        assert!(left.len() < waiting.len(), "{why:?}");
        waiting = left;
    }
    tables
}

/// A consent that named neither its import nor a number is asked for once more.
fn is_kept(version: i64, table: &Table) -> bool {
    version >= CONSENTS_WITH_A_NUMBER || table.0 != "clearing_consents"
}

fn count(table: &Table) -> AssertSqlSafe<String> {
    AssertSqlSafe(format!("select count(*) from {}", table.0))
}

fn versions(all: &Migrator) -> Vec<i64> {
    all.iter().map(|migration| migration.version).collect()
}

async fn bring_up(place: &Place) {
    let db = Db::open(place, PoolSize(2)).await.unwrap();
    db.migrate().await.unwrap();
    db.close().await;
}

/// Platform, ring, place and state of a rollout, and whether it waits for looks anew.
type Told = (String, String, i64, String, bool);

const ROLLOUTS: &str = "select platform, ring, cutoff, state, present_since = looked_at
                        from rollouts
                        where version = '1.4.0'
                        order by platform";

/// Each platform goes on where all of them were.
fn one_for_each_platform() -> [Told; 2] {
    ["x86_64-linux", "x86_64-windows"].map(|platform| (platform.into(), "tenth".into(), 6_500, "running".into(), true))
}

#[tokio::test]
async fn every_earlier_sqlite_database_keeps_its_rows() {
    for version in versions(&ON_SQLITE) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("rollcall.db");
        let mut old = SqliteConnection::connect(&format!("sqlite:{}?mode=rwc", file.display())).await.unwrap();
        ON_SQLITE.run_to(version, &mut old).await.unwrap();
        let tables = fill_sqlite(&mut old).await;
        if version == ONE_FOR_ALL {
            old.execute(ROLLOUT).await.unwrap();
        }
        if version == SEARCHED_BY_THE_DATABASE {
            old.execute(CAPITALS).await.unwrap();
        }
        old.close().await.unwrap();

        bring_up(&Place::sqlite(&file)).await;

        let mut new = SqliteConnection::connect(&format!("sqlite:{}", file.display())).await.unwrap();
        for table in tables.iter().filter(|table| is_kept(version, table)) {
            let (rows,): (i64,) = sqlx::query_as(count(table)).fetch_one(&mut new).await.unwrap();
            assert!(rows > 0, "{} of version {version} is empty", table.0);
        }
        if version == ONE_FOR_ALL {
            let rollouts: Vec<Told> = sqlx::query_as(ROLLOUTS).fetch_all(&mut new).await.unwrap();
            assert_eq!(rollouts, one_for_each_platform());
        }
        if version == SEARCHED_BY_THE_DATABASE {
            let (search,): (String,) = sqlx::query_as(SEARCHED).fetch_one(&mut new).await.unwrap();
            assert_eq!(search, SMALL);
        }
    }
}

#[tokio::test]
async fn every_earlier_postgres_database_keeps_its_rows() {
    let postgres = Postgres::start_private().unwrap();
    for version in versions(&ON_POSTGRES) {
        let url = postgres.fresh_database().unwrap();
        let mut old = PgConnection::connect(&url).await.unwrap();
        ON_POSTGRES.run_to(version, &mut old).await.unwrap();
        old.execute(AssertSqlSafe(format!("set app.msp_id = '{ID}'"))).await.unwrap();
        let tables = fill_postgres(&mut old).await;
        if version == ONE_FOR_ALL {
            old.execute(ROLLOUT).await.unwrap();
        }
        if version == SEARCHED_BY_THE_DATABASE {
            old.execute(CAPITALS).await.unwrap();
        }

        bring_up(&Place::parse(&url).unwrap()).await;

        for table in tables.iter().filter(|table| is_kept(version, table)) {
            let (rows,): (i64,) = sqlx::query_as(count(table)).fetch_one(&mut old).await.unwrap();
            assert!(rows > 0, "{} of version {version} is empty", table.0);
        }
        if version == ONE_FOR_ALL {
            let rollouts: Vec<Told> = sqlx::query_as(ROLLOUTS).fetch_all(&mut old).await.unwrap();
            assert_eq!(rollouts, one_for_each_platform());
        }
        if version == SEARCHED_BY_THE_DATABASE {
            let (search,): (String,) = sqlx::query_as(SEARCHED).fetch_one(&mut old).await.unwrap();
            assert_eq!(search, SMALL);
        }
    }
}
