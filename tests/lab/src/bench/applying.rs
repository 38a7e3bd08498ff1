//! How fast the cloud makes accounts, history and a run of a whole cycle, on both databases.

use super::customer::Customer;
use super::reading::open_scripted;
use super::report::{Report, Verdict, number};
use super::{BenchError, Options};
use crate::postgres::Postgres;
use crate::world::{Cloud, CloudSetup, Database};
use std::time::Instant;

/// Account changes a second.
const ON_SQLITE: f64 = 20_000.0;
const ON_POSTGRES: f64 = 10_000.0;

pub async fn run(options: &Options, report: &mut Report) -> Result<(), BenchError> {
    on(Database::Sqlite, "SQLite", ON_SQLITE, options, report).await?;
    let cluster = Postgres::start()?;
    on(Database::Postgres(cluster.fresh_database()?), "PostgreSQL", ON_POSTGRES, options, report).await
}

async fn on(
    database: Database,
    name: &str,
    budget: f64,
    options: &Options,
    report: &mut Report,
) -> Result<(), BenchError> {
    let (_directory, _trust, place) = open_scripted(options.users)?;
    let cloud = Cloud::start(&CloudSetup { database, ..CloudSetup::default() }).await?;
    let customer = Customer::install(&cloud, "Bench apply", &place.source.binding, place.ou).await?;
    customer.sync()?;
    // Applying begins when the last part of the cycle has been acknowledged, which is when the agent ends.
    let started = Instant::now();
    customer.wait_for_run(&cloud, place.people, &serde_json::Value::Null).await?;
    let took = started.elapsed().as_secs_f64();
    let rate = number(place.people) / took.max(0.001);
    let measured = format!("{rate:.0}/s ({} accounts in {took:.2} s)", place.people);
    let verdict = Verdict::of(|| rate >= budget);
    report.push(format!("accounts applied with history, {name}"), format!("≥ {budget:.0}/s"), measured, None, verdict);
    Ok(())
}
