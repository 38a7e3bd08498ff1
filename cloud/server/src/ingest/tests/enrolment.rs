//! One token makes one agent, and nothing else opens the door.

use axum::http::StatusCode;
use chrono::TimeDelta;
use rollcall_protocol::{
    answer::{Answer, Refusal, TokenFault},
    enrol::EnrolResponse,
    key::PrivateKey,
};

use crate::{
    services::tokens,
    testing::{
        TestCloud,
        agent::{ask, enrol_request},
        stories,
    },
};

stories! { enrolments_are_the_same_on_postgres: [
    a_token_enrols_exactly_one_agent,
    an_enrolment_whose_answer_got_lost_is_answered_again,
    a_hundred_enrolments_with_one_token_make_one_agent,
    a_late_a_revoked_and_a_forged_token_open_nothing,
    a_token_stolen_without_the_key_opens_nothing,
] }

async fn a_token_enrols_exactly_one_agent(cloud: TestCloud) {
    let token = cloud.token().await;
    let first = enrol_request(&cloud, &PrivateKey::from_seed(&[1; 32]), &token);
    assert!(matches!(ask::<EnrolResponse>(&cloud, first).await, Answer::Accepted(_)));

    let second = enrol_request(&cloud, &PrivateKey::from_seed(&[2; 32]), &token);
    assert_eq!(ask::<EnrolResponse>(&cloud, second).await, refused(TokenFault::Used));
}

async fn an_enrolment_whose_answer_got_lost_is_answered_again(cloud: TestCloud) {
    let (token, key) = (cloud.token().await, PrivateKey::from_seed(&[1; 32]));
    let first = ask::<EnrolResponse>(&cloud, enrol_request(&cloud, &key, &token)).await;
    assert!(matches!(first, Answer::Accepted(_)));
    assert_eq!(ask::<EnrolResponse>(&cloud, enrol_request(&cloud, &key, &token)).await, first);
}

fn refused(reason: TokenFault) -> Answer<EnrolResponse> {
    Answer::Refused(Refusal::Token { reason })
}

async fn a_hundred_enrolments_with_one_token_make_one_agent(cloud: TestCloud) {
    let token = cloud.token().await;
    let requests: Vec<_> =
        (0..100).map(|seed| enrol_request(&cloud, &PrivateKey::from_seed(&[seed; 32]), &token)).collect();
    let answers = futures_util::future::join_all(requests.into_iter().map(|request| cloud.ask(request))).await;
    let accepted = answers.iter().filter(|answer| answer.status() == StatusCode::OK).count();
    assert_eq!(accepted, 1);
    assert!(answers.iter().all(|answer| [StatusCode::OK, StatusCode::GONE].contains(&answer.status())));
}

async fn a_late_a_revoked_and_a_forged_token_open_nothing(cloud: TestCloud) {
    let key = PrivateKey::from_seed(&[1; 32]);
    let late = cloud.token().await;
    cloud.pass(TimeDelta::hours(2));
    assert_eq!(ask(&cloud, enrol_request(&cloud, &key, &late)).await, refused(TokenFault::Expired));

    let issued = tokens::issue(&cloud.state, &cloud.who, cloud.customer, None).await.unwrap();
    tokens::revoke(&cloud.state, &cloud.who, cloud.customer, issued.id).await.unwrap();
    assert_eq!(ask(&cloud, enrol_request(&cloud, &key, &issued.token)).await, refused(TokenFault::Revoked));

    let forged = rollcall_protocol::enrol::EnrolToken {
        iss: cloud.state.cloud.id,
        url: "https://evil.example".into(),
        customer: cloud.customer.uuid(),
        jti: "guess".into(),
        exp: i64::MAX,
    };
    let forged = forged.sign(&key).unwrap();
    assert_eq!(ask(&cloud, enrol_request(&cloud, &key, &forged)).await, refused(TokenFault::Unknown));
}

async fn a_token_stolen_without_the_key_opens_nothing(cloud: TestCloud) {
    let token = cloud.token().await;
    let genuine = enrol_request(&cloud, &PrivateKey::from_seed(&[1; 32]), &token);
    // Somebody else's signature over somebody's request.
    let (parts, body) = genuine.into_parts();
    let bytes = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let mut stolen = enrol_request(&cloud, &PrivateKey::from_seed(&[2; 32]), &token);
    *stolen.body_mut() = axum::body::Body::from(bytes);
    drop(parts);
    assert_eq!(ask::<EnrolResponse>(&cloud, stolen).await, Answer::Refused(Refusal::Unauthorized));
}
