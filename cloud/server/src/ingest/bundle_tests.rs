//! Support bundles and farewells: only what was asked for is taken, once, from the agent that was asked.

use chrono::TimeDelta;
use rollcall_domain::ids::AgentId;
use rollcall_lab::postgres::Postgres;
use rollcall_protocol::{
    answer::{Answer, Refusal},
    bundle::BundleReceipt,
    ceiling::Ceiling,
    checkin::CheckinResponse,
    checkin::EpochWish,
    desired::{Order, Role},
    jws::{self, Kind},
    limits, path,
};
use rollcall_store::{audit, testing::TestDb};
use serde_json::Value;
use uuid::Uuid;

use crate::{
    services::{ServiceError, bundles},
    testing::{
        TestAgent, TestCloud,
        agent::{ask, to_request},
    },
};

/// On both engines.
async fn clouds() -> (Vec<TestCloud>, Postgres) {
    let postgres = Postgres::start_private().unwrap();
    let url = postgres.fresh_database().unwrap();
    let on_postgres = TestCloud::on(TestDb::postgres(&url).await.unwrap()).await;
    (vec![TestCloud::on_sqlite().await, on_postgres], postgres)
}

async fn asked(cloud: &TestCloud, agent: &mut TestAgent) -> Uuid {
    bundles::request(&cloud.state, &cloud.who, AgentId::from(agent.id)).await.unwrap();
    let desired = agent.check_in(cloud).await.unwrap();
    desired.commands.iter().rfind(|command| command.order == Order::Bundle).unwrap().id
}

async fn shelf(cloud: &TestCloud, agent: &TestAgent) -> bundles::Shelf {
    let mut tx = cloud.db().read(&cloud.who.scope).await.unwrap();
    bundles::list(&mut tx, &cloud.who, AgentId::from(agent.id), cloud.now()).await.unwrap()
}

async fn actions(cloud: &TestCloud) -> Vec<String> {
    let mut tx = cloud.db().read(&cloud.who.scope).await.unwrap();
    let lines = audit::list(&mut tx, &cloud.who.scope, None, 50).await.unwrap();
    lines.into_iter().map(|line| line.action).collect()
}

// proves: M-49
#[tokio::test]
async fn a_bundle_that_was_asked_for_is_kept_as_it_came_and_every_step_is_in_the_audit_log() {
    let (clouds, _postgres) = clouds().await;
    for cloud in clouds {
        let mut agent = TestAgent::enrol(&cloud, 1).await;
        let order = asked(&cloud, &mut agent).await;
        assert!(shelf(&cloud, &agent).await.is_awaited);

        let request = agent.bundle_request(&cloud, order, b"the zip");
        let Answer::Accepted(receipt) = ask::<BundleReceipt>(&cloud, request).await else { panic!("refused") };

        let listed = shelf(&cloud, &agent).await.bundles;
        assert_eq!((listed.len(), listed[0].id.uuid(), listed[0].size), (1, receipt.bundle, 7));
        let body = bundles::fetch(&cloud.state, &cloud.who, AgentId::from(agent.id), listed[0].id).await.unwrap();
        assert_eq!(body, b"the zip");
        let seen = actions(&cloud).await;
        for action in ["bundle.request", "bundle.receive", "bundle.download"] {
            assert!(seen.iter().any(|line| line == action), "{action} is not in {seen:?}");
        }
    }
}

// proves: M-49
#[tokio::test]
async fn what_nobody_asked_for_is_not_stored() {
    let (clouds, _postgres) = clouds().await;
    for cloud in clouds {
        let (mut agent, mut other) = (TestAgent::enrol(&cloud, 1).await, TestAgent::enrol(&cloud, 2).await);
        let order = asked(&cloud, &mut agent).await;

        let of_another = other.bundle_request(&cloud, order, b"zip");
        assert_eq!(ask::<BundleReceipt>(&cloud, of_another).await, Answer::Refused(Refusal::Malformed));
        let of_nothing = agent.bundle_request(&cloud, Uuid::from_u128(9), b"zip");
        assert_eq!(ask::<BundleReceipt>(&cloud, of_nothing).await, Answer::Refused(Refusal::Malformed));
        agent.check_in_saying(&cloud, EpochWish::Keep, |said| said.done = vec![order]).await;
        let too_late = agent.bundle_request(&cloud, order, b"zip");
        assert_eq!(ask::<BundleReceipt>(&cloud, too_late).await, Answer::Refused(Refusal::Malformed));

        assert!(shelf(&cloud, &agent).await.bundles.is_empty() && shelf(&cloud, &other).await.bundles.is_empty());
    }
}

// proves: M-49
#[tokio::test]
async fn a_bundle_whose_receipt_got_lost_is_stored_once() {
    let (clouds, _postgres) = clouds().await;
    for cloud in clouds {
        let mut agent = TestAgent::enrol(&cloud, 1).await;
        let order = asked(&cloud, &mut agent).await;
        let first = agent.bundle_request(&cloud, order, b"zip");
        let first = ask::<BundleReceipt>(&cloud, first).await;

        let again = agent.bundle_request(&cloud, order, b"another zip");

        assert_eq!(ask::<BundleReceipt>(&cloud, again).await, first);
        assert_eq!(shelf(&cloud, &agent).await.bundles.len(), 1);
    }
}

// proves: M-49
#[tokio::test]
async fn a_bundle_that_is_too_large_changed_or_signed_as_something_else_is_refused() {
    let cloud = TestCloud::on_sqlite().await;
    let mut agent = TestAgent::enrol(&cloud, 1).await;
    let order = asked(&cloud, &mut agent).await;

    let large = agent.bundle_request(&cloud, order, &vec![0; limits::BUNDLE + 1]);
    let limit = limits::BUNDLE as u64;
    assert_eq!(ask::<BundleReceipt>(&cloud, large).await, Answer::Refused(Refusal::TooLarge { limit }));
    let claims = agent.claims(&cloud, path::BUNDLES, b"zip", rollcall_protocol::bundle::BundleLink { command: order });
    let changed = to_request(path::BUNDLES, &jws::sign(Kind::Bundle, &agent.key, &claims).unwrap(), b"ZIP".to_vec());
    assert_eq!(ask::<BundleReceipt>(&cloud, changed).await, Answer::Refused(Refusal::Unauthorized));
    let other_kind =
        to_request(path::BUNDLES, &jws::sign(Kind::Request, &agent.key, &claims).unwrap(), b"zip".to_vec());
    assert_eq!(ask::<BundleReceipt>(&cloud, other_kind).await, Answer::Refused(Refusal::Unauthorized));

    assert!(shelf(&cloud, &agent).await.bundles.is_empty());
}

// proves: M-49
#[tokio::test]
async fn five_bundles_are_kept_for_a_week() {
    let (clouds, _postgres) = clouds().await;
    for cloud in clouds {
        let mut agent = TestAgent::enrol(&cloud, 1).await;
        for _ in 0..6 {
            agent.bundle(&cloud).await;
            cloud.pass(TimeDelta::seconds(5));
        }
        assert_eq!(shelf(&cloud, &agent).await.bundles.len(), 5);

        cloud.pass(TimeDelta::days(7));

        assert!(shelf(&cloud, &agent).await.bundles.is_empty());
        cloud.work().await;
        let mut tx = cloud.db().read(&cloud.scope).await.unwrap();
        assert_eq!(rollcall_store::bundles::count(&mut tx).await.unwrap(), 0, "not only out of sight");
        drop(tx);
        agent.bundle(&cloud).await;
        assert_eq!(shelf(&cloud, &agent).await.bundles.len(), 1);
    }
}

/// An agent that never told a ceiling is one that does not know the order: it would refuse every instruction with it.
// proves: M-49
#[tokio::test]
async fn an_agent_too_old_to_know_bundles_is_not_asked() {
    let cloud = TestCloud::on_sqlite().await;
    let mut agent = TestAgent::enrol(&cloud, 1).await;
    agent.check_in_saying(&cloud, EpochWish::Keep, |said| said.status.ceiling = None).await;

    let asked = bundles::request(&cloud.state, &cloud.who, AgentId::from(agent.id)).await;

    assert!(matches!(asked, Err(ServiceError::Invalid { field: "agent", .. })));
    agent.check_in_saying(&cloud, EpochWish::Keep, |said| said.status.ceiling = Some(Ceiling::default())).await;
    assert!(bundles::request(&cloud.state, &cloud.who, AgentId::from(agent.id)).await.is_ok());
}

#[tokio::test]
async fn an_agent_that_leaves_is_refused_from_then_on_and_its_place_is_taken() {
    let (clouds, _postgres) = clouds().await;
    for cloud in clouds {
        let (mut agent, mut second) = (TestAgent::enrol(&cloud, 1).await, TestAgent::enrol(&cloud, 2).await);
        let of_another = agent.leave_request(&cloud, second.id);
        assert_eq!(ask::<Value>(&cloud, of_another).await, Answer::Refused(Refusal::Malformed));

        let leave = agent.leave_request(&cloud, agent.id);
        assert!(matches!(ask::<Value>(&cloud, leave).await, Answer::Accepted(_)));

        let late = agent.checkin_request(&cloud, EpochWish::Keep, |_| {});
        let late = ask::<CheckinResponse>(&cloud, late).await;
        assert!(matches!(late, Answer::Refused(Refusal::Revoked { .. })), "{late:?}");
        assert_eq!(second.check_in(&cloud).await.unwrap().role, Role::Active);
        assert!(actions(&cloud).await.iter().any(|action| action == "agent.leave"));
    }
}
