//! Reading goes on while a large cycle is applied and while the disk is full; what cannot be written is refused by name.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use axum::{
    body::{Body, to_bytes},
    http::{Request, header},
};
use chrono::TimeDelta;
use rollcall_domain::{
    ids::OperatorId,
    role::{Reach, Role},
};
use rollcall_protocol::{
    answer::{Answer, Receipt, Refusal},
    batch::CycleKind,
    body,
};
use rollcall_store::{keyring::SecretHash, operators, sessions, testing::TestDb};
use serde_json::Value;
use uuid::Uuid;

use crate::{
    services::api_keys::{self, KeyWish},
    testing::{TestAgent, TestCloud, person},
};

const PAGES: &[&str] = &["/", "/customers", "/people", "/runs", "/agents", "/audit", "/system"];
const API: &[&str] = &["/api/v1/customers"];

/// Somebody who reads pages and the API all day.
struct Reader<'a> {
    cloud: &'a TestCloud,
    session: String,
    key: String,
}

impl<'a> Reader<'a> {
    async fn sign_in(cloud: &'a TestCloud) -> Self {
        let (scope, now, session) = (&cloud.who.scope, cloud.now(), Uuid::from_u128(0x5e55).to_string());
        let id = cloud.state.mint(OperatorId::mint);
        let owner = operators::NewOperator {
            id,
            email: "olga@northwind.example",
            name: "Olga Owner",
            role: Role::Owner,
            reach: &Reach::All,
            created_at: now,
        };
        let hash = SecretHash::of(session.as_bytes());
        let new = sessions::NewSession { hash, operator: id, ip: None, user_agent: None, now };
        let mut tx = cloud.db().write(scope).await.unwrap();
        operators::insert(&mut tx, scope, owner).await.unwrap();
        sessions::insert(&mut tx, new).await.unwrap();
        tx.commit().await.unwrap();
        let wish = KeyWish { name: "script".into(), role: Role::Admin, customer: None, lifetime: None };
        let key = api_keys::create(&cloud.state, &cloud.who, wish).await.unwrap().key;
        Self { cloud, session, key }
    }

    async fn ask(&self, request: Request<Body>) -> (u16, Vec<u8>) {
        let answer = tokio::time::timeout(Duration::from_mins(1), self.cloud.ask(request)).await.unwrap();
        let status = answer.status().as_u16();
        (status, to_bytes(answer.into_body(), 4 << 20).await.unwrap().to_vec())
    }

    /// Everything once, so long after the last time that each use is to be noted. Answers what was not shown.
    async fn read_all(&self) -> Vec<(&'static str, u16)> {
        self.cloud.pass(TimeDelta::minutes(2));
        let mut odd = Vec::new();
        for path in PAGES.iter().chain(API).copied() {
            let request = Request::get(path)
                .header(header::COOKIE, format!("rollcall={}", self.session))
                .header(header::AUTHORIZATION, format!("Bearer {}", self.key));
            let (status, _) = self.ask(request.body(Body::empty()).unwrap()).await;
            if status != 200 {
                odd.push((path, status));
            }
        }
        odd
    }

    async fn is_ready(&self) -> (u16, Value) {
        let (status, body) = self.ask(Request::get("/readyz?verbose=1").body(Body::empty()).unwrap()).await;
        (status, serde_json::from_slice(&body).unwrap())
    }

    async fn add_customer(&self, name: &str) -> (u16, Value) {
        let request = Request::post("/api/v1/customers")
            .header(header::AUTHORIZATION, format!("Bearer {}", self.key))
            .header(header::CONTENT_TYPE, "application/json");
        let (status, body) = self.ask(request.body(Body::from(format!(r#"{{"name":"{name}"}}"#))).unwrap()).await;
        (status, serde_json::from_slice(&body).unwrap())
    }
}

async fn last_uses(cloud: &TestCloud) -> Vec<chrono::DateTime<chrono::Utc>> {
    let mut tx = cloud.db().read(&cloud.who.scope).await.unwrap();
    let keys = rollcall_store::api_keys::list(&mut tx, &cloud.who.scope).await.unwrap();
    keys.into_iter().filter_map(|key| key.last_used_at).collect()
}

#[tokio::test]
async fn nobody_who_reads_waits_for_who_writes() {
    let cloud = TestCloud::on_sqlite().await;
    let reader = Reader::sign_in(&cloud).await;
    reader.read_all().await;
    let before = last_uses(&cloud).await;

    let writer = cloud.db().write(&cloud.scope).await.unwrap();
    let odd = tokio::time::timeout(Duration::from_secs(20), reader.read_all()).await;

    assert_eq!(odd.expect("no page waits for the writer"), []);
    assert_eq!(last_uses(&cloud).await, before, "what could not be noted is noted the next time");
    drop(writer);
    reader.read_all().await;
    assert_eq!(last_uses(&cloud).await, [cloud.now()]);
}

async fn pages_answer_while_a_cycle_is_applied(cloud: TestCloud) {
    let mut agent = TestAgent::enrol(&cloud, 1).await;
    let import = cloud.import(Uuid::from_u128(0x0f)).await;
    let reader = Reader::sign_in(&cloud).await;
    let crowd = (1..=6_000).map(|number| person(number, &format!("Person {number:05}"), import)).collect();
    for part in agent.read_full(&cloud, crowd, 3) {
        agent.push(&cloud, &part).await;
    }
    let is_applied = AtomicBool::new(false);

    let ((), (rounds, odd)) = tokio::join!(
        async {
            cloud.work().await;
            is_applied.store(true, Ordering::SeqCst);
        },
        async {
            let (mut rounds, mut odd) = (0, Vec::new());
            while !is_applied.load(Ordering::SeqCst) {
                odd.extend(reader.read_all().await);
                rounds += 1;
            }
            (rounds, odd)
        }
    );

    assert_eq!(odd, [], "in {rounds} rounds");
    assert!(rounds > 0);
    assert_eq!(cloud.runs().await[0].counts.added, 6_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_answer_while_a_large_cycle_is_applied_on_sqlite() {
    pages_answer_while_a_cycle_is_applied(TestCloud::on_sqlite().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_answer_while_a_large_cycle_is_applied_on_postgres() {
    let postgres = rollcall_lab::postgres::Postgres::start_private().unwrap();
    let url = postgres.fresh_database().unwrap();
    pages_answer_while_a_cycle_is_applied(TestCloud::on(TestDb::postgres(&url).await.unwrap()).await).await;
}

/// What an agent pushes when it has much to say: nobody inflates it before it is stored.
async fn push_until_refused(
    cloud: &TestCloud,
    agent: &mut TestAgent,
) -> (u64, crate::testing::agent::Sealed, Answer<Receipt>) {
    for taken in 0..200 {
        agent.snapshot += 1;
        let body = body::Body { bytes: vec![7; 100_000], items: 1 };
        let sealed = agent.seal_bodies(cloud, CycleKind::Full, 0, vec![body]).remove(0);
        let answer = agent.push(cloud, &sealed).await;
        if !matches!(answer, Answer::Accepted(_)) {
            return (taken, sealed, answer);
        }
    }
    panic!("the disk never filled");
}

async fn next_seq(cloud: &TestCloud, agent: &TestAgent) -> i64 {
    let mut tx = cloud.db().read(&cloud.who.scope).await.unwrap();
    rollcall_store::agents::find(&mut tx, &cloud.who.scope, agent.id.into()).await.unwrap().unwrap().1.next_seq
}

// proves: R-2
#[tokio::test]
async fn a_full_disk_acknowledges_nothing_and_says_so() {
    let test = TestDb::sqlite_with_room(1_000).await.unwrap();
    let cloud = TestCloud::on(test).await;
    let reader = Reader::sign_in(&cloud).await;
    let mut agent = TestAgent::enrol(&cloud, 1).await;
    assert_eq!(reader.is_ready().await.0, 200);

    let (taken, refused, answer) = push_until_refused(&cloud, &mut agent).await;

    assert!(matches!(answer, Answer::Refused(Refusal::Unavailable { .. })), "{answer:?}");
    assert_eq!(next_seq(&cloud, &agent).await, i64::try_from(taken).unwrap() + 1, "the chain did not move");
    let (status, told) = reader.is_ready().await;
    assert_eq!(
        (status, told["disk"].as_str(), told["database"].as_str()),
        (503, Some("full or read-only"), Some("ok"))
    );
    assert_eq!(reader.read_all().await, [], "what is there can be read");
    let mut problem = (201, Value::Null);
    for number in 0..500 {
        problem = reader.add_customer(&format!("Customer {number}")).await;
        if problem.0 != 201 {
            break;
        }
    }
    assert_eq!((problem.0, problem.1["code"].as_str()), (503, Some("RC-8014")));

    // There is room again, and nothing has to be restarted.
    cloud.test().run_sql(&cloud.who.scope, "pragma max_page_count = 100000").await.unwrap();
    assert!(matches!(agent.push(&cloud, &refused).await, Answer::Accepted(_)));
    assert_eq!(reader.is_ready().await.0, 503, "for a minute after the last refusal");
    cloud.pass(TimeDelta::minutes(2));
    assert_eq!(reader.is_ready().await.0, 200);
}
