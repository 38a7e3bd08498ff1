//! Which files are handed out, and to whom.

use axum::{
    body::Body,
    http::{Request, header},
};
use chrono::TimeDelta;
use rollcall_protocol::{
    hash::{BodyDigest, Hash},
    jws::{self, Kind},
    path,
    request::RequestClaims,
    update::name,
};

use super::{PROGRAM, agents, as_version, publish};
use crate::{
    releases::Shelf,
    testing::{TestAgent, TestCloud, stories},
};

stories! { files_are_handed_out_the_same_on_postgres: [
    an_expired_publication_is_not_offered,
    files_are_handed_to_enrolled_agents_and_only_files_of_a_publication,
] }

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
