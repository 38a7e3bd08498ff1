//! Measurements of apply, run by hand: `cargo test --release -p rollcall --lib measure -- --ignored --nocapture`.

use std::time::Instant;

use rollcall_protocol::{evidence::Evidence, person::Person};
use rollcall_store::testing::TestDb;
use uuid::Uuid;

use crate::testing::{TestAgent, TestCloud, person};

const PEOPLE: u128 = 50_000;

fn crowd(import: rollcall_domain::ids::ImportId, title: &str) -> Vec<Person> {
    let one = |number: u128| Person {
        given_name: Some("Given".into()),
        surname: Some(format!("Surname{number}")),
        phone: Some("+49 30 1234567".into()),
        department: Some("Sales and Marketing".into()),
        company: Some("Contoso GmbH".into()),
        title: Some(title.to_owned()),
        sid: Some(format!("S-1-5-21-1111111111-2222222222-3333333333-{number}")),
        // Spread like real objectGUIDs, so that the unique index is written in random order.
        guid: Uuid::from_u128(number.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)),
        ..person(number, &format!("Given Surname{number}"), import)
    };
    (1..=PEOPLE).map(one).collect()
}

async fn timed(label: &str, changes: u128, work: impl Future<Output = ()>) {
    let (start, busy) = (Instant::now(), cpu_millis());
    work.await;
    let (took, busy) = (start.elapsed().as_millis().max(1), cpu_millis() - busy);
    println!("{label}: {changes} in {took} ms = {}/s; {busy} ms of CPU in this process", changes * 1_000 / took);
}

/// Time on the processor of all threads, which a busy machine does not stretch (proc(5), fields 14 and 15 in 10 ms).
fn cpu_millis() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    [11, 12].iter().map(|at| fields[*at].parse::<u64>().unwrap() * 10).sum()
}

async fn measure(cloud: TestCloud, engine: &str) {
    let mut agent = TestAgent::enrol(&cloud, 1).await;
    let import = cloud.import(Uuid::from_u128(0x0f)).await;
    for part in agent.read_full(&cloud, crowd(import, "Clerk"), 10) {
        agent.push(&cloud, &part).await;
    }
    timed(&format!("{engine}: first sync"), PEOPLE, cloud.work()).await;
    let all = crowd(import, "Clerk");
    let changed: Vec<Person> = crowd(import, "Head of Sales")
        .into_iter()
        .zip(all)
        .map(|(new, old)| if new.guid.as_u128() % 5 < 2 { new } else { old })
        .collect();
    let count = changed.iter().filter(|person| person.title.as_deref() == Some("Head of Sales")).count();
    let now = changed.iter().map(|person| (person.guid, person.clone()));
    let before = agent.people.clone();
    let items: Vec<_> = now
        .filter(|(guid, person)| before[guid].person != *person)
        .map(|(_, person)| rollcall_protocol::person::PersonRecord::write(person).unwrap())
        .collect();
    for record in &items {
        agent.people.insert(record.person.guid, record.clone());
    }
    let base = agent.snapshot;
    agent.snapshot += 1;
    let items: Vec<Vec<_>> =
        items.chunks(5_000).map(|chunk| chunk.iter().map(crate::testing::people::present).collect()).collect();
    for part in agent.seal(&cloud, rollcall_protocol::batch::CycleKind::Delta, base, &items) {
        agent.push(&cloud, &part).await;
    }
    timed(&format!("{engine}: updates"), count as u128, cloud.work()).await;
    let sealed =
        agent.read(&cloud, agent.people.values().map(|record| record.person.clone()).collect(), &Evidence::Deleted);
    agent.push(&cloud, &sealed).await;
    timed(&format!("{engine}: nothing changed"), PEOPLE, cloud.work()).await;
    assert_eq!(cloud.runs().await[0].digest_agrees, Some(true));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement, not a test"]
async fn measure_on_sqlite() {
    Box::pin(measure(TestCloud::on_sqlite().await, "sqlite")).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement, not a test"]
async fn measure_on_postgres() {
    let postgres = rollcall_lab::postgres::Postgres::start_private().unwrap();
    let url = postgres.fresh_database().unwrap();
    let cloud = TestCloud::on(TestDb::postgres(&url).await.unwrap()).await;
    Box::pin(measure(cloud, "postgres")).await;
}
