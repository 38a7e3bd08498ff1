//! What a request must be to be heard, and what a batch is answered.

use chrono::TimeDelta;
use rollcall_domain::ids::AgentId;
use rollcall_protocol::{
    answer::{Answer, Receipt, Refusal},
    checkin::{CheckinResponse, EpochWish},
    evidence::Evidence,
    key::PrivateKey,
    limits, path,
    revocation::Revocation,
};

use super::STAFF;
use crate::{
    services::agents,
    testing::{
        TestAgent, TestCloud,
        agent::{ask, to_request},
        ana, stories,
    },
};

stories! { requests_are_answered_the_same_on_postgres: [
    a_batch_sent_twice_is_answered_twice_and_stored_once,
    a_gap_names_what_is_missing,
    a_changed_body_a_foreign_key_and_another_path_are_refused,
    a_body_over_the_limit_is_refused_before_it_is_read,
    a_request_is_taken_once,
    a_clock_that_is_off_learns_the_time,
    a_revoked_agent_is_told_so_at_its_next_request,
] }

// proves: R-13
async fn a_batch_sent_twice_is_answered_twice_and_stored_once(cloud: TestCloud) {
    let mut agent = TestAgent::enrol(&cloud, 1).await;
    let import = cloud.import(STAFF).await;
    let sealed = agent.read(&cloud, vec![ana(import)], &Evidence::Deleted);

    let first = agent.push(&cloud, &sealed).await;
    let second = agent.push(&cloud, &sealed).await;
    cloud.work().await;
    let third = agent.push(&cloud, &sealed).await;
    cloud.work().await;

    assert_eq!(first, Answer::Accepted(Receipt { head: agent.head }));
    assert_eq!((&second, &third), (&first, &first));
    assert_eq!(cloud.runs().await.len(), 1);
}

// proves: R-13
async fn a_gap_names_what_is_missing(cloud: TestCloud) {
    let mut agent = TestAgent::enrol(&cloud, 1).await;
    let import = cloud.import(STAFF).await;
    let first = agent.read(&cloud, vec![], &Evidence::Deleted);
    let second = agent.read(&cloud, vec![ana(import)], &Evidence::Deleted);

    assert_eq!(agent.push(&cloud, &second).await, Answer::Refused(Refusal::Gap { expected: 1 }));
    assert!(matches!(agent.push(&cloud, &first).await, Answer::Accepted(_)));
    assert!(matches!(agent.push(&cloud, &second).await, Answer::Accepted(_)));
    cloud.work().await;
    assert_eq!(cloud.list(None).await.len(), 1);
}

async fn a_changed_body_a_foreign_key_and_another_path_are_refused(cloud: TestCloud) {
    let mut agent = TestAgent::enrol(&cloud, 1).await;
    let import = cloud.import(STAFF).await;
    let sealed = agent.read(&cloud, vec![ana(import)], &Evidence::Deleted);
    let refused = Answer::Refused(Refusal::Unauthorized);

    let mut changed = sealed.clone();
    *changed.body.last_mut().unwrap() ^= 1;
    assert_eq!(agent.push(&cloud, &changed).await, refused);

    let elsewhere = to_request(path::CHECKIN, &sealed.jws, sealed.body.clone());
    assert_eq!(ask::<Receipt>(&cloud, elsewhere).await, refused);

    agent.key = PrivateKey::from_seed(&[77; 32]);
    let foreign = agent.read(&cloud, vec![], &Evidence::Deleted);
    assert_eq!(agent.push(&cloud, &foreign).await, refused);

    let none = axum::http::Request::post(path::BATCHES).body(axum::body::Body::empty()).unwrap();
    assert_eq!(ask::<Receipt>(&cloud, none).await, refused);
    assert!(matches!(agent.push(&cloud, &sealed).await, Answer::Accepted(_)));
}

async fn a_body_over_the_limit_is_refused_before_it_is_read(cloud: TestCloud) {
    let mut agent = TestAgent::enrol(&cloud, 1).await;
    let sealed = agent.read(&cloud, vec![], &Evidence::Deleted);
    let huge = to_request(path::BATCHES, &sealed.jws, vec![0; limits::BODY_COMPRESSED + 1]);
    let limit = limits::BODY_COMPRESSED as u64;
    assert_eq!(ask::<Receipt>(&cloud, huge).await, Answer::Refused(Refusal::TooLarge { limit }));
}

async fn a_request_is_taken_once(cloud: TestCloud) {
    let mut agent = TestAgent::enrol(&cloud, 1).await;
    let request = agent.checkin_request(&cloud, EpochWish::Keep, |_| {});
    let (parts, body) = request.into_parts();
    let bytes = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let again = || axum::http::Request::from_parts(parts.clone(), axum::body::Body::from(bytes.clone()));

    assert!(matches!(ask::<CheckinResponse>(&cloud, again()).await, Answer::Accepted(_)));
    assert_eq!(ask::<CheckinResponse>(&cloud, again()).await, Answer::Refused(Refusal::Unauthorized));
}

async fn a_clock_that_is_off_learns_the_time(cloud: TestCloud) {
    let mut agent = TestAgent::enrol(&cloud, 1).await;
    let request = agent.checkin_request(&cloud, EpochWish::Keep, |_| {});
    cloud.pass(TimeDelta::days(1));
    let answer = ask::<CheckinResponse>(&cloud, request).await;
    assert_eq!(answer, Answer::Refused(Refusal::Skew { server_time: cloud.now() }));
}

async fn a_revoked_agent_is_told_so_at_its_next_request(cloud: TestCloud) {
    let mut agent = TestAgent::enrol(&cloud, 1).await;
    agents::revoke(&cloud.state, &cloud.who, AgentId::from(agent.id)).await.unwrap();
    let request = agent.checkin_request(&cloud, EpochWish::Keep, |_| {});

    let answer = ask::<CheckinResponse>(&cloud, request).await;

    let Answer::Refused(Refusal::Revoked { proof: Some(proof) }) = answer else { panic!("{answer:?}") };
    let revocation = Revocation { cloud: cloud.state.cloud.id, agent: agent.id };
    assert!(revocation.is_proved_by(&proof, &cloud.state.cloud.public()));
}
