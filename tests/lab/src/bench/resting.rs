//! What the agent costs between its cycles, and how soon it hears of a sync.

use super::customer::Customer;
use super::measured::{Stat, memory_kib};
use super::reading::open_scripted;
use super::report::{Report, Verdict, number};
use super::{BenchError, Options};
use crate::directory::Directory;
use crate::world::{Cloud, CloudSetup};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const USERS: usize = 1_000;
const RESTING_KIB: u64 = 20 * 1024;
const SOON: Duration = Duration::from_secs(1);
const QUIET: Duration = Duration::from_millis(1_500);
/// A wake that takes longer than this did not come.
const PATIENCE: Duration = Duration::from_mins(2);

pub async fn run(options: &Options, report: &mut Report) -> Result<(), BenchError> {
    let (directory, _trust, place) = open_scripted(USERS)?;
    let cloud = Cloud::start(&CloudSetup::default()).await?;
    let mut customer = Customer::install(&cloud, "Bench at rest", &place.source.binding, place.ou).await?;
    customer.agent.run()?;
    let mut last = customer.wait_for_run(&cloud, place.people, &Value::Null).await?;
    rest(options, report, &customer).await?;
    let mut wakes = Vec::new();
    for _ in 0..options.wakes {
        wakes.push(wake(&cloud, &customer, &directory).await?);
        last = customer.wait_for_run(&cloud, place.people, &last).await?;
    }
    wakes.sort_unstable();
    if let Some(late) = wakes.get((wakes.len() * 95).div_ceil(100).saturating_sub(1)) {
        let measured = format!("p95 {} ms of {}", late.as_millis(), wakes.len());
        report.push(
            "sync now until the agent is at the directory",
            "≤ 1 s",
            measured,
            None,
            Verdict::of(|| *late <= SOON),
        );
    }
    Ok(())
}

async fn rest(options: &Options, report: &mut Report, customer: &Customer) -> Result<(), BenchError> {
    let process = customer.agent.process_id().ok_or(BenchError::TooLate("a running agent"))?;
    tokio::time::sleep(Duration::from_secs(options.rest_seconds.min(5))).await;
    let before = Stat::of(process)?.processor;
    tokio::time::sleep(Duration::from_secs(options.rest_seconds)).await;
    let worked = Stat::of(process)?.processor.saturating_sub(before);
    let held = memory_kib(process, "VmRSS:");
    let shown = format!("{:.1} MiB", number(held) / 1024.0);
    report.push("agent at rest: memory", "≤ 20 MiB", shown, None, Verdict::of(|| held <= RESTING_KIB));
    let shown = format!("{} ms of CPU in {} s", worked.as_millis(), options.rest_seconds);
    let is_nothing = worked <= Duration::from_millis(20);
    report.push("agent at rest: work", "none between check-ins", shown, None, Verdict::of(|| is_nothing));
    Ok(())
}

/// How often the agent has connected, once it has not for a while. A sync asked for while an earlier one begins is the
/// same sync, and would never be heard of by itself.
async fn settled(directory: &Directory) -> u64 {
    loop {
        let seen = directory.tally().connections;
        tokio::time::sleep(QUIET).await;
        if directory.tally().connections == seen {
            return seen;
        }
    }
}

/// From the button to the agent's connection at the directory.
async fn wake(cloud: &Cloud, customer: &Customer, directory: &Directory) -> Result<Duration, BenchError> {
    let before = settled(directory).await;
    let started = Instant::now();
    cloud.api().post(&format!("/customers/{}/sync", customer.id), &json!({})).await?;
    while directory.tally().connections == before {
        if started.elapsed() > PATIENCE {
            return Err(BenchError::TooLate("the agent hearing of a sync"));
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    Ok(started.elapsed())
}
