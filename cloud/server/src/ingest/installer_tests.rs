//! Who gets the installer, and what everybody else is answered.

use axum::{
    body::{Body, to_bytes},
    http::{HeaderMap, Method, Request, StatusCode, header},
};
use chrono::TimeDelta;
use rollcall_lab::postgres::Postgres;
use rollcall_protocol::{
    answer::{Refusal, TokenFault},
    enrol::EnrolToken,
    key::PrivateKey,
    path,
};
use rollcall_store::testing::TestDb;
use sha2::{Digest as _, Sha256};

use crate::{
    installer::Shelf,
    services::{customers, tokens},
    testing::{TestAgent, TestCloud, found},
};

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Answer {
    fn header(&self, name: impl header::AsHeaderName) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    fn refusal(&self) -> Refusal {
        serde_json::from_slice(&self.body).unwrap()
    }
}

async fn ask(cloud: &TestCloud, method: Method, token: Option<&str>) -> Answer {
    let mut request = Request::builder().method(method).uri(path::INSTALLER);
    if let Some(token) = token {
        request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
    }
    let (parts, body) = cloud.ask(request.body(Body::empty()).unwrap()).await.into_parts();
    Answer { status: parts.status, headers: parts.headers, body: to_bytes(body, 1 << 20).await.unwrap().to_vec() }
}

async fn get(cloud: &TestCloud, token: &str) -> Answer {
    ask(cloud, Method::GET, Some(token)).await
}

/// On both engines.
async fn clouds() -> (Vec<TestCloud>, Postgres) {
    let postgres = Postgres::start_private().unwrap();
    let url = postgres.fresh_database().unwrap();
    let on_postgres = TestCloud::on(TestDb::postgres(&url).await.unwrap()).await;
    (vec![TestCloud::on_sqlite().await, on_postgres], postgres)
}

#[tokio::test]
async fn a_token_that_could_be_spent_gets_the_file_with_its_hash_and_is_not_spent() {
    let (clouds, _postgres) = clouds().await;
    for cloud in clouds {
        let token = cloud.token().await;

        let answers = [get(&cloud, &token).await, get(&cloud, &token).await];

        for answer in answers {
            assert_eq!((answer.status, answer.body.as_slice()), (StatusCode::OK, &b"an installer"[..]));
            assert_eq!(answer.header("x-content-sha256"), crate::keys::to_hex(&Sha256::digest(&answer.body)));
            assert_eq!(answer.header(header::CONTENT_DISPOSITION), "attachment; filename=\"rollcall-agent-x64.msi\"");
            assert_eq!(answer.header(header::CACHE_CONTROL), "no-store");
        }
        TestAgent::enrol_with(&cloud, 1, &token).await;
    }
}

#[tokio::test]
async fn a_token_that_cannot_be_spent_is_told_why() {
    let (clouds, _postgres) = clouds().await;
    for cloud in clouds {
        let used = cloud.token().await;
        TestAgent::enrol_with(&cloud, 1, &used).await;
        let revoked = tokens::issue(&cloud.state, &cloud.who, cloud.customer, None).await.unwrap();
        tokens::revoke(&cloud.state, &cloud.who, cloud.customer, revoked.id).await.unwrap();
        let expired = cloud.token().await;
        cloud.pass(TimeDelta::minutes(61));

        for (token, reason) in
            [(used, TokenFault::Used), (revoked.token, TokenFault::Revoked), (expired, TokenFault::Expired)]
        {
            let answer = get(&cloud, &token).await;

            assert_eq!((answer.status, answer.refusal()), (StatusCode::GONE, Refusal::Token { reason }));
        }
    }
}

#[tokio::test]
async fn what_was_never_issued_here_gets_nothing() {
    let cloud = TestCloud::on_sqlite().await;
    let stranger = EnrolToken {
        iss: cloud.state.cloud.id,
        url: cloud.state.public_url.to_string(),
        customer: cloud.customer.uuid(),
        jti: "AAAAAAAAAAAAAAAAAAAAAAAA".into(),
        exp: cloud.now().timestamp() + 3600,
    };
    let of_another_cloud = stranger.sign(&PrivateKey::from_seed(&[8; 32])).unwrap();
    let signed_and_never_kept = stranger.sign(&cloud.state.cloud.key).unwrap();

    for token in [of_another_cloud.as_str(), &signed_and_never_kept, "not.a.token", "x"] {
        let answer = get(&cloud, token).await;

        assert_eq!(answer.refusal(), Refusal::Token { reason: TokenFault::Unknown }, "{token}");
    }
    let answer = ask(&cloud, Method::GET, None).await;
    assert_eq!((answer.status, answer.refusal()), (StatusCode::UNAUTHORIZED, Refusal::Unauthorized));
}

#[tokio::test]
async fn the_token_of_another_msp_gets_the_same_file_and_touches_nobody_elses() {
    let (clouds, _postgres) = clouds().await;
    for cloud in clouds {
        let other = found(cloud.db(), &cloud.state, "Southwind IT").await;
        let customer = customers::create(&cloud.state, &other, "Fabrikam").await.unwrap();
        let theirs = tokens::issue(&cloud.state, &other, customer.id, None).await.unwrap().token;
        let ours = cloud.token().await;

        let (first, second) = (get(&cloud, &theirs).await, get(&cloud, &ours).await);

        assert_eq!((first.status, &first.body), (StatusCode::OK, &second.body));
        tokens::revoke(&cloud.state, &other, customer.id, listed(&cloud, &other, customer.id).await).await.unwrap();
        assert_eq!(get(&cloud, &theirs).await.status, StatusCode::GONE);
        assert_eq!(get(&cloud, &ours).await.status, StatusCode::OK);
    }
}

async fn listed(
    cloud: &TestCloud,
    who: &crate::services::Who,
    customer: rollcall_domain::ids::CustomerId,
) -> rollcall_domain::ids::EnrolTokenId {
    let mut tx = cloud.db().read(&who.scope).await.unwrap();
    let (scope, _) = rollcall_store::customers::find(&mut tx, &who.scope, customer).await.unwrap().unwrap();
    rollcall_store::enrol_tokens::list(&mut tx, &scope, 1).await.unwrap()[0].id
}

#[tokio::test]
async fn a_cloud_without_an_installer_says_so_to_holders_of_a_token_alone() {
    let mut cloud = TestCloud::on_sqlite().await;
    let empty = tempfile::tempdir().unwrap();
    cloud.put_installers(Shelf::new(empty.path()));
    let token = cloud.token().await;

    assert_eq!(get(&cloud, &token).await.status, StatusCode::NOT_FOUND);
    assert_eq!(get(&cloud, "x").await.status, StatusCode::GONE);
}

#[tokio::test]
async fn whoever_asks_for_the_head_alone_gets_length_and_hash() {
    let cloud = TestCloud::on_sqlite().await;
    let token = cloud.token().await;

    let answer = ask(&cloud, Method::HEAD, Some(&token)).await;

    assert_eq!((answer.status, answer.body.len()), (StatusCode::OK, 0));
    assert_eq!(answer.header(header::CONTENT_LENGTH), "12");
    assert_eq!(answer.header("x-content-sha256"), crate::keys::to_hex(&Sha256::digest(b"an installer")));
    assert_eq!(ask(&cloud, Method::POST, Some(&token)).await.status, StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn a_token_that_asks_all_day_waits_until_the_hour_is_over() {
    let cloud = TestCloud::on_sqlite().await;
    let day = Some(TimeDelta::hours(24));
    let token = tokens::issue(&cloud.state, &cloud.who, cloud.customer, day).await.unwrap().token;
    for _ in 0..20 {
        assert_eq!(get(&cloud, &token).await.status, StatusCode::OK);
    }

    let refused = get(&cloud, &token).await;

    assert_eq!((refused.status, refused.header(header::RETRY_AFTER)), (StatusCode::TOO_MANY_REQUESTS, "3600"));
    cloud.pass(TimeDelta::hours(1));
    assert_eq!(get(&cloud, &token).await.status, StatusCode::OK);
}
