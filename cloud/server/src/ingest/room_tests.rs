//! One agent has one request of a kind under way, waits in one place, and keeps on its own disk what is not applied yet.

use std::time::Duration;

use axum::{body::Body, http::HeaderValue};
use rollcall_protocol::{
    answer::{Answer, Refusal},
    checkin::{CheckinResponse, EpochWish, Kind},
    evidence::Evidence,
    limits,
};

use crate::testing::{TestAgent, TestCloud, agent::ask, crowd, stories};

stories! { agents_are_kept_apart_on_postgres: [
    a_newer_check_in_ends_the_one_that_waits,
    a_question_is_answered_at_once,
    a_second_request_of_an_agent_is_told_to_come_back,
    what_is_not_applied_waits_at_the_agent,
    whoever_asks_without_a_pause_is_told_when_to_come_back,
] }

async fn a_newer_check_in_ends_the_one_that_waits(cloud: TestCloud) {
    let mut agent = TestAgent::enrol(&cloud, 1).await;
    let waiting = agent.checkin_request(&cloud, EpochWish::Keep, |request| request.wait_seconds = 50);
    let begun = std::time::Instant::now();

    let newer = async {
        loop {
            tokio::time::sleep(Duration::from_millis(100)).await;
            let request = agent.checkin_request(&cloud, EpochWish::Keep, |_| {});
            ask::<CheckinResponse>(&cloud, request).await;
        }
    };
    let ended = tokio::select! {
        ended = ask::<CheckinResponse>(&cloud, waiting) => ended,
        () = newer => unreachable!(),
    };

    assert!(matches!(ended, Answer::Accepted(CheckinResponse { desired: None, .. })), "{ended:?}");
    assert!(begun.elapsed() < Duration::from_secs(50), "it was sent home");
}

async fn a_question_is_answered_at_once(cloud: TestCloud) {
    let mut agent = TestAgent::enrol(&cloud, 1).await;
    let question = agent.checkin_request(&cloud, EpochWish::Keep, |request| {
        request.kind = Kind::Question;
        request.wait_seconds = 50;
        request.desired_version = limits::DESIRED_VERSION;
    });

    let answered = tokio::time::timeout(Duration::from_secs(40), ask::<CheckinResponse>(&cloud, question)).await;

    assert!(matches!(answered, Ok(Answer::Accepted(CheckinResponse { desired: None, .. }))), "{answered:?}");
}

async fn a_second_request_of_an_agent_is_told_to_come_back(cloud: TestCloud) {
    let mut agent = TestAgent::enrol(&cloud, 1).await;
    let mut other = TestAgent::enrol(&cloud, 2).await;
    let (parts, _) = agent.checkin_request(&cloud, EpochWish::Keep, |_| {}).into_parts();
    let endless = Body::from_stream(futures_util::stream::pending::<Result<Vec<u8>, std::io::Error>>());
    let slow = cloud.ask(axum::http::Request::from_parts(parts, endless));

    let refused = async {
        loop {
            tokio::time::sleep(Duration::from_millis(50)).await;
            let request = agent.checkin_request(&cloud, EpochWish::Keep, |_| {});
            if let Answer::Refused(refusal) = ask::<CheckinResponse>(&cloud, request).await {
                let request = other.checkin_request(&cloud, EpochWish::Keep, |_| {});
                return (refusal, ask::<CheckinResponse>(&cloud, request).await);
            }
        }
    };
    let (refusal, of_other) = tokio::select! {
        _ = slow => unreachable!(),
        answers = refused => answers,
    };

    assert!(matches!(refusal, Refusal::Busy { retry_after_seconds: 1 }), "{refusal:?}");
    assert!(matches!(of_other, Answer::Accepted(_)), "another agent does not notice");
}

async fn what_is_not_applied_waits_at_the_agent(cloud: TestCloud) {
    let mut agent = TestAgent::enrol(&cloud, 1).await;
    let import = cloud.import(uuid::Uuid::from_u128(0x0f)).await;
    // Parts of a cycle whose last one never comes.
    cloud
        .run_sql(
            "insert into inbox
                 (msp_id, agent_id, epoch, seq, cycle, part, parts, jws_hash, jws, body, received_at)
             with recursive n(i) as (select 1 union all select i + 1 from n where i < 2000)
             select a.msp_id, a.id, a.epoch, 1000 + n.i, a.id, 1, 2, a.head, '', a.head, a.enrolled_at
             from agents a
             cross join n",
        )
        .await;

    let sealed = agent.read(&cloud, crowd(3, import), &Evidence::Deleted);
    let answer = agent.push(&cloud, &sealed).await;
    assert!(matches!(answer, Answer::Refused(Refusal::Busy { retry_after_seconds: 60 })), "{answer:?}");

    cloud.run_sql("update inbox set applied_at = received_at").await;
    assert!(matches!(agent.push(&cloud, &sealed).await, Answer::Accepted(_)));
    cloud.work().await;
    assert_eq!(cloud.people().await.len(), 3);
}

async fn whoever_asks_without_a_pause_is_told_when_to_come_back(cloud: TestCloud) {
    let mut rogue = TestAgent::enrol(&cloud, 1).await;
    let mut other = TestAgent::enrol(&cloud, 2).await;
    let nonsense = |agent: &mut TestAgent| agent.leave_request(&cloud, uuid::Uuid::from_u128(7));
    for _ in 0..limits::RARE_REQUESTS.at_once {
        assert_eq!(cloud.ask(nonsense(&mut rogue)).await.status(), 400);
    }

    let refused = cloud.ask(nonsense(&mut rogue)).await;

    assert_eq!((refused.status().as_u16(), &refused.headers()["retry-after"]), (429, &HeaderValue::from(10)));
    assert_eq!(refused.headers()["content-type"], "application/problem+json");
    let answer = ask::<()>(&cloud, nonsense(&mut rogue)).await;
    assert_eq!(answer, Answer::Refused(Refusal::Busy { retry_after_seconds: 10 }), "as agents read it");
    assert_eq!(cloud.ask(nonsense(&mut other)).await.status(), 400, "another agent does not notice");
    let request = rogue.checkin_request(&cloud, EpochWish::Keep, |_| {});
    assert!(matches!(ask::<CheckinResponse>(&cloud, request).await, Answer::Accepted(_)), "nor another errand");
    cloud.pass(chrono::TimeDelta::seconds(10));
    assert_eq!(cloud.ask(nonsense(&mut rogue)).await.status(), 400);
    assert_eq!(cloud.ask(nonsense(&mut rogue)).await.status(), 429);
}
