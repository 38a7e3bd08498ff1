//! What happens when the cloud's set and the agent's are not the same.

use chrono::TimeDelta;
use rollcall_domain::{ids::ImportId, membership::MembershipState, run::RunResult};
use rollcall_protocol::{batch::CycleKind, desired::Order, evidence::Evidence, person::PersonRecord};
use rollcall_store::memberships;
use uuid::Uuid;

use super::set_up;
use crate::{
    services::agents,
    testing::{TestAgent, TestCloud, crowd, person, stories},
};

stories! { snapshots_heal_the_same_on_postgres: [
    a_set_that_differs_orders_a_full_snapshot,
    a_full_snapshot_that_still_differs_says_so_and_orders_none,
    what_no_full_snapshot_settles_is_tried_once_a_day,
    people_missing_from_a_full_snapshot_are_asked_for_and_stay,
    a_crowd_missing_from_a_full_snapshot_stays,
    people_whose_answer_got_lost_are_asked_for_again,
    people_shown_in_fewer_imports_than_before_are_asked_for_and_stay_in_all,
    a_delta_from_another_snapshot_is_refused_and_healed,
] }

async fn a_set_that_differs_orders_a_full_snapshot(cloud: TestCloud) {
    let (mut agent, import) = set_up(&cloud).await;
    agent.sync(&cloud, crowd(3, import), &Evidence::Deleted).await;

    // The agent believes in somebody the cloud was never told of.
    let stranger = PersonRecord::write(person(50, "Stranger", import)).unwrap();
    let mut people = crowd(3, import);
    agent.people.insert(stranger.person.guid, stranger.clone());
    people.push(stranger.person);
    agent.sync(&cloud, people, &Evidence::Deleted).await;

    let run = &cloud.runs().await[0];
    assert_eq!((run.digest_agrees, run.reason_code.as_deref()), (Some(false), Some("RC-4010")));
    let desired = agent.check_in(&cloud).await.unwrap();
    assert_eq!(desired.commands[0].order, Order::FullSnapshot);

    // The full snapshot heals it.
    let mut people = crowd(3, import);
    people.push(person(50, "Stranger", import));
    for part in agent.read_full(&cloud, people, 1) {
        agent.push(&cloud, &part).await;
    }
    cloud.work().await;
    assert_eq!(cloud.runs().await[0].digest_agrees, Some(true));
    assert_eq!(cloud.list(None).await.len(), 4);
}

/// An agent that counts somebody whom it does not send, and whom it sends.
async fn miscounting(cloud: &TestCloud) -> (TestAgent, Vec<PersonRecord>) {
    let (mut agent, import) = set_up(cloud).await;
    let stranger = PersonRecord::write(person(50, "Stranger", import)).unwrap();
    let sent: Vec<PersonRecord> =
        crowd(3, import).into_iter().map(|person| PersonRecord::write(person).unwrap()).collect();
    agent.people = sent.iter().chain([&stranger]).map(|record| (record.person.guid, record.clone())).collect();
    (agent, sent)
}

async fn a_full_snapshot_that_still_differs_says_so_and_orders_none(cloud: TestCloud) {
    let (mut agent, sent) = miscounting(&cloud).await;
    let mut details = Vec::new();
    for _ in 0..2 {
        agent.snapshot += 1;
        let items = sent.iter().map(crate::testing::people::present).collect();
        let sealed = agent.seal(&cloud, CycleKind::Full, 0, &[items]);
        agent.push(&cloud, &sealed[0]).await;
        cloud.work().await;
        details.push(cloud.runs().await[0].reason_detail.clone().unwrap());
    }

    assert_eq!(details, ["a full snapshot was ordered", "this full snapshot was to settle it and did not"]);
    let open = agent.check_in(&cloud).await.unwrap().commands;
    assert_eq!(open.len(), 1, "the one that was ordered first");
}

/// Somebody whose record is set aside is in each whole reading, and in no set of ours.
async fn what_no_full_snapshot_settles_is_tried_once_a_day(cloud: TestCloud) {
    let (mut agent, sent) = miscounting(&cloud).await;
    let everybody = || sent.iter().map(crate::testing::people::present).collect();
    let mut told = Vec::new();
    for (kind, items, later) in [
        (CycleKind::Full, everybody(), 0),
        (CycleKind::Full, everybody(), 0),
        (CycleKind::Delta, Vec::new(), 4),
        (CycleKind::Delta, Vec::new(), 4),
        (CycleKind::Delta, Vec::new(), 17),
    ] {
        cloud.pass(TimeDelta::hours(later));
        let base = if kind == CycleKind::Full { 0 } else { agent.snapshot };
        agent.snapshot += 1;
        let sealed = agent.seal(&cloud, kind, base, &[items]);
        agent.push(&cloud, &sealed[0]).await;
        cloud.work().await;
        told.push(cloud.runs().await[0].reason_detail.clone().unwrap());
    }

    let (ordered, still) = ("a full snapshot was ordered", "this full snapshot was to settle it and did not");
    let lately = "the full snapshot of the last day has not settled it; the next may be ordered a day after it";
    assert_eq!(told, [ordered, still, lately, lately, ordered]);
}

async fn people_whose_answer_got_lost_are_asked_for_again(cloud: TestCloud) {
    let (mut agent, import) = set_up(&cloud).await;
    let mut next = TestAgent::enrol(&cloud, 2).await;
    agent.sync(&cloud, crowd(20, import), &Evidence::Deleted).await;
    for part in agent.read_full(&cloud, crowd(19, import), 1) {
        agent.push(&cloud, &part).await;
    }
    cloud.work().await;
    assert_eq!(agent.check_in(&cloud).await.unwrap().commands.len(), 1);
    // It ends before it has looked.
    agents::revoke(&cloud.state, &cloud.who, agent.id.into()).await.unwrap();

    for part in next.read_full(&cloud, crowd(19, import), 1) {
        next.push(&cloud, &part).await;
    }
    cloud.work().await;

    let missing = person(20, "", import).guid;
    let ordered = next.check_in(&cloud).await.unwrap().commands;
    assert_eq!(ordered[0].order, Order::Confirm { guids: vec![missing] }, "nobody becomes a ghost");
    // Another whole reading asks for nobody twice.
    for part in next.read_full(&cloud, crowd(19, import), 1) {
        next.push(&cloud, &part).await;
    }
    cloud.work().await;
    assert!(next.check_in(&cloud).await.is_none_or(|desired| desired.commands.len() == 1));
}

/// How many people an import holds.
async fn active(cloud: &TestCloud, import: ImportId) -> i64 {
    let mut tx = cloud.db().read(&cloud.scope).await.unwrap();
    let counts = memberships::count_by_state(&mut tx, &cloud.scope).await.unwrap();
    let is_it = |(id, state, _): &&(ImportId, MembershipState, i64)| *id == import && *state == MembershipState::Active;
    counts.iter().find(is_it).map_or(0, |(.., count)| *count)
}

/// An agent that lost what it knew reads somebody who has left one of two imports meanwhile, and owes no departure.
// proves: R-3
async fn people_shown_in_fewer_imports_than_before_are_asked_for_and_stay_in_all(cloud: TestCloud) {
    let (mut agent, import) = set_up(&cloud).await;
    let other = cloud.import(Uuid::from_u128(0x10)).await;
    let within = |import: ImportId| person(0, "", import).imports.remove(0);
    let people = |left: &[u128]| {
        let mut people = crowd(20, import);
        for (number, person) in (1..).zip(&mut people) {
            person.imports.extend((!left.contains(&number)).then(|| within(other)));
        }
        people
    };
    agent.sync(&cloud, people(&[]), &Evidence::Deleted).await;

    for part in agent.read_full(&cloud, people(&[3, 4]), 1) {
        agent.push(&cloud, &part).await;
    }
    cloud.work().await;

    let guids: Vec<Uuid> = [3, 4].map(|number| person(number, "", import).guid).to_vec();
    assert_eq!(active(&cloud, other).await, 20, "silence is no evidence");
    let desired = agent.check_in(&cloud).await.unwrap();
    assert_eq!(desired.commands[0].order, Order::Confirm { guids: guids.clone() });

    // The agent looked: one has left, the other is back.
    let departure = rollcall_protocol::item::Item::Departed(rollcall_protocol::evidence::Departure {
        guid: guids[0],
        import: other.uuid(),
        evidence: Evidence::LeftScope { dn: "CN=Person 003,OU=Elsewhere,DC=contoso,DC=example".into() },
        stance: rollcall_protocol::evidence::Stance::Apply,
    });
    let records = people(&[3]).into_iter().map(|person| (person.guid, PersonRecord::write(person).unwrap()));
    agent.people = records.collect();
    agent.snapshot += 1;
    let mut items: Vec<_> = agent.people.values().map(crate::testing::people::present).collect();
    items.push(departure);
    let sealed = agent.seal(&cloud, CycleKind::Full, 0, &[items]);
    agent.push(&cloud, &sealed[0]).await;
    cloud.work().await;
    assert_eq!((active(&cloud, other).await, active(&cloud, import).await), (19, 20));
    assert!(agent.check_in(&cloud).await.is_none(), "nobody is asked for anew");
}

// proves: R-3
async fn people_missing_from_a_full_snapshot_are_asked_for_and_stay(cloud: TestCloud) {
    let (mut agent, import) = set_up(&cloud).await;
    agent.sync(&cloud, crowd(20, import), &Evidence::Deleted).await;

    for part in agent.read_full(&cloud, crowd(19, import), 1) {
        agent.push(&cloud, &part).await;
    }
    cloud.work().await;

    assert_eq!(cloud.list(None).await.len(), 20, "absence is no evidence");
    assert_eq!(cloud.runs().await[0].digest_agrees, Some(true));
    let desired = agent.check_in(&cloud).await.unwrap();
    let missing = person(20, "", import).guid;
    assert_eq!(desired.commands[0].order, Order::Confirm { guids: vec![missing] });

    // The agent looked, and the person is really gone: now there is evidence.
    let departure = rollcall_protocol::item::Item::Departed(rollcall_protocol::evidence::Departure {
        guid: missing,
        import: import.uuid(),
        evidence: Evidence::Deleted,
        stance: rollcall_protocol::evidence::Stance::Apply,
    });
    let base = agent.snapshot;
    agent.snapshot += 1;
    let sealed = agent.seal(&cloud, CycleKind::Delta, base, &[vec![departure]]);
    agent.push(&cloud, &sealed[0]).await;
    cloud.work().await;
    assert_eq!(cloud.list(None).await.len(), 19);
    assert_eq!(cloud.runs().await[0].digest_agrees, Some(true));
}

async fn a_crowd_missing_from_a_full_snapshot_stays(cloud: TestCloud) {
    let (mut agent, import) = set_up(&cloud).await;
    agent.sync(&cloud, crowd(700, import), &Evidence::Deleted).await;

    for part in agent.read_full(&cloud, crowd(100, import), 1) {
        agent.push(&cloud, &part).await;
    }
    cloud.work().await;

    let run = &cloud.runs().await[0];
    assert_eq!((run.counts.departed, run.digest_agrees), (0, Some(true)), "absence is no evidence");
}

async fn a_delta_from_another_snapshot_is_refused_and_healed(cloud: TestCloud) {
    let (mut agent, import) = set_up(&cloud).await;
    agent.sync(&cloud, crowd(3, import), &Evidence::Deleted).await;

    agent.snapshot += 1;
    agent.sync(&cloud, crowd(2, import), &Evidence::Deleted).await;
    assert_eq!(cloud.list(None).await.len(), 3, "nothing of it was applied");
    assert_eq!(cloud.runs().await[0].result, RunResult::Failed);

    for part in agent.read_full(&cloud, crowd(3, import), 1) {
        agent.push(&cloud, &part).await;
    }
    cloud.work().await;
    assert_eq!(cloud.runs().await[0].digest_agrees, Some(true));
}
