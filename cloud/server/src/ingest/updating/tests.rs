//! A version goes out ring by ring, stops when it does harm, and obeys what people say about it.

mod delay;

use axum::{
    body::Body,
    http::{Request, header},
};
use chrono::TimeDelta;
use rollcall_domain::{
    ids::OperatorId,
    role::{Reach, Role},
    rollout::{Bounds, Ring, RolloutState, Wait, Window},
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
    updates::rollouts::Rollout,
};

use super::*;
use crate::{
    mail::relay::{Mood, Relay},
    services::{
        customers, rollouts as shown, tokens,
        updates::{self as acts, Decision},
    },
    testing::{TestAgent, TestCloud, stories},
};
use rollcall_protocol::checkin::EpochWish;

const PROGRAM: &[u8] = b"the program of the new version";

fn makers() -> Signers {
    let key = |seed| vec![PrivateKey::from_seed(&[seed; 32])];
    Signers { root: key(1), targets: key(2), snapshot: key(3), timestamp: key(4) }
}

const WINDOWS: &str = "x86_64-windows";
const LINUX: &str = "x86_64-linux";

fn publish(cloud: &TestCloud, number: u64, versions: &[&str]) {
    let of_windows: Vec<(&str, &str)> = versions.iter().map(|version| (*version, WINDOWS)).collect();
    publish_for(cloud, number, &of_windows);
}

fn publish_for(cloud: &TestCloud, number: u64, versions: &[(&str, &str)]) {
    let release = |(version, platform): &(&str, &str)| Release {
        version: version.parse().unwrap(),
        platform: Platform::new(*platform),
        length: PROGRAM.len() as u64,
        sha256: Hash::of(PROGRAM),
        published_at: Some(cloud.now()),
    };
    put(cloud, number, versions.iter().map(release).collect());
}

fn put(cloud: &TestCloud, number: u64, list: Vec<Release>) {
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
    as_version_on(cloud, agent, version, WINDOWS).await
}

async fn as_version_on(cloud: &TestCloud, agent: &mut TestAgent, version: &str, platform: &str) -> Option<String> {
    let told = agent.check_in_saying(cloud, EpochWish::Keep, |request| {
        request.status.version = version.into();
        request.status.platform = Some(Platform::new(platform));
    });
    told.await.and_then(|desired| desired.update).map(|wanted| wanted.version.to_string())
}

/// Time passes while these agents check in as their versions, often enough to be heard and for the cloud to listen.
async fn listen(cloud: &TestCloud, minutes: i64, agents: &mut [(&mut TestAgent, &str)]) {
    for _ in 0..minutes.div_euclid(4).max(1) {
        cloud.pass(TimeDelta::minutes(4));
        for (agent, version) in agents.iter_mut() {
            as_version(cloud, agent, version).await;
        }
    }
}

/// A day and a bit in which nobody is heard, and then a while in which these are.
async fn a_day_later(cloud: &TestCloud, agents: &mut [(&mut TestAgent, &str)]) {
    cloud.pass(TimeDelta::hours(25));
    listen(cloud, 20, agents).await;
}

async fn as_refusing(cloud: &TestCloud, agent: &mut TestAgent, version: &str) {
    let told = agent.check_in_saying(cloud, EpochWish::Keep, |request| {
        let version: Version = version.parse().unwrap();
        request.status.update = Some(UpdateReport { version, outcome: UpdateOutcome::Refused });
    });
    told.await;
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
    rollouts::find(&mut tx, version, WINDOWS).await.unwrap().unwrap()
}

async fn state(cloud: &TestCloud, version: &str) -> (Ring, RolloutState, Option<Wait>) {
    let rollout = rollout(cloud, version).await;
    (rollout.ring, rollout.state, rollout.wait())
}

async fn lines_of(cloud: &TestCloud, action: &str) -> usize {
    let mut tx = cloud.db().read(&cloud.who.scope).await.unwrap();
    let lines = rollcall_store::audit::list(&mut tx, &cloud.who.scope, None, 100).await.unwrap();
    lines.iter().filter(|line| line.action == action).count()
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
    an_outage_of_the_cloud_stops_nothing,
    a_machine_switched_off_long_after_its_update_stops_nothing,
    each_platform_has_its_own_rings,
    a_customer_pinned_after_the_offer_holds_up_nobody,
    a_pinned_agent_that_went_back_is_asked_again_when_the_pin_is_saved_again,
    who_refuses_is_left_behind_after_three_days,
    a_version_that_was_reached_while_the_folder_was_unusable_counts,
    one_that_goes_back_again_after_a_person_said_go_on_stops_nobody_again,
    an_agent_that_lost_the_version_is_asked_again,
    a_newer_version_replaces_what_runs_and_comes_back_when_withdrawn,
    first_check_ins_at_once_begin_one_rollout,
    numbers_and_reasons_of_all_customers_are_for_those_who_reach_all,
    a_paused_rollout_takes_its_offer_back,
    nobody_is_asked_outside_the_hours,
    a_pinned_customer_stays_or_goes_straight_to_its_version,
    an_agent_that_was_asked_for_two_versions_is_asked_for_the_one_that_is_left,
    an_agent_that_was_asked_for_two_versions_goes_to_the_one_it_is_pinned_to,
    an_expired_publication_is_not_offered,
    files_are_handed_to_enrolled_agents_and_only_files_of_a_publication,
] }

async fn a_version_goes_to_one_agent_then_to_all_that_follow(cloud: TestCloud) {
    let mut agents = agents(&cloud, 3).await;
    let [one, two, three] = &mut agents[..] else { panic!() };
    publish(&cloud, 1, &["0.2.0"]);

    assert_eq!(as_version(&cloud, three, "0.1.0").await, None, "the last has to wait");
    assert_eq!(as_version(&cloud, one, "0.1.0").await.as_deref(), Some("0.2.0"));
    a_day_later(&cloud, &mut [(one, "0.2.0"), (two, "0.1.0")]).await;
    assert_eq!(state(&cloud, "0.2.0").await, (Ring::First, RolloutState::Running, Some(Wait::Soak)), "it is new there");
    a_day_later(&cloud, &mut [(one, "0.2.0"), (two, "0.1.0")]).await;
    assert_eq!(state(&cloud, "0.2.0").await.0, Ring::Tenth);
    a_day_later(&cloud, &mut [(one, "0.2.0")]).await;
    assert_eq!(state(&cloud, "0.2.0").await.0, Ring::All);

    assert_eq!(as_version(&cloud, two, "0.1.0").await.as_deref(), Some("0.2.0"));
    assert_eq!(as_version(&cloud, three, "0.1.0").await.as_deref(), Some("0.2.0"));
    listen(&cloud, 20, &mut [(one, "0.2.0"), (two, "0.2.0"), (three, "0.2.0")]).await;
    a_day_later(&cloud, &mut [(one, "0.2.0"), (two, "0.2.0"), (three, "0.2.0")]).await;
    assert_eq!(state(&cloud, "0.2.0").await, (Ring::All, RolloutState::Done, None));
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
    let [one, two] = &mut agents[..] else { panic!() };
    publish(&cloud, 1, &["0.2.0"]);
    as_version(&cloud, one, "0.1.0").await;
    as_version(&cloud, one, "0.2.0").await;

    listen(&cloud, 12, &mut [(two, "0.1.0")]).await;
    assert_eq!(rollout(&cloud, "0.2.0").await.state, RolloutState::Running);
    listen(&cloud, 12, &mut [(two, "0.1.0")]).await;

    assert_eq!(rollout(&cloud, "0.2.0").await.state, RolloutState::Stopped);
}

async fn an_outage_of_the_cloud_stops_nothing(cloud: TestCloud) {
    let mut agents = agents(&cloud, 3).await;
    let [one, two, three] = &mut agents[..] else { panic!() };
    publish(&cloud, 1, &["0.2.0"]);
    as_version(&cloud, one, "0.1.0").await;
    listen(&cloud, 20, &mut [(one, "0.2.0"), (two, "0.1.0")]).await;

    cloud.pass(TimeDelta::minutes(50));
    as_version(&cloud, two, "0.1.0").await;
    assert_eq!(state(&cloud, "0.2.0").await.2, Some(Wait::Listening), "silence is the cloud's own");
    listen(&cloud, 20, &mut [(one, "0.2.0"), (two, "0.1.0"), (three, "0.1.0")]).await;

    assert_eq!(state(&cloud, "0.2.0").await, (Ring::First, RolloutState::Running, Some(Wait::Soak)));
    assert_eq!(lines_of(&cloud, "update.stop").await, 0);
}

async fn a_machine_switched_off_long_after_its_update_stops_nothing(cloud: TestCloud) {
    let mut agents = agents(&cloud, 2).await;
    let [one, two] = &mut agents[..] else { panic!() };
    publish(&cloud, 1, &["0.2.0"]);
    as_version(&cloud, one, "0.1.0").await;
    as_version(&cloud, one, "0.2.0").await;
    a_day_later(&cloud, &mut [(two, "0.1.0")]).await;

    assert_eq!(state(&cloud, "0.2.0").await.1, RolloutState::Running);
    assert_eq!(state(&cloud, "0.2.0").await.0, Ring::Tenth);
}

async fn each_platform_has_its_own_rings(cloud: TestCloud) {
    let mut agents = agents(&cloud, 2).await;
    let [linux, windows] = &mut agents[..] else { panic!() };
    as_version_on(&cloud, linux, "0.1.0", LINUX).await;
    publish(&cloud, 1, &["0.2.0"]);

    // The first in the order is no Windows machine: it holds up nobody.
    assert_eq!(as_version_on(&cloud, linux, "0.1.0", LINUX).await, None);
    assert_eq!(as_version(&cloud, windows, "0.1.0").await.as_deref(), Some("0.2.0"));
    publish_for(&cloud, 2, &[("0.2.0", WINDOWS), ("0.2.0", LINUX)]);
    as_taken_back(&cloud, windows, "0.2.0").await;
    cloud.pass(TimeDelta::minutes(2));
    as_version(&cloud, windows, "0.1.0").await;

    assert_eq!(rollout(&cloud, "0.2.0").await.state, RolloutState::Stopped);
    assert_eq!(as_version_on(&cloud, linux, "0.1.0", LINUX).await.as_deref(), Some("0.2.0"), "what failed on Windows");
}

async fn a_customer_pinned_after_the_offer_holds_up_nobody(cloud: TestCloud) {
    let elsewhere = customers::create(&cloud.state, &cloud.who, "Fabrikam").await.unwrap().id;
    let token = tokens::issue(&cloud.state, &cloud.who, elsewhere, None).await.unwrap().token;
    let ours = (TestAgent::enrol(&cloud, 1).await, cloud.customer);
    let theirs = (TestAgent::enrol_with(&cloud, 2, &token).await, elsewhere);
    let mut both = [ours, theirs];
    both.sort_by_key(|(agent, _)| place(agent.id, "0.2.0"));
    let [(first, pinned), (second, _)] = &mut both;
    publish(&cloud, 1, &["0.2.0"]);
    assert!(as_version(&cloud, first, "0.1.0").await.is_some());
    assert!(as_version(&cloud, second, "0.1.0").await.is_none());

    acts::pin(&cloud.state, &cloud.who, *pinned, Some("0.1.0")).await.unwrap();
    cloud.pass(TimeDelta::minutes(2));

    assert_eq!(as_version(&cloud, second, "0.1.0").await.as_deref(), Some("0.2.0"), "others are chosen at once");
}

async fn a_pinned_agent_that_went_back_is_asked_again_when_the_pin_is_saved_again(cloud: TestCloud) {
    let mut agents = agents(&cloud, 1).await;
    publish(&cloud, 1, &["0.2.0"]);
    acts::pin(&cloud.state, &cloud.who, cloud.customer, Some("0.2.0")).await.unwrap();
    as_version(&cloud, &mut agents[0], "0.1.0").await;
    assert_eq!(as_taken_back(&cloud, &mut agents[0], "0.2.0").await, None);

    cloud.pass(TimeDelta::hours(1));
    acts::pin(&cloud.state, &cloud.who, cloud.customer, Some("0.2.0")).await.unwrap();

    assert_eq!(as_version(&cloud, &mut agents[0], "0.1.0").await.as_deref(), Some("0.2.0"));
}

async fn who_refuses_is_left_behind_after_three_days(cloud: TestCloud) {
    let mut agents = agents(&cloud, 2).await;
    let [one, two] = &mut agents[..] else { panic!() };
    publish(&cloud, 1, &["0.2.0"]);
    as_version(&cloud, one, "0.1.0").await;
    as_refusing(&cloud, one, "0.2.0").await;
    listen(&cloud, 20, &mut [(two, "0.1.0")]).await;
    assert_eq!(state(&cloud, "0.2.0").await.2, Some(Wait::Answers));

    cloud.pass(TimeDelta::days(3));
    listen(&cloud, 20, &mut [(two, "0.1.0")]).await;

    listen(&cloud, 4, &mut [(two, "0.2.0")]).await;
    let mut tx = cloud.db().read(&cloud.who.scope).await.unwrap();
    let tally = asked::count(&mut tx, "0.2.0", WINDOWS, Bounds::at(cloud.now())).await.unwrap();
    assert_eq!((tally.left_behind, tally.updated()), (1, 1));
}

async fn a_version_that_was_reached_while_the_folder_was_unusable_counts(cloud: TestCloud) {
    let mut agents = agents(&cloud, 1).await;
    publish(&cloud, 1, &["0.2.0"]);
    assert!(as_version(&cloud, &mut agents[0], "0.1.0").await.is_some());
    std::fs::remove_file(cloud.releases.path().join("timestamp.json")).unwrap();
    cloud.pass(TimeDelta::minutes(1));

    as_version(&cloud, &mut agents[0], "0.2.0").await;

    let mut tx = cloud.db().read(&cloud.who.scope).await.unwrap();
    let tally = asked::count(&mut tx, "0.2.0", WINDOWS, Bounds::at(cloud.now())).await.unwrap();
    assert_eq!((tally.open, tally.updated()), (0, 1));
}

async fn one_that_goes_back_again_after_a_person_said_go_on_stops_nobody_again(cloud: TestCloud) {
    let mut agents = agents(&cloud, 2).await;
    let [bad, good] = &mut agents[..] else { panic!() };
    publish(&cloud, 1, &["0.2.0"]);
    as_version(&cloud, bad, "0.1.0").await;
    as_taken_back(&cloud, bad, "0.2.0").await;
    listen(&cloud, 4, &mut [(good, "0.1.0")]).await;
    assert_eq!(state(&cloud, "0.2.0").await.1, RolloutState::Stopped);

    acts::decide(&cloud.state, &cloud.who, "0.2.0", Decision::Resume).await.unwrap();
    listen(&cloud, 8, &mut [(good, "0.1.0")]).await;
    as_taken_back(&cloud, bad, "0.2.0").await;
    listen(&cloud, 8, &mut [(good, "0.1.0")]).await;

    assert_eq!(state(&cloud, "0.2.0").await.1, RolloutState::Running, "a person has seen this one fail");
    assert_eq!(lines_of(&cloud, "update.stop").await, 1);
    let mut tx = cloud.db().read(&cloud.who.scope).await.unwrap();
    let asked = asked::find_of_agent(&mut tx, good.id.into()).await.unwrap().unwrap();
    assert_eq!((asked.version.as_str(), asked.state), ("0.2.0", UpdateState::Offered), "another one is chosen");
}

async fn an_agent_that_lost_the_version_is_asked_again(cloud: TestCloud) {
    let mut agents = agents(&cloud, 1).await;
    publish(&cloud, 1, &["0.2.0"]);
    as_version(&cloud, &mut agents[0], "0.1.0").await;
    as_version(&cloud, &mut agents[0], "0.2.0").await;
    assert_eq!(as_version(&cloud, &mut agents[0], "0.1.0").await, None, "at most once a day");

    cloud.pass(TimeDelta::hours(25));
    assert_eq!(as_version(&cloud, &mut agents[0], "0.1.0").await.as_deref(), Some("0.2.0"), "its disk was restored");
}

async fn a_newer_version_replaces_what_runs_and_comes_back_when_withdrawn(cloud: TestCloud) {
    let mut agents = agents(&cloud, 2).await;
    publish(&cloud, 1, &["0.2.0"]);
    as_version(&cloud, &mut agents[0], "0.1.0").await;
    publish(&cloud, 2, &["0.2.0", "0.3.0"]);
    as_version(&cloud, &mut agents[0], "0.1.0").await;
    assert_eq!(rollout(&cloud, "0.2.0").await.state, RolloutState::Replaced);
    assert_eq!(rollout(&cloud, "0.3.0").await.state, RolloutState::Running);

    publish(&cloud, 3, &["0.2.0"]);
    as_version(&cloud, &mut agents[1], "0.1.0").await;

    assert_eq!(rollout(&cloud, "0.2.0").await.state, RolloutState::Running);
    assert_eq!(rollout(&cloud, "0.3.0").await.state, RolloutState::Replaced);
}

/// Asked for 0.2.0 and then for 0.3.0, and runs neither.
async fn asked_twice(cloud: &TestCloud) -> TestAgent {
    let mut agent = agents(cloud, 1).await.remove(0);
    publish(cloud, 1, &["0.2.0"]);
    assert_eq!(as_version(cloud, &mut agent, "0.1.0").await.as_deref(), Some("0.2.0"));
    cloud.pass(TimeDelta::minutes(5));
    publish(cloud, 2, &["0.2.0", "0.3.0"]);
    assert_eq!(as_version(cloud, &mut agent, "0.1.0").await.as_deref(), Some("0.3.0"));
    agent
}

async fn an_agent_that_was_asked_for_two_versions_is_asked_for_the_one_that_is_left(cloud: TestCloud) {
    let mut agent = asked_twice(&cloud).await;

    publish(&cloud, 3, &["0.2.0"]);
    let wanted = as_version(&cloud, &mut agent, "0.1.0").await;

    assert_eq!(wanted.as_deref(), Some("0.2.0"), "in the signed document");
}

async fn an_agent_that_was_asked_for_two_versions_goes_to_the_one_it_is_pinned_to(cloud: TestCloud) {
    let mut agent = asked_twice(&cloud).await;

    cloud.pass(TimeDelta::minutes(5));
    acts::pin(&cloud.state, &cloud.who, cloud.customer, Some("0.2.0")).await.unwrap();
    let wanted = as_version(&cloud, &mut agent, "0.1.0").await;

    assert_eq!(wanted.as_deref(), Some("0.2.0"), "in the signed document");
}

async fn first_check_ins_at_once_begin_one_rollout(cloud: TestCloud) {
    let mut agents = agents(&cloud, 4).await;
    publish(&cloud, 1, &["0.2.0"]);

    let requests: Vec<_> =
        agents.iter_mut().map(|agent| agent.checkin_request(&cloud, EpochWish::Keep, |_| {})).collect();
    for answer in futures_util::future::join_all(requests.into_iter().map(|request| cloud.ask(request))).await {
        assert_eq!(answer.status(), 200);
    }

    assert_eq!(lines_of(&cloud, "update.begin").await, 1);
}

async fn numbers_and_reasons_of_all_customers_are_for_those_who_reach_all(cloud: TestCloud) {
    let mut agents = agents(&cloud, 1).await;
    publish(&cloud, 1, &["0.2.0"]);
    as_version(&cloud, &mut agents[0], "0.1.0").await;
    let reason = "Fabrikam asked".to_owned();
    acts::decide(&cloud.state, &cloud.who, "0.2.0", Decision::Pause { reason }).await.unwrap();
    let shelf = cloud.state.releases.shelf(cloud.now()).await;
    let mut tx = cloud.db().read(&cloud.who.scope).await.unwrap();

    let whole = shown::list(&mut tx, &cloud.who.scope, &shelf, cloud.now()).await.unwrap();
    let chosen = shown::list(&mut tx, &cloud.who.scope.narrowed(&[]), &shelf, cloud.now()).await.unwrap();

    assert_eq!(whole[0].tally.unwrap().asked(), 1);
    assert!(whole[0].why.as_deref().unwrap().starts_with("Fabrikam asked"));
    assert_eq!((chosen[0].tally, chosen[0].why.as_deref()), (None, None));
    assert!(asked::count_versions(&mut tx, &cloud.who.scope.narrowed(&[])).await.unwrap().is_empty());
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
    cloud.pass(TimeDelta::minutes(2));
    assert_eq!(as_version(&cloud, &mut agents[0], "0.2.0").await.as_deref(), Some("0.3.0"));
}

async fn an_expired_publication_is_not_offered(cloud: TestCloud) {
    let mut agents = agents(&cloud, 1).await;
    publish(&cloud, 1, &["0.2.0"]);
    cloud.pass(TimeDelta::days(31));

    assert_eq!(as_version(&cloud, &mut agents[0], "0.1.0").await, None);
    assert!(matches!(&*cloud.state.releases.shelf(cloud.now()).await, Shelf::Unusable(why) if why.contains("expired")));
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
