//! Removals that wait for a human, and what the human decides.

use std::time::Duration;

use chrono::TimeDelta;
use rollcall_domain::{ids::ImportId, membership::MembershipState};
use rollcall_protocol::{evidence::Evidence, person::Person};
use rollcall_store::{directories, memberships};
use uuid::Uuid;

use super::set_up;
use crate::{
    services::{
        ServiceError,
        held::{self, Decision, Seen, Which},
    },
    testing::{TestCloud, crowd, person, stories},
};

stories! { holds_are_the_same_on_postgres: [
    too_many_leavers_wait_for_a_human,
    people_who_were_invented_make_no_room_for_removals,
    people_who_left_long_ago_make_no_room_for_removals,
    people_of_another_import_make_no_room_for_removals,
    people_who_come_off_a_hold_make_no_room_for_removals,
    approving_removes_exactly_the_list_that_was_seen,
    a_crowd_that_no_single_statement_holds_is_held_and_removed_whole,
    rejecting_keeps_the_people_for_good,
    a_person_seen_again_leaves_the_held_list,
    a_decision_waits_for_the_cycle_that_is_being_applied,
] }

async fn decide(cloud: &TestCloud, import: ImportId, decision: Decision, count: usize) -> Result<usize, ServiceError> {
    let (which, seen) = (Which::OfImport(import), [Seen::Count(count)]);
    held::decide(&cloud.state, &cloud.who, cloud.customer, which, &seen, decision).await
}

// proves: M-23
async fn too_many_leavers_wait_for_a_human(cloud: TestCloud) {
    let (mut agent, import) = set_up(&cloud).await;
    agent.sync(&cloud, crowd(10, import), &Evidence::Deleted).await;

    let mut rest = crowd(6, import);
    rest.push(person(99, "Zoe New", import));
    agent.sync(&cloud, rest, &Evidence::Deleted).await;

    let states: Vec<&str> = cloud.people().await.iter().map(|(_, state)| *state).collect();
    assert_eq!(states.iter().filter(|state| **state == "held").count(), 4);
    assert_eq!(states.iter().filter(|state| **state == "active").count(), 7, "the newcomer was not kept waiting");
    assert_eq!(cloud.held(import).await, ["Person 007", "Person 008", "Person 009", "Person 010"]);
    assert_eq!(cloud.history_of("Person 007").await[0].evidence.as_ref().unwrap().0["kind"], "deleted");
    let run = &cloud.runs().await[0];
    assert_eq!((run.counts.held, run.counts.departed, run.counts.added), (4, 0, 1));
    assert_eq!((run.digest_agrees, run.reason_code.as_deref()), (Some(true), Some("RC-4003")));
}

async fn people_who_were_invented_make_no_room_for_removals(cloud: TestCloud) {
    let (mut agent, import) = set_up(&cloud).await;
    agent.sync(&cloud, crowd(30, import), &Evidence::Deleted).await;
    cloud.pass(TimeDelta::days(2));
    agent.sync(&cloud, crowd(330, import), &Evidence::Deleted).await;

    // Nine in a hundred of those it tells of, and every one of those who were there.
    let invented = crowd(330, import).split_off(30);
    agent.sync(&cloud, invented, &Evidence::Deleted).await;

    assert_eq!(cloud.held(import).await.len(), 30);
    assert_eq!(cloud.list(Some(rollcall_domain::account::AccountState::Departed)).await.len(), 0);
}

async fn people_who_left_long_ago_make_no_room_for_removals(cloud: TestCloud) {
    let (mut agent, import) = set_up(&cloud).await;
    agent.sync(&cloud, crowd(330, import), &Evidence::Deleted).await;
    agent.sync(&cloud, crowd(30, import), &Evidence::Deleted).await;
    decide(&cloud, import, Decision::Approve, 300).await.unwrap();
    cloud.pass(TimeDelta::days(2));

    agent.sync(&cloud, crowd(330, import), &Evidence::Deleted).await;
    let returned = crowd(330, import).split_off(30);
    agent.sync(&cloud, returned, &Evidence::Deleted).await;

    assert_eq!(cloud.held(import).await.len(), 30, "who returned this hour was not there a day ago");
}

async fn people_of_another_import_make_no_room_for_removals(cloud: TestCloud) {
    let (mut agent, import) = set_up(&cloud).await;
    let other = cloud.import(Uuid::from_u128(0x0e)).await;
    let staff = crowd(30, import);
    let others = crowd(330, other).split_off(30);
    agent.sync(&cloud, [staff.clone(), others.clone()].concat(), &Evidence::Deleted).await;
    cloud.pass(TimeDelta::days(2));

    let in_both = |person: Person| Person { imports: [person.imports, staff[0].imports.clone()].concat(), ..person };
    let others: Vec<Person> = others.into_iter().map(in_both).collect();
    agent.sync(&cloud, [staff.clone(), others.clone()].concat(), &Evidence::Deleted).await;
    agent.sync(&cloud, others, &Evidence::Deleted).await;

    assert_eq!(cloud.held(import).await.len(), 30, "they were known, and not in this import");
}

async fn people_who_come_off_a_hold_make_no_room_for_removals(cloud: TestCloud) {
    let (mut agent, import) = set_up(&cloud).await;
    agent.sync(&cloud, crowd(30, import), &Evidence::Deleted).await;
    cloud.pass(TimeDelta::days(2));
    agent.sync(&cloud, vec![], &Evidence::Deleted).await;
    assert_eq!(cloud.held(import).await.len(), 30);

    agent.sync(&cloud, crowd(330, import), &Evidence::Deleted).await;
    agent.sync(&cloud, crowd(330, import).split_off(30), &Evidence::Deleted).await;

    assert_eq!(cloud.held(import).await.len(), 30);
}

async fn approving_removes_exactly_the_list_that_was_seen(cloud: TestCloud) {
    let (mut agent, import) = set_up(&cloud).await;
    agent.sync(&cloud, crowd(10, import), &Evidence::Deleted).await;
    agent.sync(&cloud, crowd(6, import), &Evidence::Deleted).await;

    let wrong = decide(&cloud, import, Decision::Approve, 3).await;
    assert!(wrong.is_err());
    assert_eq!(cloud.held(import).await.len(), 4);

    decide(&cloud, import, Decision::Approve, 4).await.unwrap();

    assert_eq!(cloud.list(None).await.len(), 6);
    assert_eq!(cloud.changes_of("Person 010").await, ["joined", "held", "removal_approved"]);
    agent.sync(&cloud, crowd(6, import), &Evidence::Deleted).await;
    assert_eq!(cloud.runs().await[0].digest_agrees, Some(true));
}

async fn a_crowd_that_no_single_statement_holds_is_held_and_removed_whole(cloud: TestCloud) {
    let (mut agent, import) = set_up(&cloud).await;
    agent.sync(&cloud, crowd(700, import), &Evidence::Deleted).await;
    agent.sync(&cloud, crowd(100, import), &Evidence::Deleted).await;
    assert_eq!(cloud.held(import).await.len(), 600);

    decide(&cloud, import, Decision::Approve, 600).await.unwrap();
    agent.sync(&cloud, crowd(100, import), &Evidence::Deleted).await;

    let run = &cloud.runs().await[0];
    assert_eq!((run.counts.people, run.digest_agrees), (100, Some(true)));
    assert_eq!(cloud.list(None).await.len(), 100);
}

async fn rejecting_keeps_the_people_for_good(cloud: TestCloud) {
    let (mut agent, import) = set_up(&cloud).await;
    agent.sync(&cloud, crowd(10, import), &Evidence::Deleted).await;
    agent.sync(&cloud, crowd(6, import), &Evidence::Deleted).await;

    decide(&cloud, import, Decision::Reject, 4).await.unwrap();
    agent.sync(&cloud, crowd(6, import), &Evidence::Deleted).await;

    assert_eq!(cloud.list(None).await.len(), 10);
    assert_eq!(cloud.held(import).await, Vec::<String>::new());
    assert_eq!(cloud.runs().await[0].digest_agrees, Some(true));
}

async fn a_person_seen_again_leaves_the_held_list(cloud: TestCloud) {
    let (mut agent, import) = set_up(&cloud).await;
    agent.sync(&cloud, crowd(10, import), &Evidence::Deleted).await;
    agent.sync(&cloud, crowd(6, import), &Evidence::Deleted).await;

    agent.sync(&cloud, crowd(9, import), &Evidence::Deleted).await;

    assert_eq!(cloud.held(import).await, ["Person 010"]);
    assert_eq!(cloud.changes_of("Person 007").await, ["joined", "held", "hold_cleared"]);
    assert_eq!(cloud.runs().await[0].digest_agrees, Some(true));
}

async fn a_decision_waits_for_the_cycle_that_is_being_applied(cloud: TestCloud) {
    let (mut agent, import) = set_up(&cloud).await;
    agent.sync(&cloud, crowd(10, import), &Evidence::Deleted).await;
    agent.sync(&cloud, crowd(6, import), &Evidence::Deleted).await;
    let mut tx = cloud.db().read(&cloud.scope).await.unwrap();
    let held = memberships::list_held(&mut tx, &cloud.scope, import).await.unwrap();
    drop(tx);

    // What a cycle does with somebody who was seen again, and has not committed yet.
    let directory = cloud.directory().await;
    let mut cycle = cloud.db().write(&cloud.scope).await.unwrap();
    directories::lock(&mut cycle, directory).await.unwrap();
    let mut back = memberships::list_of_accounts(&mut cycle, &[held[0].account_id]).await.unwrap();
    back[0].state = MembershipState::Active;
    memberships::upsert(&mut cycle, &back).await.unwrap();
    let seen = [Seen::List(held::fingerprint(&held))];
    let decide =
        held::decide(&cloud.state, &cloud.who, cloud.customer, Which::OfImport(import), &seen, Decision::Approve);
    let (decided, ()) = tokio::join!(decide, async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        cycle.commit().await.unwrap();
    });

    assert!(matches!(decided, Err(ServiceError::ChangedMeanwhile)), "{decided:?}");
    assert_eq!(cloud.held(import).await, ["Person 008", "Person 009", "Person 010"], "nobody was removed");
}
