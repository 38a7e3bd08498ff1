//! Everything that takes rows of agents, directories, imports, customers and the tenant at the same time, against each
//! other: on PostgreSQL none of them may wait for one that waits for it.

use std::time::Duration;

use rollcall_domain::{
    ids::{AgentId, ImportId},
    import::{ImportSettings, Nesting, RemovalPolicy, Schedule, Selection, SelectionKind},
};
use rollcall_protocol::checkin::EpochWish;
use rollcall_store::{StoreError, testing::TestDb};
use uuid::Uuid;

use crate::{
    jobs,
    services::{
        ServiceError, agents, imports,
        pauses::{self, Target, Wish},
        updates,
    },
    testing::{TestAgent, TestCloud, crowd},
};

const ROUNDS: u8 = 15;

/// What an act of this round waits before it begins, another time for each of them in each round.
async fn stagger(round: u8, act: u8) {
    let step = u64::from(round) * 7 + u64::from(act) * 13;
    tokio::time::sleep(Duration::from_millis(step % 17)).await;
}

/// Whoever came too late is refused with a reason; nobody is refused because two waited for each other.
fn check(act: &str, done: Result<(), ServiceError>) {
    if let Err(ServiceError::Store(error @ (StoreError::Busy(_) | StoreError::Database(_)))) = done {
        panic!("{act}: {error}");
    }
}

async fn revoke(cloud: &TestCloud, round: u8, agent: AgentId) {
    stagger(round, 1).await;
    check("revoke", agents::revoke(&cloud.state, &cloud.who, agent).await);
}

async fn set_up_and_take_away_an_import(cloud: &TestCloud, round: u8) {
    stagger(round, 2).await;
    let (state, who, customer) = (&cloud.state, &cloud.who, cloud.customer);
    let settings = ImportSettings {
        name: "Others".into(),
        selections: vec![Selection { guid: Uuid::from_u128(0x0e), kind: SelectionKind::Ou }],
        excludes: vec![],
        schedule: Schedule::DEFAULT,
        removal_policy: RemovalPolicy::Deactivate,
        grace_days: 30,
        nesting: Nesting::Direct,
    };
    match imports::create(state, who, customer, cloud.directory().await, &settings).await {
        Ok(import) => check("delete", imports::delete(state, who, customer, import).await),
        Err(error) => check("create", Err(error)),
    }
}

async fn pause_and_resume(cloud: &TestCloud, round: u8, act: u8, target: Target) {
    stagger(round, act).await;
    let wish = Wish { reason: "maintenance".into(), until: None };
    check("pause", pauses::pause(&cloud.state, &cloud.who, target, wish).await);
    check("resume", pauses::resume(&cloud.state, &cloud.who, target).await);
}

async fn pin_and_let_go(cloud: &TestCloud, round: u8) {
    stagger(round, 5).await;
    check("pin", updates::pin(&cloud.state, &cloud.who, cloud.customer, Some("9.9.9")).await);
    check("unpin", updates::pin(&cloud.state, &cloud.who, cloud.customer, None).await);
}

async fn check_in(cloud: &TestCloud, round: u8, agent: &mut TestAgent) {
    stagger(round, 6).await;
    for _ in 0..3 {
        let request = agent.checkin_request(cloud, EpochWish::Keep, |_| {});
        let status = cloud.ask(request).await.status().as_u16();
        assert!(status < 500, "check-in: {status}");
    }
}

/// The cycle of a reader that is revoked meanwhile is applied before or refused after; its job ends either way.
async fn apply(cloud: &TestCloud, round: u8) {
    stagger(round, 7).await;
    jobs::run_due(&cloud.state).await.unwrap();
}

async fn send_everybody(cloud: &TestCloud, reader: &mut TestAgent, import: ImportId) {
    for part in reader.read_full(cloud, crowd(60, import), 2) {
        reader.push(cloud, &part).await;
    }
}

/// The reader goes, and the one that stood by takes its place, while all others do what they do.
async fn one_round(cloud: &TestCloud, round: u8, (reader, next): (&mut TestAgent, &mut TestAgent), import: ImportId) {
    send_everybody(cloud, reader, import).await;
    let gone = AgentId::from(reader.id);
    tokio::join!(
        revoke(cloud, round, gone),
        set_up_and_take_away_an_import(cloud, round),
        pause_and_resume(cloud, round, 3, Target::Msp),
        pause_and_resume(cloud, round, 4, Target::Customer(cloud.customer)),
        pause_and_resume(cloud, round, 8, Target::Import(cloud.customer, import)),
        pin_and_let_go(cloud, round),
        check_in(cloud, round, next),
        apply(cloud, round),
    );
    cloud.work().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_two_acts_wait_for_each_other_on_postgres() {
    let postgres = rollcall_lab::postgres::Postgres::start_private().unwrap();
    let url = postgres.fresh_database().unwrap();
    let cloud = Box::pin(TestCloud::on(TestDb::postgres(&url).await.unwrap())).await;
    let mut reader = TestAgent::enrol(&cloud, 1).await;
    let import = cloud.import(Uuid::from_u128(0x0f)).await;

    for round in 0..ROUNDS {
        let mut next = TestAgent::enrol(&cloud, 2 + round).await;
        Box::pin(one_round(&cloud, round, (&mut reader, &mut next), import)).await;
        reader = next;
    }

    send_everybody(&cloud, &mut reader, import).await;
    cloud.work().await;
    assert_eq!(cloud.people().await.len(), 60, "the last reader is heard like the first");
}
