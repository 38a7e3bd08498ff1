//! What an agent that lies, a copy of one, and one that is no longer wanted cannot do.

use std::time::Duration;

use axum::{
    body::Body,
    http::{Request, StatusCode, header},
};
use chrono::{DateTime, TimeDelta, Utc};
use rollcall_domain::{agent::AgentState, ids::AgentId};
use rollcall_protocol::{
    answer::{Answer, Receipt, Refusal, TokenFault, classify},
    checkin::{CheckinResponse, EpochWish, Problem},
    enrol::EnrolResponse,
    evidence::Evidence,
    jws::{self, Kind},
    limits, path,
    rotate::RotateResponse,
};
use rollcall_store::{agent_keys, audit};
use serde::{Serialize, de::DeserializeOwned};
use uuid::Uuid;

use super::tests::{check_in_by, introduce, key, standing};
use crate::{
    services::{
        agents::{self, Ask},
        pauses::{self, Target, Wish},
    },
    testing::{
        TestAgent, TestCloud,
        agent::{ask, enrol_request, to_request},
        ana, stories,
    },
};

stories! { no_agent_goes_further_than_it_may_on_postgres: [
    a_number_beyond_all_bounds_is_refused_and_stops_nobody,
    whoever_is_revoked_while_a_body_is_on_its_way_changes_nothing,
    a_parked_check_in_hears_at_once_that_its_agent_is_stopped,
    a_copy_that_changed_the_key_first_is_found_and_both_stop,
    a_copy_with_the_old_key_stops_an_agent_once,
    a_former_key_that_vouches_for_the_present_one_is_refused_and_stops_nobody,
    a_standby_changes_its_key_with_a_check_in,
    what_the_old_key_signed_may_leave_before_it_ends,
    each_change_of_a_key_is_in_the_audit_log,
    a_token_that_opens_nothing_leaves_a_trace_and_no_flood,
    an_installer_is_refused_with_the_reason_and_its_fetching_is_noted,
    fetching_often_hides_no_attempt_with_the_spent_token,
    an_unstorable_time_of_a_cycle_stops_nothing,
    an_agent_that_boasts_is_cut_short,
    no_route_opens_for_a_stranger_or_for_another_kind_of_message,
] }

async fn a_number_beyond_all_bounds_is_refused_and_stops_nobody(cloud: TestCloud) {
    let mut agent = TestAgent::enrol(&cloud, 1).await;
    let mut other = TestAgent::enrol(&cloud, 2).await;
    let id = AgentId::from(agent.id);
    for told in [u64::MAX, i64::MAX.unsigned_abs() - 2, limits::DESIRED_VERSION + 1] {
        let request = agent.checkin_request(&cloud, EpochWish::Keep, |said| said.desired_version = told);
        assert_eq!(ask::<CheckinResponse>(&cloud, request).await, Answer::Refused(Refusal::Malformed), "{told}");
    }
    let highest = agent.checkin_request(&cloud, EpochWish::Keep, |said| said.desired_version = limits::DESIRED_VERSION);
    let Answer::Accepted(_) = ask::<CheckinResponse>(&cloud, highest).await else { panic!("refused") };

    // It obeys what it got, and is heard as before.
    let desired = agent.check_in(&cloud).await.unwrap();
    assert!(desired.version > limits::DESIRED_VERSION);
    agent.check_in(&cloud).await;
    let wish = Wish { reason: "migration".into(), until: None };
    pauses::pause(&cloud.state, &cloud.who, Target::Customer(cloud.customer), wish).await.unwrap();
    assert!(other.check_in(&cloud).await.unwrap().pause.is_some());
    agents::revoke(&cloud.state, &cloud.who, id).await.unwrap();
    assert_eq!(standing(&cloud, id).await.state, AgentState::Revoked);
}

/// Its body begins to come, then the agent is revoked, then the rest comes.
fn revoked_on_the_way(cloud: &TestCloud, request: Request<Body>, agent: &TestAgent) -> Request<Body> {
    let (parts, body) = request.into_parts();
    let (state, who, id) = (cloud.state.clone(), cloud.who.clone(), AgentId::from(agent.id));
    let late = futures_util::stream::once(async move {
        agents::revoke(&state, &who, id).await.unwrap();
        axum::body::to_bytes(body, limits::BODY_COMPRESSED).await
    });
    Request::from_parts(parts, Body::from_stream(late))
}

async fn is_told_so<T>(cloud: &TestCloud, request: Request<Body>, agent: &TestAgent)
where
    T: DeserializeOwned + Serialize + std::fmt::Debug,
{
    let answer = ask::<T>(cloud, revoked_on_the_way(cloud, request, agent)).await;
    assert!(matches!(answer, Answer::Refused(Refusal::Revoked { proof: Some(_) })), "{answer:?}");
    assert_eq!(standing(cloud, agent.id.into()).await.state, AgentState::Revoked);
}

async fn whoever_is_revoked_while_a_body_is_on_its_way_changes_nothing(cloud: TestCloud) {
    let first = TestAgent::enrol(&cloud, 1).await;
    cloud.import(Uuid::from_u128(0x0f)).await;

    // One that has named no directory yet would join one now, and stand by.
    let mut rogue = TestAgent::enrol_unheard(&cloud, 2).await;
    let request = rogue.checkin_request(&cloud, EpochWish::Keep, |_| {});
    is_told_so::<CheckinResponse>(&cloud, request, &rogue).await;

    let mut sender = TestAgent::enrol(&cloud, 3).await;
    let sealed = sender.read(&cloud, vec![], &Evidence::Deleted);
    let batch = to_request(path::BATCHES, &sealed.jws, sealed.body.clone());
    is_told_so::<Receipt>(&cloud, batch, &sender).await;
    assert_eq!(standing(&cloud, sender.id.into()).await.next_seq, 1, "nothing was taken");

    let mut rotating = TestAgent::enrol(&cloud, 4).await;
    let request = rotating.rotate_request(&cloud, &key(44));
    is_told_so::<RotateResponse>(&cloud, request, &rotating).await;

    let mut leaving = TestAgent::enrol(&cloud, 5).await;
    let request = leaving.leave_request(&cloud, leaving.id);
    is_told_so::<serde_json::Value>(&cloud, request, &leaving).await;

    let mut asked = TestAgent::enrol(&cloud, 6).await;
    let request = asked.bundle_request(&cloud, Uuid::from_u128(1), b"PK");
    is_told_so::<serde_json::Value>(&cloud, request, &asked).await;
    assert_eq!(standing(&cloud, first.id.into()).await.state, AgentState::Active);
}

async fn a_parked_check_in_hears_at_once_that_its_agent_is_stopped(cloud: TestCloud) {
    let mut revoked = TestAgent::enrol(&cloud, 1).await;
    let mut forked = TestAgent::enrol(&cloud, 2).await;
    revoked.check_in(&cloud).await;
    forked.check_in(&cloud).await;
    let start = forked.head;
    let one = forked.read(&cloud, vec![], &Evidence::Deleted);
    forked.push(&cloud, &one).await;
    forked.head = start;
    let other = forked.read(&cloud, vec![], &Evidence::Deleted);
    let parked_one = revoked.checkin_request(&cloud, EpochWish::Keep, |request| request.wait_seconds = 50);
    let parked_other = forked.checkin_request(&cloud, EpochWish::Keep, |request| request.wait_seconds = 50);

    let act = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert_eq!(forked.push(&cloud, &other).await, Answer::Refused(Refusal::Fork));
        agents::revoke(&cloud.state, &cloud.who, AgentId::from(revoked.id)).await.unwrap();
    };
    let polls = async {
        tokio::join!(ask::<CheckinResponse>(&cloud, parked_one), ask::<CheckinResponse>(&cloud, parked_other))
    };
    let (answers, ()) = tokio::join!(tokio::time::timeout(Duration::from_secs(40), polls), act);

    let (of_revoked, of_forked) = answers.expect("the polls went on");
    assert!(matches!(of_revoked, Answer::Refused(Refusal::Revoked { .. })), "{of_revoked:?}");
    assert_eq!(of_forked, Answer::Refused(Refusal::Quarantined));
}

/// The copy introduces a key and sends with it, which ends the key that both had.
async fn copy_takes_over(cloud: &TestCloud, agent: &mut TestAgent) {
    introduce(cloud, agent, &key(42)).await;
    agent.key = key(42);
    let batch = agent.read(cloud, vec![], &Evidence::Deleted);
    assert!(matches!(agent.push(cloud, &batch).await, Answer::Accepted(_)));
}

async fn a_copy_that_changed_the_key_first_is_found_and_both_stop(cloud: TestCloud) {
    let mut agent = TestAgent::enrol(&cloud, 1).await;
    copy_takes_over(&cloud, &mut agent).await;
    let late = check_in_by(&cloud, &mut agent, 1).await;
    assert_eq!(late, Answer::Refused(Refusal::Unauthorized), "it may have been on its way");

    cloud.pass(TimeDelta::minutes(20));
    assert_eq!(check_in_by(&cloud, &mut agent, 1).await, Answer::Refused(Refusal::Fork));

    for copy in [1, 42] {
        assert_eq!(check_in_by(&cloud, &mut agent, copy).await, Answer::Refused(Refusal::Quarantined));
    }
    assert_eq!(standing(&cloud, agent.id.into()).await.state, AgentState::Quarantined);
    let told = last_line(&cloud, "agent.quarantine").await;
    assert!(told.contains("replaced_key"), "{told}");
}

async fn a_copy_with_the_old_key_stops_an_agent_once(cloud: TestCloud) {
    let mut agent = TestAgent::enrol(&cloud, 1).await;
    copy_takes_over(&cloud, &mut agent).await;
    cloud.pass(TimeDelta::minutes(20));
    assert_eq!(check_in_by(&cloud, &mut agent, 1).await, Answer::Refused(Refusal::Fork));

    agents::release(&cloud.state, &cloud.who, AgentId::from(agent.id)).await.unwrap();

    assert_eq!(check_in_by(&cloud, &mut agent, 1).await, Answer::Refused(Refusal::Unauthorized));
    assert!(matches!(check_in_by(&cloud, &mut agent, 42).await, Answer::Accepted(_)), "a human has decided");
}

async fn a_former_key_that_vouches_for_the_present_one_is_refused_and_stops_nobody(cloud: TestCloud) {
    let mut agent = TestAgent::enrol(&cloud, 1).await;
    copy_takes_over(&cloud, &mut agent).await;
    cloud.pass(TimeDelta::minutes(20));
    agent.key = key(1);

    let request = agent.rotate_request(&cloud, &key(42));

    assert_eq!(ask::<RotateResponse>(&cloud, request).await, Answer::Refused(Refusal::Unauthorized));
    assert_eq!(standing(&cloud, agent.id.into()).await.state, AgentState::Active);
}

async fn a_standby_changes_its_key_with_a_check_in(cloud: TestCloud) {
    TestAgent::enrol(&cloud, 1).await;
    let mut standby = TestAgent::enrol(&cloud, 2).await;
    introduce(&cloud, &mut standby, &key(42)).await;

    assert!(matches!(check_in_by(&cloud, &mut standby, 42).await, Answer::Accepted(_)));

    assert_eq!(check_in_by(&cloud, &mut standby, 2).await, Answer::Refused(Refusal::Unauthorized), "it ended");
}

async fn what_the_old_key_signed_may_leave_before_it_ends(cloud: TestCloud) {
    let mut agent = TestAgent::enrol(&cloud, 1).await;
    let import = cloud.import(Uuid::from_u128(0x0f)).await;
    let waiting = agent.read(&cloud, vec![ana(import)], &Evidence::Deleted);
    introduce(&cloud, &mut agent, &key(42)).await;
    agent.key = key(42);

    agent.check_in_saying(&cloud, EpochWish::Keep, |said| said.status.spool_batches = 1).await;

    assert!(matches!(agent.push(&cloud, &waiting).await, Answer::Accepted(_)));
    cloud.work().await;
    assert_eq!(cloud.list(None).await.len(), 1);
}

async fn each_change_of_a_key_is_in_the_audit_log(cloud: TestCloud) {
    let mut agent = TestAgent::enrol(&cloud, 1).await;
    agents::ask(&cloud.state, &cloud.who, cloud.customer, Ask::SyncNow).await.unwrap();
    copy_takes_over(&cloud, &mut agent).await;

    for action in ["agent.key_introduced", "agent.key_changed"] {
        assert!(last_line(&cloud, action).await.contains(&key(42).id().to_string()), "{action}");
    }
    let mut tx = cloud.db().read(&cloud.who.scope).await.unwrap();
    let scope = rollcall_store::agents::find(&mut tx, &cloud.who.scope, agent.id.into()).await.unwrap().unwrap().0;
    assert_eq!(agent_keys::list(&mut tx, &scope).await.unwrap().len(), 2);
}

async fn a_token_that_opens_nothing_leaves_a_trace_and_no_flood(cloud: TestCloud) {
    let token = cloud.token().await;
    let first = ask::<EnrolResponse>(&cloud, enrol_request(&cloud, &key(1), &token)).await;
    assert!(matches!(first, Answer::Accepted(_)));

    for _ in 0..30 {
        let answer = ask::<EnrolResponse>(&cloud, enrol_request(&cloud, &key(2), &token)).await;
        assert_eq!(answer, Answer::Refused(Refusal::Token { reason: TokenFault::Used }));
    }

    let lines = lines(&cloud, "enrol_token.refuse").await;
    assert_eq!(lines.len(), 20);
    let told = lines[0].after.clone().unwrap();
    assert!(told.contains("SRV1") && told.contains("used"), "{told}");
}

async fn an_installer_is_refused_with_the_reason_and_its_fetching_is_noted(cloud: TestCloud) {
    let token = cloud.token().await;
    assert_eq!(fetch(&cloud, &token).await.status(), StatusCode::OK);
    assert_eq!(lines(&cloud, "installer.fetch").await.len(), 1);

    cloud.pass(TimeDelta::hours(2));
    let late = fetch(&cloud, &token).await;
    let status = late.status().as_u16();
    let body = axum::body::to_bytes(late.into_body(), 1 << 20).await.unwrap();
    let answer = classify::<serde_json::Value>(status, None, &body);
    assert_eq!(
        answer,
        Answer::Refused(Refusal::Token { reason: TokenFault::Expired }),
        "nobody looks for a second machine"
    );
}

async fn fetching_often_hides_no_attempt_with_the_spent_token(cloud: TestCloud) {
    let token = cloud.token().await;
    for _ in 0..20 {
        assert_eq!(fetch(&cloud, &token).await.status(), StatusCode::OK);
    }
    let first = ask::<EnrolResponse>(&cloud, enrol_request(&cloud, &key(1), &token)).await;
    assert!(matches!(first, Answer::Accepted(_)));

    ask::<EnrolResponse>(&cloud, enrol_request(&cloud, &key(2), &token)).await;

    assert_eq!(
        (lines(&cloud, "installer.fetch").await.len(), lines(&cloud, "enrol_token.refuse").await.len()),
        (20, 1)
    );
}

async fn an_unstorable_time_of_a_cycle_stops_nothing(cloud: TestCloud) {
    let mut agent = TestAgent::enrol(&cloud, 1).await;
    let import = cloud.import(Uuid::from_u128(0x0f)).await;
    agent.started_at = Some(DateTime::<Utc>::MIN_UTC);

    agent.sync(&cloud, vec![crate::testing::ana(import)], &rollcall_protocol::evidence::Evidence::Deleted).await;

    let run = &cloud.runs().await[0];
    assert_eq!((run.started_at, run.counts.added), (DateTime::UNIX_EPOCH, 1), "no database keeps such a year");
}

async fn fetch(cloud: &TestCloud, token: &str) -> axum::http::Response<Body> {
    let bearer = format!("Bearer {token}");
    let request = Request::get(path::INSTALLER).header(header::AUTHORIZATION, bearer).body(Body::empty()).unwrap();
    cloud.ask(request).await
}

async fn an_agent_that_boasts_is_cut_short(cloud: TestCloud) {
    let mut agent = TestAgent::enrol(&cloud, 1).await;
    let problem = Problem { code: "<b>urgent</b>".into(), detail: "x".repeat(60_000), since: DateTime::<Utc>::MAX_UTC };
    agent
        .check_in_saying(&cloud, EpochWish::Keep, |said| {
            said.status.host = "Ana Bauer".repeat(6_000);
            said.status.clock_offset_ms = i64::MIN;
            said.status.problems = vec![problem];
        })
        .await;

    let stored = standing(&cloud, agent.id.into()).await;
    assert_eq!(stored.hostname.len(), 256);
    assert_eq!(stored.reason_code.as_deref(), Some("RC-9001"));
    assert_eq!(stored.reason_since, Some(cloud.now()));
    assert!(serde_json::to_string(&stored.report.unwrap().0).unwrap().len() < 10_000);
}

async fn no_route_opens_for_a_stranger_or_for_another_kind_of_message(cloud: TestCloud) {
    let mut agent = TestAgent::enrol(&cloud, 1).await;
    let update = format!("{}/timestamp.json", path::UPDATES);
    let routes = [path::CHECKIN, path::BATCHES, path::ROTATE, path::BUNDLES, path::LEAVE, update.as_str()];
    let stranger = key(99);
    for (signer, kind) in [(&stranger, Kind::Request), (&stranger, Kind::Batch), (&key(1), Kind::NewKey)] {
        for route in routes {
            let claims = agent.claims(&cloud, route, b"", ());
            let jws = jws::sign(kind, signer, &claims).unwrap();
            let mut request = to_request(route, &jws, vec![]);
            if route == update {
                *request.method_mut() = axum::http::Method::GET;
            }
            let answer = ask::<serde_json::Value>(&cloud, request).await;
            assert_eq!(answer, Answer::Refused(Refusal::Unauthorized), "{route} {kind:?}");
        }
    }
}

async fn lines(cloud: &TestCloud, action: &str) -> Vec<audit::Line> {
    let mut tx = cloud.db().read(&cloud.who.scope).await.unwrap();
    let lines = audit::list(&mut tx, &cloud.who.scope, None, 100).await.unwrap();
    lines.into_iter().filter(|line| line.action == action).collect()
}

/// Actor and text of the newest line of this kind.
async fn last_line(cloud: &TestCloud, action: &str) -> String {
    let line = lines(cloud, action).await.into_iter().next().expect("no such line");
    assert!(line.actor.starts_with("agent "), "{}", line.actor);
    line.after.unwrap_or_default()
}
