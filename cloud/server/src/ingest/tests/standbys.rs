//! Which of several agents reads a directory.

use chrono::TimeDelta;
use rollcall_domain::{agent::AgentState, ids::AgentId};
use rollcall_protocol::{
    answer::{Answer, Refusal},
    desired::Role,
    evidence::Evidence,
};

use super::{STAFF, standing};
use crate::{
    services::agents,
    testing::{TestAgent, TestCloud, ana, stories},
};

stories! { standbys_take_over_the_same_on_postgres: [
    a_released_standby_still_stands_by,
    a_second_agent_of_a_directory_stands_by,
    a_standby_takes_over_when_the_reader_is_revoked,
    one_that_is_heard_of_takes_over_before_one_that_is_not,
    a_released_standby_takes_over_from_a_reader_that_was_revoked_meanwhile,
] }

async fn a_released_standby_still_stands_by(cloud: TestCloud) {
    TestAgent::enrol(&cloud, 1).await;
    let mut second = TestAgent::enrol(&cloud, 2).await;
    let start = second.head;
    let one = second.read(&cloud, vec![], &Evidence::Deleted);
    second.push(&cloud, &one).await;
    second.head = start;
    let other = second.read(&cloud, vec![], &Evidence::Deleted);
    assert_eq!(second.push(&cloud, &other).await, Answer::Refused(Refusal::Fork));
    let id = AgentId::from(second.id);

    agents::release(&cloud.state, &cloud.who, id).await.unwrap();

    assert_eq!(standing(&cloud, id).await.state, AgentState::Standby, "another agent reads the directory");
}

async fn a_second_agent_of_a_directory_stands_by(cloud: TestCloud) {
    let mut first = TestAgent::enrol(&cloud, 1).await;
    let mut second = TestAgent::enrol(&cloud, 2).await;
    (first.desired, second.desired) = (0, 0);
    assert_eq!(first.check_in(&cloud).await.unwrap().role, Role::Active);
    assert_eq!(second.check_in(&cloud).await.unwrap().role, Role::Standby);
}

// proves: M-41
async fn a_standby_takes_over_when_the_reader_is_revoked(cloud: TestCloud) {
    let mut first = TestAgent::enrol(&cloud, 1).await;
    let mut second = TestAgent::enrol(&cloud, 2).await;
    let import = cloud.import(STAFF).await;
    first.sync(&cloud, vec![ana(import)], &Evidence::Deleted).await;
    let before = cloud.list(None).await[0].id;

    agents::revoke(&cloud.state, &cloud.who, AgentId::from(first.id)).await.unwrap();

    assert_eq!(second.check_in(&cloud).await.unwrap().role, Role::Active);
    second.sync(&cloud, vec![ana(import)], &Evidence::Deleted).await;
    let listed = cloud.list(None).await;
    assert_eq!((listed.len(), listed[0].id), (1, before), "the same person, once");
    assert_eq!(cloud.runs().await[0].digest_agrees, Some(true));
}

async fn one_that_is_heard_of_takes_over_before_one_that_is_not(cloud: TestCloud) {
    let first = TestAgent::enrol(&cloud, 1).await;
    let silent = TestAgent::enrol(&cloud, 2).await;
    cloud.pass(TimeDelta::hours(1));
    let heard = TestAgent::enrol(&cloud, 3).await;

    agents::revoke(&cloud.state, &cloud.who, AgentId::from(first.id)).await.unwrap();

    assert_eq!(standing(&cloud, silent.id.into()).await.state, AgentState::Standby);
    assert_eq!(standing(&cloud, heard.id.into()).await.state, AgentState::Active);
}

async fn a_released_standby_takes_over_from_a_reader_that_was_revoked_meanwhile(cloud: TestCloud) {
    let first = TestAgent::enrol(&cloud, 1).await;
    let mut second = TestAgent::enrol(&cloud, 2).await;
    cloud.import(STAFF).await;
    let start = second.head;
    let one = second.read(&cloud, vec![], &Evidence::Deleted);
    second.push(&cloud, &one).await;
    cloud.work().await;
    second.head = start;
    let other = second.read(&cloud, vec![], &Evidence::Deleted);
    assert_eq!(second.push(&cloud, &other).await, Answer::Refused(Refusal::Fork));
    agents::revoke(&cloud.state, &cloud.who, AgentId::from(first.id)).await.unwrap();
    let mut tx = cloud.db().read(&cloud.scope).await.unwrap();
    let overview = rollcall_store::customers::get_overview(&mut tx, &cloud.scope).await.unwrap();
    drop(tx);
    assert!(overview.unread_since.is_some(), "nobody reads the directory");

    agents::release(&cloud.state, &cloud.who, AgentId::from(second.id)).await.unwrap();

    assert_eq!(standing(&cloud, second.id.into()).await.state, AgentState::Active);
    let mut tx = cloud.db().read(&cloud.scope).await.unwrap();
    let directories = rollcall_store::directories::list(&mut tx, &cloud.scope).await.unwrap();
    assert_eq!(directories[0].agent_id.uuid(), second.id);
}
