//! How a key takes over from another one.

use chrono::TimeDelta;
use rollcall_domain::ids::AgentId;
use rollcall_protocol::{
    answer::{Answer, Refusal},
    desired::Order,
    evidence::Evidence,
};

use super::{STAFF, check_in_by, introduce, key};
use crate::{
    services::agents,
    testing::{TestAgent, TestCloud, ana, stories},
};

stories! { keys_are_rotated_the_same_on_postgres: [
    a_key_is_asked_for_once_and_only_of_an_agent_that_listens,
    a_rotated_key_takes_over_with_its_first_batch,
    a_newer_introduction_replaces_an_older_one,
    the_first_batch_by_a_key_retires_every_other_key,
] }

async fn a_key_is_asked_for_once_and_only_of_an_agent_that_listens(cloud: TestCloud) {
    let mut agent = TestAgent::enrol(&cloud, 1).await;
    let id = AgentId::from(agent.id);

    agents::rotate_key(&cloud.state, &cloud.who, id).await.unwrap();
    agents::rotate_key(&cloud.state, &cloud.who, id).await.unwrap();

    let desired = agent.check_in(&cloud).await.unwrap();
    assert_eq!(desired.commands.iter().filter(|command| command.order == Order::RotateKey).count(), 1);
    agents::revoke(&cloud.state, &cloud.who, id).await.unwrap();
    assert!(agents::rotate_key(&cloud.state, &cloud.who, id).await.is_err());
}

async fn a_rotated_key_takes_over_with_its_first_batch(cloud: TestCloud) {
    let mut agent = TestAgent::enrol(&cloud, 1).await;
    let import = cloud.import(STAFF).await;
    let new = key(42);
    introduce(&cloud, &mut agent, &new).await;

    // Both keys hold until the first batch by the new one.
    let by_old = agent.read(&cloud, vec![], &Evidence::Deleted);
    assert!(matches!(agent.push(&cloud, &by_old).await, Answer::Accepted(_)));
    let old = std::mem::replace(&mut agent.key, new);
    let by_new = agent.read(&cloud, vec![ana(import)], &Evidence::Deleted);
    assert!(matches!(agent.push(&cloud, &by_new).await, Answer::Accepted(_)));
    agent.key = old;
    let late = agent.read(&cloud, vec![], &Evidence::Deleted);
    assert_eq!(agent.push(&cloud, &late).await, Answer::Refused(Refusal::Unauthorized));
}

async fn a_newer_introduction_replaces_an_older_one(cloud: TestCloud) {
    let mut agent = TestAgent::enrol(&cloud, 1).await;
    introduce(&cloud, &mut agent, &key(42)).await;
    introduce(&cloud, &mut agent, &key(43)).await;

    assert_eq!(check_in_by(&cloud, &mut agent, 42).await, Answer::Refused(Refusal::Unauthorized));
    assert!(matches!(check_in_by(&cloud, &mut agent, 1).await, Answer::Accepted(_)), "nothing came by the new one yet");
    assert!(matches!(check_in_by(&cloud, &mut agent, 43).await, Answer::Accepted(_)));
}

async fn the_first_batch_by_a_key_retires_every_other_key(cloud: TestCloud) {
    let mut agent = TestAgent::enrol(&cloud, 1).await;
    introduce(&cloud, &mut agent, &key(42)).await;
    cloud.pass(TimeDelta::seconds(1));
    agent.key = key(42);
    introduce(&cloud, &mut agent, &key(43)).await;
    assert!(matches!(check_in_by(&cloud, &mut agent, 42).await, Answer::Accepted(_)));
    introduce(&cloud, &mut agent, &key(43)).await;

    agent.key = key(43);
    let sealed = agent.read(&cloud, vec![], &Evidence::Deleted);
    assert!(matches!(agent.push(&cloud, &sealed).await, Answer::Accepted(_)));

    for old in [1, 42] {
        assert_eq!(check_in_by(&cloud, &mut agent, old).await, Answer::Refused(Refusal::Unauthorized));
    }
}
