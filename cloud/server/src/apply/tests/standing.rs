//! What an agent has waiting when it is stopped or revoked.

use rollcall_domain::{ids::AgentId, run::RunResult};
use rollcall_protocol::{
    answer::{Answer, Refusal},
    evidence::Evidence,
    person::Person,
};
use rollcall_store::directories;

use super::set_up;
use crate::{
    services::agents,
    testing::{TestAgent, TestCloud, crowd, stories},
};

stories! { what_waits_goes_by_standing_on_postgres: [
    what_a_revoked_agent_has_waiting_is_refused,
    what_two_copies_have_waiting_waits_for_a_human,
    what_waits_of_an_agent_that_is_not_released_is_refused,
] }

async fn what_a_revoked_agent_has_waiting_is_refused(cloud: TestCloud) {
    let (mut agent, import) = set_up(&cloud).await;
    agent.sync(&cloud, crowd(10, import), &Evidence::Deleted).await;
    for left in [9, 8] {
        let sealed = agent.read(&cloud, crowd(left, import), &Evidence::Deleted);
        agent.push(&cloud, &sealed).await;
    }

    agents::revoke(&cloud.state, &cloud.who, AgentId::from(agent.id)).await.unwrap();
    cloud.work().await;

    assert_eq!(cloud.list(None).await.len(), 10, "nobody goes on the word of an agent that was seen to lie");
    let runs = cloud.runs().await;
    assert_eq!(runs.len(), 3);
    for run in &runs[..2] {
        assert_eq!((run.result, run.reason_code.as_deref()), (RunResult::Failed, Some("RC-3102")));
    }
    assert_eq!(orders_of_everybody(&cloud).await, 0, "an agent that nobody hears is asked for nothing");
}

async fn what_two_copies_have_waiting_waits_for_a_human(cloud: TestCloud) {
    let (mut agent, import) = set_up(&cloud).await;
    agent.sync(&cloud, crowd(10, import), &Evidence::Deleted).await;
    fork(&cloud, &mut agent, crowd(9, import), crowd(8, import)).await;

    cloud.work().await;
    assert_eq!(cloud.list(None).await.len(), 10, "whose it is, nobody knows yet");

    agents::release(&cloud.state, &cloud.who, AgentId::from(agent.id)).await.unwrap();
    cloud.work().await;
    assert_eq!((cloud.list(None).await.len(), cloud.runs().await.len()), (9, 2), "what was acknowledged is not lost");
}

async fn what_waits_of_an_agent_that_is_not_released_is_refused(cloud: TestCloud) {
    let (mut agent, import) = set_up(&cloud).await;
    agent.sync(&cloud, crowd(10, import), &Evidence::Deleted).await;
    fork(&cloud, &mut agent, crowd(9, import), crowd(8, import)).await;
    cloud.work().await;

    agents::revoke(&cloud.state, &cloud.who, AgentId::from(agent.id)).await.unwrap();
    cloud.work().await;

    assert_eq!(cloud.list(None).await.len(), 10);
    assert_eq!(cloud.runs().await[0].reason_code.as_deref(), Some("RC-3102"));
}

/// The first reading comes in; then a copy brings the second one, at the same place.
async fn fork(cloud: &TestCloud, agent: &mut TestAgent, first: Vec<Person>, second: Vec<Person>) {
    let (head, snapshot) = (agent.head, agent.snapshot);
    let genuine = agent.read(cloud, first, &Evidence::Deleted);
    agent.push(cloud, &genuine).await;
    (agent.head, agent.snapshot) = (head, snapshot);
    let copy = agent.read(cloud, second, &Evidence::Deleted);
    assert_eq!(agent.push(cloud, &copy).await, Answer::Refused(Refusal::Fork));
}

async fn orders_of_everybody(cloud: &TestCloud) -> usize {
    let mut tx = cloud.db().read(&cloud.scope).await.unwrap();
    let listed = directories::list(&mut tx, &cloud.scope).await.unwrap();
    listed.iter().filter(|directory| directory.full_wanted_at.is_some()).count()
}
