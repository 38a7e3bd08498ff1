//! When a chain of batches ends and another one begins: copies, lost spools, restored clouds.

use rollcall_domain::{agent::AgentState, ids::AgentId};
use rollcall_protocol::{
    answer::{Answer, Refusal},
    checkin::{CheckinResponse, EpochWish},
    desired::DesiredState,
    evidence::Evidence,
    jws::Unverified,
};
use rollcall_store::restores;

use super::{STAFF, standing};
use crate::{
    services::{ServiceError, agents},
    testing::{TestAgent, TestCloud, agent::ask, ana, stories},
};

stories! { epochs_are_the_same_on_postgres: [
    a_fork_stops_both_copies,
    a_released_agent_goes_on_in_a_new_epoch,
    a_copy_that_asks_for_an_epoch_and_does_not_know_the_present_one_stops_both,
    an_agent_that_lost_all_but_its_key_begins_anew,
    a_new_epoch_is_above_every_one_the_agent_knows,
    only_a_quarantined_agent_is_released,
    a_lost_spool_gets_a_new_epoch_and_the_old_one_ends,
    an_agent_ahead_of_a_restored_cloud_is_heard_and_obeys_again,
] }

async fn a_fork_stops_both_copies(cloud: TestCloud) {
    let mut agent = TestAgent::enrol(&cloud, 1).await;
    let import = cloud.import(STAFF).await;
    let start = agent.head;
    let genuine = agent.read(&cloud, vec![ana(import)], &Evidence::Deleted);
    agent.push(&cloud, &genuine).await;

    // A restored copy signs something else at the same place.
    agent.head = start;
    let copy = agent.read(&cloud, vec![], &Evidence::Deleted);
    assert_eq!(agent.push(&cloud, &copy).await, Answer::Refused(Refusal::Fork));

    assert_eq!(agent.push(&cloud, &genuine).await, Answer::Refused(Refusal::Quarantined));
    cloud.work().await;
    assert_eq!(cloud.list(None).await.len(), 0, "which of them is the true one only a human knows");

    agents::release(&cloud.state, &cloud.who, AgentId::from(agent.id)).await.unwrap();
    cloud.work().await;
    assert_eq!(cloud.list(None).await.len(), 1, "nothing of the copy was applied");
    assert_eq!(agent.push(&cloud, &genuine).await, Answer::Refused(Refusal::Epoch), "it begins anew, with everybody");
}

async fn a_released_agent_goes_on_in_a_new_epoch(cloud: TestCloud) {
    let mut agent = TestAgent::enrol(&cloud, 1).await;
    let import = cloud.import(STAFF).await;
    let start = agent.head;
    let of_copy = agent.read(&cloud, vec![], &Evidence::Deleted);
    agent.push(&cloud, &of_copy).await;
    agent.head = start;
    let waiting = agent.read(&cloud, vec![ana(import)], &Evidence::Deleted);
    assert_eq!(agent.push(&cloud, &waiting).await, Answer::Refused(Refusal::Fork));
    let id = AgentId::from(agent.id);
    let before = standing(&cloud, id).await;

    agents::release(&cloud.state, &cloud.who, id).await.unwrap();

    assert_eq!(agent.push(&cloud, &waiting).await, Answer::Refused(Refusal::Epoch));
    let after = standing(&cloud, id).await;
    assert_eq!((after.state, after.epoch), (AgentState::Active, 2));
    assert!(after.desired_version > before.desired_version);
    agent.check_in_saying(&cloud, EpochWish::New, |_| {}).await;
    for part in agent.read_full(&cloud, vec![ana(import)], 1) {
        assert!(matches!(agent.push(&cloud, &part).await, Answer::Accepted(_)));
    }
    cloud.work().await;
    assert_eq!(cloud.list(None).await.len(), 1);
}

async fn a_copy_that_asks_for_an_epoch_and_does_not_know_the_present_one_stops_both(cloud: TestCloud) {
    let mut agent = TestAgent::enrol(&cloud, 1).await;
    let import = cloud.import(STAFF).await;
    agent.sync(&cloud, vec![ana(import)], &Evidence::Deleted).await;
    agent.check_in_saying(&cloud, EpochWish::New, |_| {}).await;
    agent.people.clear();
    agent.sync(&cloud, vec![ana(import)], &Evidence::Deleted).await;

    // The other copy still stands in the first epoch.
    let request = agent.checkin_request(&cloud, EpochWish::New, |request| request.last_epoch = 1);

    assert_eq!(ask::<CheckinResponse>(&cloud, request).await, Answer::Refused(Refusal::Fork));
    let after = standing(&cloud, agent.id.into()).await;
    assert_eq!((after.state, after.epoch), (AgentState::Quarantined, 2));
}

async fn an_agent_that_lost_all_but_its_key_begins_anew(cloud: TestCloud) {
    let mut agent = TestAgent::enrol(&cloud, 1).await;
    let import = cloud.import(STAFF).await;
    agent.sync(&cloud, vec![ana(import)], &Evidence::Deleted).await;
    agent.check_in_saying(&cloud, EpochWish::New, |request| request.last_epoch = 0).await;
    agent.people.clear();
    agent.sync(&cloud, vec![ana(import)], &Evidence::Deleted).await;

    agent.check_in_saying(&cloud, EpochWish::New, |request| request.last_epoch = 0).await;
    // An answer that got lost is asked for again, in ignorance of the epoch it brought.
    agent.check_in_saying(&cloud, EpochWish::New, |request| request.last_epoch = 3).await;

    let after = standing(&cloud, agent.id.into()).await;
    assert_eq!((after.state, after.epoch), (AgentState::Active, 4));
}

async fn a_new_epoch_is_above_every_one_the_agent_knows(cloud: TestCloud) {
    let mut agent = TestAgent::enrol(&cloud, 1).await;
    // This database was restored: the agent has worked in epochs that it does not know.
    agent.check_in_saying(&cloud, EpochWish::New, |request| request.last_epoch = 7).await;
    assert_eq!(agent.head.epoch, 8);
    let mut tx = cloud.db().read(&cloud.who.scope).await.unwrap();
    assert_eq!(restores::find(&mut tx, agent.id.into()).await.unwrap(), Some(cloud.now()));
    drop(tx);

    agent.check_in_saying(&cloud, EpochWish::New, |request| request.last_epoch = u64::MAX).await;
    agent.check_in_saying(&cloud, EpochWish::New, |_| {}).await;
    assert_eq!(standing(&cloud, agent.id.into()).await.state, AgentState::Active);
}

async fn only_a_quarantined_agent_is_released(cloud: TestCloud) {
    let first = TestAgent::enrol(&cloud, 1).await;
    let second = TestAgent::enrol(&cloud, 2).await;
    for (agent, state) in [(&first, AgentState::Active), (&second, AgentState::Standby)] {
        let id = AgentId::from(agent.id);

        let answer = agents::release(&cloud.state, &cloud.who, id).await;

        assert!(matches!(answer, Err(ServiceError::Invalid { .. })), "{state}");
        let after = standing(&cloud, id).await;
        assert_eq!((after.state, after.epoch), (state, 1));
    }
}

async fn a_lost_spool_gets_a_new_epoch_and_the_old_one_ends(cloud: TestCloud) {
    let mut agent = TestAgent::enrol(&cloud, 1).await;
    let import = cloud.import(STAFF).await;
    agent.sync(&cloud, vec![ana(import)], &Evidence::Deleted).await;
    // Half a cycle was on its way when the spool was lost.
    let half = agent.read_full(&cloud, vec![ana(import)], 2);
    agent.push(&cloud, &half[0]).await;

    agent.check_in_saying(&cloud, EpochWish::New, |_| {}).await;
    assert_eq!(agent.head.epoch, 2);
    assert_eq!(agent.push(&cloud, &half[1]).await, Answer::Refused(Refusal::Epoch));

    agent.people.clear();
    agent.sync(&cloud, vec![ana(import)], &Evidence::Deleted).await;
    assert_eq!(cloud.people().await, [("Ana Bauer".to_owned(), "active")]);
    assert_eq!(cloud.runs().await[0].digest_agrees, Some(true));
}

async fn an_agent_ahead_of_a_restored_cloud_is_heard_and_obeys_again(cloud: TestCloud) {
    let mut agent = TestAgent::enrol(&cloud, 1).await;
    let ahead = agent.checkin_request(&cloud, EpochWish::Keep, |request| request.desired_version = 40);
    let Answer::Accepted(response) = ask::<CheckinResponse>(&cloud, ahead).await else { panic!("refused") };
    let statement = response.desired.unwrap();
    let desired: DesiredState = Unverified::parse(&statement).unwrap().peek().unwrap();
    assert!(desired.version > 40, "version {}", desired.version);
    let mut tx = cloud.db().read(&cloud.who.scope).await.unwrap();
    assert_eq!(restores::find(&mut tx, agent.id.into()).await.unwrap(), Some(cloud.now()), "and people are told");
    assert_eq!(restores::count(&mut tx, cloud.now()).await.unwrap(), 1);
    let lines = rollcall_store::audit::list(&mut tx, &cloud.who.scope, None, 100).await.unwrap();
    assert_eq!(lines.iter().filter(|line| line.action == "agent.outlived_restore").count(), 1);
}
