//! How fast the cloud makes accounts, history and a run of a whole cycle, on both databases, beside what the engine needs
//! to take the same rows in.

use super::customer::Customer;
use super::reading::open_scripted;
use super::report::{Report, Verdict, number, ratio};
use super::{BenchError, Options};
use crate::postgres::{self, Postgres};
use crate::world::{Cloud, CloudSetup, Database};
use std::time::{Duration, Instant};

/// Account changes a second.
const ON_SQLITE: f64 = 20_000.0;
const ON_POSTGRES: f64 = 10_000.0;

pub async fn run(options: &Options, report: &mut Report) -> Result<(), BenchError> {
    on("SQLite", ON_SQLITE, Database::Sqlite, options, report, bare_on_sqlite).await?;
    let cluster = Postgres::start()?;
    let url = cluster.fresh_database()?;
    let database = Database::Postgres(url.clone());
    on("PostgreSQL", ON_POSTGRES, database, options, report, |_| bare_on_postgres(&cluster, &url)).await
}

async fn on(
    name: &str,
    budget: f64,
    database: Database,
    options: &Options,
    report: &mut Report,
    bare: impl FnOnce(&Cloud) -> Result<Duration, BenchError>,
) -> Result<(), BenchError> {
    let (_directory, _trust, place) = open_scripted(options.users)?;
    let cloud = Cloud::start(&CloudSetup { database, ..CloudSetup::default() }).await?;
    let customer = Customer::install(&cloud, "Bench apply", &place.source.binding, place.ou).await?;
    customer.sync()?;
    // Applying begins when the last part of the cycle has been acknowledged, which is when the agent ends.
    let started = Instant::now();
    customer.wait_for_run(&cloud, place.people, &serde_json::Value::Null).await?;
    let took = started.elapsed();
    let bare = bare(&cloud)?;
    let rate = number(place.people) / took.as_secs_f64().max(0.001);
    let measured = format!("{rate:.0}/s ({} accounts in {:.2} s)", place.people, took.as_secs_f64());
    let verdict = Verdict::of(|| rate >= budget);
    let what = format!("accounts applied with history, {name}");
    report.push(what, format!("≥ {budget:.0}/s"), measured, Some(ratio(took, bare)), verdict);
    let what = format!("the same rows into bare tables, {name}");
    report.tell(what, format!("{:.2} s", bare.as_secs_f64()), Some(1.0));
    Ok(())
}

/// No keys, no indexes, nothing compared: one statement for each table.
const TABLES: [&str; 2] = ["accounts", "history"];

fn bare_on_sqlite(cloud: &Cloud) -> Result<Duration, BenchError> {
    let folder = tempfile::tempdir()?;
    let db = rusqlite::Connection::open(folder.path().join("bare.db"))?;
    db.execute_batch("pragma journal_mode = wal")?;
    db.execute("attach database ?1 as cloud", [cloud.data_dir().join("rollcall.db").to_string_lossy()])?;
    for table in TABLES {
        db.execute_batch(&format!("create table {table} as select * from cloud.{table} where 0"))?;
    }
    let started = Instant::now();
    let copies: Vec<String> =
        TABLES.iter().map(|table| format!("insert into {table} select * from cloud.{table};")).collect();
    db.execute_batch(&format!("begin; {} commit;", copies.concat()))?;
    Ok(started.elapsed())
}

fn bare_on_postgres(cluster: &Postgres, url: &str) -> Result<Duration, BenchError> {
    let administrator = cluster.administrator_url(postgres::database_of(url));
    for table in TABLES {
        cluster.run_sql(&administrator, &format!("create table bare_{table} as table {table} with no data"))?;
    }
    let started = Instant::now();
    let copies: Vec<String> = TABLES.iter().map(|table| format!("insert into bare_{table} table {table};")).collect();
    cluster.run_sql(&administrator, &copies.concat())?;
    Ok(started.elapsed())
}
