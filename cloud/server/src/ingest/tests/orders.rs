//! What people ask of an agent, and what it says of having done it.

use std::time::Duration;

use chrono::TimeDelta;
use rollcall_domain::{
    agent::AgentState,
    ids::{AgentId, CommandId},
    run::RunResult,
};
use rollcall_protocol::{
    answer::Answer,
    batch::Trigger,
    checkin::{self, CheckinResponse, Clearing, CycleOutcome, CycleReport, EpochWish, Problem},
    desired::Order,
    evidence::Evidence,
    limits,
};
use rollcall_store::commands::{self, NewCommand};
use uuid::Uuid;

use super::{STAFF, standing};
use crate::{
    services::{
        ServiceError,
        agents::{self, Ask},
        clearings,
        pauses::{self, Target, Wish},
    },
    testing::{TestAgent, TestCloud, agent::ask, ana, stories},
};

stories! { orders_are_given_the_same_on_postgres: [
    sync_now_wakes_a_parked_check_in,
    a_pause_reaches_the_agent_and_ends_by_itself,
    an_old_agent_is_asked_however_many_came_and_went_after_it,
    orders_that_do_not_fit_come_when_the_first_are_done,
    an_incomplete_reading_becomes_one_failed_run,
    a_finished_command_is_not_given_again,
    whoever_asks_after_the_reading_gets_another_one,
    whoever_asks_once_an_order_is_handed_out_gets_another_reading,
    a_check_beside_the_agent_is_answered_and_nothing_that_it_says_is_kept,
    what_vanished_is_accepted_only_by_name_and_only_while_it_is_told,
] }

async fn sync_now_wakes_a_parked_check_in(cloud: TestCloud) {
    let mut agent = TestAgent::enrol(&cloud, 1).await;
    agent.check_in(&cloud).await;
    let parked = agent.checkin_request(&cloud, EpochWish::Keep, |request| request.wait_seconds = 50);
    let (answer, ()) = tokio::join!(ask::<CheckinResponse>(&cloud, parked), async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        agents::ask(&cloud.state, &cloud.who, cloud.customer, Ask::SyncNow).await.unwrap();
    });
    let Answer::Accepted(response) = answer else { panic!("{answer:?}") };
    assert!(response.desired.is_some());
    let desired = agent.check_in(&cloud).await.unwrap();
    assert_eq!(desired.commands.len(), 1);
    assert_eq!(desired.commands[0].order, Order::SyncNow);
}

async fn a_pause_reaches_the_agent_and_ends_by_itself(cloud: TestCloud) {
    let mut agent = TestAgent::enrol(&cloud, 1).await;
    let until = cloud.now() + TimeDelta::hours(1);
    let wish = Wish { reason: "migration".into(), until: Some(until) };
    pauses::pause(&cloud.state, &cloud.who, Target::Customer(cloud.customer), wish).await.unwrap();
    let desired = agent.check_in(&cloud).await.unwrap();
    assert_eq!(desired.pause.unwrap().until, Some(until));

    pauses::resume(&cloud.state, &cloud.who, Target::Customer(cloud.customer)).await.unwrap();
    assert_eq!(agent.check_in(&cloud).await.unwrap().pause, None);

    let open = Wish { reason: "all of us".into(), until: None };
    pauses::pause(&cloud.state, &cloud.who, Target::Msp, open).await.unwrap();
    assert_eq!(agent.check_in(&cloud).await.unwrap().pause.unwrap().until, None);
}

async fn an_old_agent_is_asked_however_many_came_and_went_after_it(cloud: TestCloud) {
    let mut old = TestAgent::enrol(&cloud, 1).await;
    let mut tx = cloud.db().write(&cloud.scope).await.unwrap();
    for _ in 0..201 {
        let id = cloud.state.mint(AgentId::mint);
        let new = rollcall_store::agents::NewAgent {
            id,
            hostname: "SRV1",
            os: "Windows",
            version: "0.1.0",
            facts: serde_json::json!({}),
            epoch_start: [0; 32],
            enrolled_at: cloud.now(),
        };
        rollcall_store::agents::insert(&mut tx, &cloud.scope, new).await.unwrap();
        let (scope, _) = rollcall_store::agents::find_for_job(&mut tx, id).await.unwrap().unwrap();
        rollcall_store::agents::set_state(&mut tx, &scope, AgentState::Revoked, cloud.now()).await.unwrap();
    }
    tx.commit().await.unwrap();

    assert_eq!(agents::ask(&cloud.state, &cloud.who, cloud.customer, Ask::SyncNow).await.unwrap(), 1);
    assert_eq!(old.check_in(&cloud).await.unwrap().commands.len(), 1);
}

async fn orders_that_do_not_fit_come_when_the_first_are_done(cloud: TestCloud) {
    let mut agent = TestAgent::enrol(&cloud, 1).await;
    let (scope, mut tx) = scope_and_tx(&cloud, &agent).await;
    for order in 0..20_u128 {
        let guids = (0..limits::CONFIRM as u128).map(|number| Uuid::from_u128((order << 64) + number + 1)).collect();
        let command = NewCommand {
            id: cloud.state.mint(CommandId::mint),
            kind: commands::CONFIRM,
            payload: serde_json::json!(Order::Confirm { guids }),
            created_by: "Rollcall",
            created_at: cloud.now(),
        };
        commands::insert(&mut tx, scope.agent(), command).await.unwrap();
    }
    rollcall_store::agents::renew_desired(&mut tx, &scope).await.unwrap();
    tx.commit().await.unwrap();
    agents::ask(&cloud.state, &cloud.who, cloud.customer, Ask::SyncNow).await.unwrap();

    let mut answered = 0;
    let mut desired = agent.check_in(&cloud).await.unwrap();
    assert!(
        desired.commands.iter().any(|command| command.order == Order::SyncNow),
        "a hundred thousand people hold it up"
    );
    while !desired.commands.is_empty() {
        let done: Vec<Uuid> = desired.commands.iter().map(|command| command.id).collect();
        answered += done.len();
        let next = agent.check_in_saying(&cloud, EpochWish::Keep, |request| request.done = done).await;
        match next {
            Some(next) => desired = next,
            None => break,
        }
    }
    assert_eq!(answered, 21);
}

async fn scope_and_tx(cloud: &TestCloud, agent: &TestAgent) -> (rollcall_store::AgentScope, rollcall_store::WriteTx) {
    let mut tx = cloud.db().write(&cloud.who.scope).await.unwrap();
    let found = rollcall_store::agents::find(&mut tx, &cloud.who.scope, agent.id.into()).await.unwrap();
    (found.unwrap().0, tx)
}

async fn an_incomplete_reading_becomes_one_failed_run(cloud: TestCloud) {
    let mut agent = TestAgent::enrol(&cloud, 1).await;
    let problem = Problem { code: "RC-2303".into(), detail: "page 2: cut".into(), since: cloud.now() };
    let report = CycleReport {
        cycle: Uuid::from_u128(0xbad),
        trigger: Some(Trigger::SyncNow),
        started_at: cloud.now(),
        finished_at: cloud.now(),
        outcome: CycleOutcome::Incomplete { problem, next_try_at: cloud.now() },
    };
    for _ in 0..2 {
        let report = report.clone();
        agent.check_in_saying(&cloud, EpochWish::Keep, |request| request.status.last_cycle = Some(report)).await;
    }
    let runs = cloud.runs().await;
    assert_eq!(runs.len(), 1);
    assert_eq!((runs[0].result, runs[0].reason_code.as_deref()), (RunResult::Failed, Some("RC-2303")));
    assert_eq!(runs[0].cause, "sync_now");
}

async fn what_vanished_is_accepted_only_by_name_and_only_while_it_is_told(cloud: TestCloud) {
    let mut agent = TestAgent::enrol(&cloud, 1).await;
    let id = AgentId::from(agent.id);
    let mail = Clearing { attribute: "mail".into(), people: 240, of: 300, import: None };
    let accept_seeing = async |name: &str, seen: u64| {
        let meant = clearings::Meant { attribute: name.to_owned(), import: None, seen: Some(seen) };
        clearings::accept(&cloud.state, &cloud.who, id, &[meant]).await
    };
    let accept = async |name: &str| accept_seeing(name, 240).await;
    agent.check_in_saying(&cloud, EpochWish::Keep, |request| request.status.clearings = vec![mail]).await;
    let of_yesterday = accept_seeing("mail", 30).await;
    assert!(matches!(of_yesterday, Err(ServiceError::ChangedMeanwhile)), "thirty is not two hundred and forty");

    assert!(matches!(accept("title").await, Err(ServiceError::Invalid { .. })), "nobody told of this one");
    accept("mail").await.unwrap();
    let desired = agent.check_in(&cloud).await.unwrap();

    assert_eq!(
        desired.commands[0].order,
        Order::AcceptClearing { attributes: vec!["mail".into()], at_most: Some(240), import: None }
    );
    assert!(matches!(accept("mail").await, Err(ServiceError::Invalid { .. })), "the agent tells of nothing any more");
}

async fn a_check_beside_the_agent_is_answered_and_nothing_that_it_says_is_kept(cloud: TestCloud) {
    let mut agent = TestAgent::enrol(&cloud, 1).await;
    let id = AgentId::from(agent.id);
    let wrong = Problem { code: "RC-2201".into(), detail: "dc1".into(), since: cloud.now() };
    agent.check_in_saying(&cloud, EpochWish::Keep, |request| request.status.problems = vec![wrong]).await;
    cloud.import(STAFF).await;
    agents::ask(&cloud.state, &cloud.who, cloud.customer, Ask::SyncNow).await.unwrap();
    let before = standing(&cloud, id).await;

    let had = agent.desired;
    let heard = agent.check_in_saying(&cloud, EpochWish::New, |request| request.kind = checkin::Kind::Question).await;
    agent.desired = had;

    let after = standing(&cloud, id).await;
    assert_eq!(heard.map(|desired| desired.imports.len()), Some(1));
    assert_eq!((after.checkins, after.epoch, after.reason_code), (before.checkins, before.epoch, before.reason_code));
    assert_eq!(after.handed_version, before.handed_version, "it was shown, not given");
    agents::ask(&cloud.state, &cloud.who, cloud.customer, Ask::SyncNow).await.unwrap();
    assert_eq!(agent.check_in(&cloud).await.unwrap().commands.len(), 1, "asked twice before the service heard of it");
}

async fn whoever_asks_after_the_reading_gets_another_one(cloud: TestCloud) {
    let mut agent = TestAgent::enrol(&cloud, 1).await;
    let import = cloud.import(STAFF).await;
    agents::ask(&cloud.state, &cloud.who, cloud.customer, Ask::SyncNow).await.unwrap();
    agent.check_in(&cloud).await.unwrap();
    agent.sync(&cloud, vec![ana(import)], &Evidence::Deleted).await;

    agents::ask(&cloud.state, &cloud.who, cloud.customer, Ask::SyncNow).await.unwrap();

    let desired = agent.check_in(&cloud).await.unwrap();
    assert_eq!(desired.commands.len(), 2, "the first may still be open, but it was read before the second was asked");
}

async fn whoever_asks_once_an_order_is_handed_out_gets_another_reading(cloud: TestCloud) {
    let mut agent = TestAgent::enrol(&cloud, 1).await;
    let ask = async || agents::ask(&cloud.state, &cloud.who, cloud.customer, Ask::SyncNow).await.unwrap();
    let import = cloud.import(STAFF).await;
    ask().await;
    // Handed out, and the agent has not been heard since: it may be reading already.
    agent.check_in(&cloud).await.unwrap();

    ask().await;
    ask().await;
    // The desired state gets another number, and the order asked for above is still not handed out.
    let wish = Wish { reason: "move".into(), until: None };
    pauses::pause(&cloud.state, &cloud.who, Target::Import(cloud.customer, import), wish).await.unwrap();
    ask().await;

    let desired = agent.check_in(&cloud).await.unwrap();
    assert_eq!(desired.commands.len(), 2, "one that may be under way, and one for all who asked since");
}

async fn a_finished_command_is_not_given_again(cloud: TestCloud) {
    let mut agent = TestAgent::enrol(&cloud, 1).await;
    agents::ask(&cloud.state, &cloud.who, cloud.customer, Ask::SyncNow).await.unwrap();
    agents::ask(&cloud.state, &cloud.who, cloud.customer, Ask::SyncNow).await.unwrap();
    let desired = agent.check_in(&cloud).await.unwrap();
    assert_eq!(desired.commands.len(), 1, "pressing twice is one sync");

    let id = desired.commands[0].id;
    agent.check_in_saying(&cloud, EpochWish::Keep, |request| request.done = vec![id]).await;
    agents::ask(&cloud.state, &cloud.who, cloud.customer, Ask::SyncNow).await.unwrap();
    let desired = agent.check_in(&cloud).await.unwrap();
    assert_eq!(desired.commands.len(), 1);
    assert_ne!(desired.commands[0].id, id);
}
