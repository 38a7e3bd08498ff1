//! A version goes out ring by ring, stops when it does harm, and obeys what people say about it.

use axum::{
    body::Body,
    http::{Request, header},
};
use chrono::TimeDelta;
use rollcall_domain::{
    ids::OperatorId,
    role::{Reach, Role},
    rollout::Window,
};
use rollcall_protocol::{
    checkin::Problem,
    hash::{BodyDigest, Hash},
    jws::{self, Kind},
    key::PrivateKey,
    path,
    request::RequestClaims,
    update::{
        Version,
        metadata::{Platform, Release},
        name,
        publish::{self, Lives, Signers},
        report::{UpdateOutcome, UpdateReport},
    },
};
use rollcall_store::{
    operators::{self, NewOperator},
    updates as store,
};

use super::*;
use crate::{
    mail::relay::{Mood, Relay},
    services::updates::{self as acts, Decision},
    testing::{TestAgent, TestCloud, stories},
};
use rollcall_protocol::checkin::EpochWish;

const PROGRAM: &[u8] = b"the program of the new version";

fn makers() -> Signers {
    let key = |seed| vec![PrivateKey::from_seed(&[seed; 32])];
    Signers { root: key(1), targets: key(2), snapshot: key(3), timestamp: key(4) }
}

fn publish(cloud: &TestCloud, number: u64, versions: &[&str]) {
    let release = |version: &&str| Release {
        version: version.parse().unwrap(),
        platform: Platform::new("x86_64-windows"),
        length: PROGRAM.len() as u64,
        sha256: Hash::of(PROGRAM),
    };
    let list = versions.iter().map(release).collect();
    let now = cloud.now();
    let mut files = vec![publish::root(1, &makers(), &[], now + TimeDelta::days(900)).unwrap()];
    files.extend(publish::releases(number, list, &makers(), now, Lives::default()).unwrap());
    for (name, text) in files {
        std::fs::write(cloud.releases.path().join(name), text).unwrap();
    }
    std::fs::write(cloud.releases.path().join(name::file(&Hash::of(PROGRAM))), PROGRAM).unwrap();
    // What was read before is forgotten by then.
    cloud.pass(TimeDelta::minutes(1));
}

/// Checks in as this version; answers which version is wanted, if it was told anything.
async fn as_version(cloud: &TestCloud, agent: &mut TestAgent, version: &str) -> Option<String> {
    let told = agent.check_in_saying(cloud, EpochWish::Keep, |request| request.status.version = version.into()).await;
    told.and_then(|desired| desired.update).map(|wanted| wanted.version.to_string())
}

async fn as_taken_back(cloud: &TestCloud, agent: &mut TestAgent, from: &str) -> Option<String> {
    let now = cloud.now();
    let told = agent.check_in_saying(cloud, EpochWish::Keep, |request| {
        let version: Version = from.parse().unwrap();
        request.status.update = Some(UpdateReport { version, outcome: UpdateOutcome::TakenBack });
        let detail = format!("version {from}: it ended by itself each time it was started");
        request.status.problems.push(Problem { code: "RC-1050".into(), detail, since: now });
    });
    told.await.and_then(|desired| desired.update).map(|wanted| wanted.version.to_string())
}

async fn rollout(cloud: &TestCloud, version: &str) -> Rollout {
    let mut tx = cloud.db().read(&cloud.who.scope).await.unwrap();
    store::find(&mut tx, version).await.unwrap().unwrap()
}

/// Agents of one customer, and the one that comes first for this version.
async fn agents(cloud: &TestCloud, number: u8) -> Vec<TestAgent> {
    let mut agents = Vec::new();
    for seed in 1..=number {
        agents.push(TestAgent::enrol(cloud, seed).await);
    }
    agents.sort_by_key(|agent| place(agent.id, "0.2.0"));
    agents
}

stories! { updates_go_the_same_way_on_postgres: [
    a_version_goes_to_one_agent_then_to_all_that_follow,
    one_that_goes_back_stops_the_rest_until_a_person_says_go_on,
    each_stop_is_one_mail_to_whoever_may_decide,
    agents_that_fall_silent_with_the_new_version_stop_the_rest,
    a_paused_rollout_takes_its_offer_back,
    nobody_is_asked_outside_the_hours,
    a_pinned_customer_stays_or_goes_straight_to_its_version,
    an_expired_publication_is_not_offered,
    files_are_handed_to_enrolled_agents_and_only_files_of_a_publication,
] }

async fn a_version_goes_to_one_agent_then_to_all_that_follow(cloud: TestCloud) {
    let mut agents = agents(&cloud, 3).await;
    publish(&cloud, 1, &["0.2.0"]);

    assert_eq!(as_version(&cloud, &mut agents[2], "0.1.0").await, None, "the last has to wait");
    assert_eq!(as_version(&cloud, &mut agents[0], "0.1.0").await.as_deref(), Some("0.2.0"));
    as_version(&cloud, &mut agents[0], "0.2.0").await;
    cloud.pass(TimeDelta::hours(25));
    as_version(&cloud, &mut agents[0], "0.2.0").await;
    as_version(&cloud, &mut agents[1], "0.1.0").await;
    assert_eq!(rollout(&cloud, "0.2.0").await.ring, Ring::Tenth);
    cloud.pass(TimeDelta::hours(25));
    as_version(&cloud, &mut agents[0], "0.2.0").await;

    assert_eq!(as_version(&cloud, &mut agents[1], "0.1.0").await.as_deref(), Some("0.2.0"));
    assert_eq!(as_version(&cloud, &mut agents[2], "0.1.0").await.as_deref(), Some("0.2.0"));
    assert_eq!(rollout(&cloud, "0.2.0").await.ring, Ring::All);
}

async fn one_that_goes_back_stops_the_rest_until_a_person_says_go_on(cloud: TestCloud) {
    let mut agents = agents(&cloud, 2).await;
    publish(&cloud, 1, &["0.2.0"]);
    assert_eq!(as_version(&cloud, &mut agents[0], "0.1.0").await.as_deref(), Some("0.2.0"));

    as_taken_back(&cloud, &mut agents[0], "0.2.0").await;
    cloud.pass(TimeDelta::minutes(2));
    assert_eq!(as_version(&cloud, &mut agents[1], "0.1.0").await, None);

    let stopped = rollout(&cloud, "0.2.0").await;
    assert_eq!(stopped.state, RolloutState::Stopped);
    assert_eq!(stopped.reason.as_deref(), Some("1 of 1 agents went back or fell silent"));
    acts::decide(&cloud.state, &cloud.who, "0.2.0", Decision::Resume).await.unwrap();
    let asked_again = as_version(&cloud, &mut agents[0], "0.1.0").await;
    assert_eq!((asked_again.as_deref(), rollout(&cloud, "0.2.0").await.state), (Some("0.2.0"), RolloutState::Running));
}

// proves: M-42
async fn each_stop_is_one_mail_to_whoever_may_decide(mut cloud: TestCloud) {
    let relay = Relay::open(Mood::Takes).await;
    cloud.set_postman(relay.postman());
    let (id, email) = (cloud.state.mint(OperatorId::mint), "olga@northwind.example");
    let reach = &Reach::All;
    let new = NewOperator { id, email, name: "Olga Owner", role: Role::Owner, reach, created_at: cloud.now() };
    let mut tx = cloud.db().write(&cloud.who.scope).await.unwrap();
    operators::insert(&mut tx, &cloud.who.scope, new).await.unwrap();
    tx.commit().await.unwrap();
    let mut agents = agents(&cloud, 2).await;
    publish(&cloud, 1, &["0.2.0"]);
    as_version(&cloud, &mut agents[0], "0.1.0").await;

    as_taken_back(&cloud, &mut agents[0], "0.2.0").await;
    for _ in 0..3 {
        cloud.pass(TimeDelta::minutes(2));
        as_version(&cloud, &mut agents[1], "0.1.0").await;
        cloud.work().await;
    }

    let mails = relay.mails();
    assert_eq!(mails.len(), 1, "{mails:?}");
    for word in ["0.2.0", "1 of 1 agents went back or fell silent", "http://127.0.0.1:8080/updates"] {
        assert!(mails[0].contains(word), "{word} in {}", mails[0]);
    }
}

async fn agents_that_fall_silent_with_the_new_version_stop_the_rest(cloud: TestCloud) {
    let mut agents = agents(&cloud, 2).await;
    publish(&cloud, 1, &["0.2.0"]);
    as_version(&cloud, &mut agents[0], "0.1.0").await;
    as_version(&cloud, &mut agents[0], "0.2.0").await;

    cloud.pass(TimeDelta::minutes(20));
    as_version(&cloud, &mut agents[1], "0.1.0").await;

    assert_eq!(rollout(&cloud, "0.2.0").await.state, RolloutState::Stopped);
}

async fn a_paused_rollout_takes_its_offer_back(cloud: TestCloud) {
    let mut agents = agents(&cloud, 1).await;
    publish(&cloud, 1, &["0.2.0"]);
    assert!(as_version(&cloud, &mut agents[0], "0.1.0").await.is_some());

    let reason = "a customer asked".to_owned();
    acts::decide(&cloud.state, &cloud.who, "0.2.0", Decision::Pause { reason }).await.unwrap();
    let told = agents[0].check_in(&cloud).await.unwrap();

    assert_eq!(told.update, None);
    acts::decide(&cloud.state, &cloud.who, "0.2.0", Decision::Resume).await.unwrap();
    assert!(as_version(&cloud, &mut agents[0], "0.1.0").await.is_some());
}

async fn nobody_is_asked_outside_the_hours(cloud: TestCloud) {
    let mut agents = agents(&cloud, 1).await;
    publish(&cloud, 1, &["0.2.0"]);
    let at = |minutes| (cloud.now() + TimeDelta::minutes(minutes)).format("%H:%M").to_string();
    let window = Window::parse(&at(60), &at(120)).unwrap();
    acts::set_window(&cloud.state, &cloud.who, Some(window)).await.unwrap();

    assert_eq!(as_version(&cloud, &mut agents[0], "0.1.0").await, None);
    cloud.pass(TimeDelta::minutes(61));
    assert!(as_version(&cloud, &mut agents[0], "0.1.0").await.is_some());
}

async fn a_pinned_customer_stays_or_goes_straight_to_its_version(cloud: TestCloud) {
    let mut agents = agents(&cloud, 1).await;
    publish(&cloud, 1, &["0.2.0", "0.3.0"]);
    acts::pin(&cloud.state, &cloud.who, cloud.customer, Some("0.1.0")).await.unwrap();
    assert_eq!(as_version(&cloud, &mut agents[0], "0.1.0").await, None);

    acts::pin(&cloud.state, &cloud.who, cloud.customer, Some("0.2.0")).await.unwrap();
    assert_eq!(as_version(&cloud, &mut agents[0], "0.1.0").await.as_deref(), Some("0.2.0"));

    acts::pin(&cloud.state, &cloud.who, cloud.customer, None).await.unwrap();
    assert_eq!(as_version(&cloud, &mut agents[0], "0.2.0").await.as_deref(), Some("0.3.0"));
}

async fn an_expired_publication_is_not_offered(cloud: TestCloud) {
    let mut agents = agents(&cloud, 1).await;
    publish(&cloud, 1, &["0.2.0"]);
    cloud.pass(TimeDelta::days(31));

    assert_eq!(as_version(&cloud, &mut agents[0], "0.1.0").await, None);
    assert!(matches!(&*cloud.state.releases.shelf(cloud.now()), Shelf::Unusable(why) if why.contains("expired")));
}

async fn files_are_handed_to_enrolled_agents_and_only_files_of_a_publication(cloud: TestCloud) {
    let mut agents = agents(&cloud, 1).await;
    publish(&cloud, 1, &["0.2.0"]);
    std::fs::write(cloud.releases.path().join("root.keys"), "secret").unwrap();
    let program = name::file(&Hash::of(PROGRAM));

    assert_eq!(get(&cloud, &mut agents[0], &program, &program).await, (200, PROGRAM.to_vec()));
    assert_eq!(get(&cloud, &mut agents[0], "timestamp.json", "timestamp.json").await.0, 200);
    assert_eq!(get(&cloud, &mut agents[0], "2.root.json", "2.root.json").await.0, 404);
    assert_eq!(get(&cloud, &mut agents[0], "root.keys", "root.keys").await.0, 404);
    assert_eq!(get(&cloud, &mut agents[0], "..%2froot.keys", "..%2froot.keys").await.0, 401);
    assert_eq!(get(&cloud, &mut agents[0], &program, "timestamp.json").await.0, 401, "signed for another file");
    let bare = Request::get(format!("{}/{program}", path::UPDATES)).body(Body::empty()).unwrap();
    assert_eq!(cloud.ask(bare).await.status(), 401);
}

async fn get(cloud: &TestCloud, agent: &mut TestAgent, asked: &str, signed: &str) -> (u16, Vec<u8>) {
    let claims = agent.claims(cloud, &format!("{}/{signed}", path::UPDATES), b"", ());
    let claims = RequestClaims { method: "GET".into(), body: BodyDigest::of(b""), ..claims };
    let jws = jws::sign(Kind::Request, &agent.key, &claims).unwrap();
    let request =
        Request::get(format!("{}/{asked}", path::UPDATES)).header(header::AUTHORIZATION, format!("Bearer {jws}"));
    let response = cloud.ask(request.body(Body::empty()).unwrap()).await;
    let status = response.status().as_u16();
    (status, axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap().to_vec())
}
