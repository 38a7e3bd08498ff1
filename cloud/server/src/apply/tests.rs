//! What a cycle does to the accounts, told from the outside: an agent sends, the cloud shows.

use std::time::Duration;

use chrono::TimeDelta;
use rollcall_domain::{ids::ImportId, import::RemovalPolicy, membership::MembershipState, run::RunResult};
use rollcall_protocol::{
    answer::Answer,
    batch::CycleKind,
    body,
    desired::Order,
    evidence::Evidence,
    person::{Person, PersonRecord},
};
use rollcall_store::{Scope as _, directories, jobs, memberships};
use uuid::Uuid;

use crate::{
    services::{
        ServiceError, agents,
        held::{self, Decision, Seen, Which},
        switched::Switched,
    },
    testing::{TestAgent, TestCloud, ana, crowd, person, stories},
};

const STAFF: Uuid = Uuid::from_u128(0x0f);

stories! { every_story_of_apply_holds_on_postgres: [
    a_new_hire_becomes_an_account,
    a_changed_person_keeps_the_account_and_its_history,
    somebody_who_is_disabled_stays_and_the_history_says_why_they_changed,
    a_leaver_departs_with_the_evidence,
    an_import_that_keeps_its_people_keeps_them,
    a_returning_person_is_the_same_account,
    too_many_leavers_wait_for_a_human,
    people_who_were_invented_make_no_room_for_removals,
    approving_removes_exactly_the_list_that_was_seen,
    rejecting_keeps_the_people_for_good,
    a_person_seen_again_leaves_the_held_list,
    a_decision_waits_for_the_cycle_that_is_being_applied,
    a_set_that_differs_orders_a_full_snapshot,
    a_full_snapshot_that_still_differs_says_so_and_orders_none,
    people_missing_from_a_full_snapshot_are_asked_for_and_stay,
    people_whose_answer_got_lost_are_asked_for_again,
    a_cycle_of_many_parts_is_applied_whole_or_not_at_all,
    one_bad_record_is_set_aside_and_counted,
    a_poisoned_batch_changes_nothing_and_is_told,
    a_delta_from_another_snapshot_is_refused_and_healed,
    a_cycle_whose_job_was_given_up_leaves_none_behind,
    a_cycle_without_changes_leaves_everything_as_it_was,
    a_person_in_two_imports_departs_with_the_last_one,
    an_nul_character_is_set_aside_on_both_engines,
] }

/// A cloud with an agent and an import of the staff OU.
async fn set_up(cloud: &TestCloud) -> (TestAgent, ImportId) {
    let agent = TestAgent::enrol(cloud, 1).await;
    let import = cloud.import(STAFF).await;
    (agent, import)
}

async fn decide(cloud: &TestCloud, import: ImportId, decision: Decision, count: usize) -> Result<usize, ServiceError> {
    let (which, seen) = (Which::OfImport(import), [Seen::Count(count)]);
    held::decide(&cloud.state, &cloud.who, cloud.customer, which, &seen, decision).await
}

async fn a_new_hire_becomes_an_account(cloud: TestCloud) {
    let (mut agent, import) = set_up(&cloud).await;

    let answer = agent.sync(&cloud, vec![ana(import)], &Evidence::Deleted).await;

    assert!(matches!(answer, Answer::Accepted(_)));
    assert_eq!(cloud.people().await, [("Ana Bauer".to_owned(), "active")]);
    let run = &cloud.runs().await[0];
    assert_eq!((run.result, run.counts.added, run.counts.people), (RunResult::Ok, 1, 1));
    assert_eq!(run.digest_agrees, Some(true));
    assert_eq!(cloud.changes_of("Ana Bauer").await, ["joined"]);
}

// proves: L-11
async fn a_changed_person_keeps_the_account_and_its_history(cloud: TestCloud) {
    let (mut agent, import) = set_up(&cloud).await;
    agent.sync(&cloud, vec![ana(import)], &Evidence::Deleted).await;
    let before = cloud.list(None).await[0].id;

    let married = Person { display_name: Some("Ana Huber".into()), title: Some("Head of Sales".into()), ..ana(import) };
    agent.sync(&cloud, vec![married], &Evidence::Deleted).await;

    let listed = cloud.list(None).await;
    assert_eq!((listed[0].id, listed[0].display_name.as_str()), (before, "Ana Huber"));
    assert_eq!(cloud.changes_of("Ana Huber").await, ["joined", "updated"]);
    let line = &cloud.history_of("Ana Huber").await[0];
    assert_eq!(line.before.as_ref().unwrap().0, serde_json::json!({ "display_name": "Ana Bauer" }));
    assert_eq!(
        line.after.as_ref().unwrap().0,
        serde_json::json!({ "display_name": "Ana Huber", "title": "Head of Sales" })
    );
    assert_eq!(cloud.runs().await[0].counts.updated, 1);
}

async fn somebody_who_is_disabled_stays_and_the_history_says_why_they_changed(cloud: TestCloud) {
    let (mut agent, import) = set_up(&cloud).await;
    agent.sync(&cloud, vec![ana(import)], &Evidence::Deleted).await;

    let mut disabled = ana(import);
    disabled.status.enabled = false;
    agent.sync(&cloud, vec![disabled], &Evidence::Deleted).await;

    let listed = cloud.list(None).await;
    assert_eq!((listed[0].state.as_str(), listed[0].enabled), ("active", false));
    assert_eq!(cloud.changes_of("Ana Bauer").await, ["joined", "updated"]);
    let line = &cloud.history_of("Ana Bauer").await[0];
    let fields = (line.before.as_ref().map(|v| &v.0), line.after.as_ref().map(|v| &v.0));
    assert_eq!(Switched::of(fields.0, fields.1), Some(Switched::Off));
}

async fn a_leaver_departs_with_the_evidence(cloud: TestCloud) {
    let (mut agent, import) = set_up(&cloud).await;
    agent.sync(&cloud, crowd(5, import), &Evidence::Deleted).await;

    let moved = Evidence::LeftScope { dn: "CN=Person 005,OU=Left,DC=contoso,DC=example".into() };
    agent.sync(&cloud, crowd(4, import), &moved).await;

    assert_eq!(cloud.people().await.last().unwrap(), &("Person 005".to_owned(), "departed"));
    let line = &cloud.history_of("Person 005").await[0];
    assert_eq!(line.change.as_str(), "departed");
    assert_eq!(line.evidence.as_ref().unwrap().0["kind"], "left_scope");
    let run = &cloud.runs().await[0];
    assert_eq!((run.counts.departed, run.counts.people, run.digest_agrees), (1, 4, Some(true)));
}

// proves: Truetask-21
async fn an_import_that_keeps_its_people_keeps_them(cloud: TestCloud) {
    let mut agent = TestAgent::enrol(&cloud, 1).await;
    let import = cloud.import_with(STAFF, RemovalPolicy::Keep).await;
    agent.sync(&cloud, crowd(10, import), &Evidence::Deleted).await;

    agent.sync(&cloud, crowd(3, import), &Evidence::Deleted).await;

    assert!(cloud.people().await.iter().all(|(_, state)| *state == "active"));
    assert_eq!(cloud.changes_of("Person 010").await, ["joined", "kept"]);
    let run = &cloud.runs().await[0];
    assert_eq!((run.counts.departed, run.counts.held, run.digest_agrees), (0, 0, Some(true)));
}

async fn a_returning_person_is_the_same_account(cloud: TestCloud) {
    let (mut agent, import) = set_up(&cloud).await;
    agent.sync(&cloud, crowd(5, import), &Evidence::Deleted).await;
    let before = cloud.list(None).await[4].id;
    agent.sync(&cloud, crowd(4, import), &Evidence::Deleted).await;

    agent.sync(&cloud, crowd(5, import), &Evidence::Deleted).await;

    let again = &cloud.list(None).await[4];
    assert_eq!((again.id, again.state.as_str(), again.departed_at), (before, "active", None));
    assert_eq!(cloud.changes_of("Person 005").await, ["joined", "departed", "returned"]);
    assert_eq!(cloud.runs().await[0].counts.returned, 1);
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

async fn a_full_snapshot_that_still_differs_says_so_and_orders_none(cloud: TestCloud) {
    let (mut agent, import) = set_up(&cloud).await;
    let stranger = PersonRecord::write(person(50, "Stranger", import)).unwrap();
    let sent: Vec<PersonRecord> =
        crowd(3, import).into_iter().map(|person| PersonRecord::write(person).unwrap()).collect();
    // The agent counts somebody whom it does not send.
    agent.people = sent.iter().chain([&stranger]).map(|record| (record.person.guid, record.clone())).collect();
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

async fn a_cycle_of_many_parts_is_applied_whole_or_not_at_all(cloud: TestCloud) {
    let (mut agent, import) = set_up(&cloud).await;
    let parts = agent.read_full(&cloud, crowd(30, import), 3);

    for part in &parts[..2] {
        assert!(matches!(agent.push(&cloud, part).await, Answer::Accepted(_)));
    }
    cloud.work().await;
    assert_eq!(cloud.list(None).await.len(), 0);

    agent.push(&cloud, &parts[2]).await;
    cloud.work().await;
    assert_eq!(cloud.list(None).await.len(), 30);
    assert_eq!(cloud.runs().await[0].batches, 3);
}

/// The lines as they are, under a signature that holds.
fn raw_body(lines: &[String]) -> body::Body {
    let mut writer = body::Writer::new().unwrap();
    for line in lines {
        writer.push(line).unwrap();
    }
    writer.finish().unwrap()
}

fn line(person: &Person) -> String {
    format!(r#"{{"present":{}}}"#, serde_json::to_string(person).unwrap())
}

// proves: R-12
async fn one_bad_record_is_set_aside_and_counted(cloud: TestCloud) {
    let (mut agent, import) = set_up(&cloud).await;
    let good = PersonRecord::write(ana(import)).unwrap();
    agent.people.insert(good.person.guid, good.clone());
    agent.snapshot = 1;

    let body = raw_body(&[line(&good.person), r#"{"present":{"guid":"nonsense"}}"#.into(), "{".into()]);
    let sealed = agent.seal_bodies(&cloud, CycleKind::Full, 0, vec![body]);
    agent.push(&cloud, &sealed[0]).await;
    cloud.work().await;

    assert_eq!(cloud.people().await, [("Ana Bauer".to_owned(), "active")]);
    let run = &cloud.runs().await[0];
    assert_eq!((run.result, run.counts.set_aside), (RunResult::Partial, 2));
    assert_eq!(run.reason_code.as_deref(), Some("RC-4011"));
}

async fn an_nul_character_is_set_aside_on_both_engines(cloud: TestCloud) {
    let (mut agent, import) = set_up(&cloud).await;
    agent.snapshot = 1;
    let odd = Person { title: Some("a\0b".into()), ..ana(import) };
    let sealed = agent.seal_bodies(&cloud, CycleKind::Full, 0, vec![raw_body(&[line(&odd)])]);
    agent.push(&cloud, &sealed[0]).await;
    cloud.work().await;
    assert_eq!(cloud.runs().await[0].counts.set_aside, 1);
}

async fn a_poisoned_batch_changes_nothing_and_is_told(cloud: TestCloud) {
    let (mut agent, import) = set_up(&cloud).await;
    agent.sync(&cloud, crowd(3, import), &Evidence::Deleted).await;

    let base = agent.snapshot;
    agent.snapshot += 1;
    let broken = body::Body { bytes: b"no zstd at all".to_vec(), items: 1 };
    let sealed = agent.seal_bodies(&cloud, CycleKind::Delta, base, vec![broken]);
    assert!(matches!(agent.push(&cloud, &sealed[0]).await, Answer::Accepted(_)));
    cloud.work().await;

    assert_eq!(cloud.list(None).await.len(), 3);
    let run = &cloud.runs().await[0];
    assert_eq!((run.result, run.reason_code.as_deref()), (RunResult::Failed, Some("RC-3106")));
    let desired = agent.check_in(&cloud).await.unwrap();
    assert_eq!(desired.commands[0].order, Order::FullSnapshot);
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

async fn a_cycle_whose_job_was_given_up_leaves_none_behind(cloud: TestCloud) {
    let (mut agent, import) = set_up(&cloud).await;
    for people in [crowd(3, import), crowd(5, import)] {
        let sealed = agent.read(&cloud, people, &Evidence::Deleted);
        agent.push(&cloud, &sealed).await;
        cloud.pass(TimeDelta::seconds(1));
    }
    let tenant = jobs::find_next_tenant(cloud.db(), cloud.who.scope.msp(), cloud.now()).await.unwrap().unwrap();
    let first = jobs::claim(cloud.db(), tenant, cloud.now(), TimeDelta::minutes(1)).await.unwrap().unwrap();
    let mut tx = cloud.db().write(&first.scope).await.unwrap();
    jobs::bury(&mut tx, &first.scope, "the disk was full").await.unwrap();
    tx.commit().await.unwrap();

    crate::jobs::run_due(&cloud.state).await.unwrap();

    assert_eq!((cloud.runs().await.len(), cloud.list(None).await.len()), (2, 5), "the last job took both cycles along");
}

async fn a_cycle_without_changes_leaves_everything_as_it_was(cloud: TestCloud) {
    let (mut agent, import) = set_up(&cloud).await;
    agent.sync(&cloud, crowd(3, import), &Evidence::Deleted).await;

    agent.sync(&cloud, crowd(3, import), &Evidence::Deleted).await;

    let run = &cloud.runs().await[0];
    assert_eq!((run.counts.unchanged, run.counts.added, run.counts.updated), (3, 0, 0));
    assert_eq!(run.digest_agrees, Some(true));
    assert_eq!(cloud.changes_of("Person 001").await, ["joined"]);
}

async fn a_person_in_two_imports_departs_with_the_last_one(cloud: TestCloud) {
    let (mut agent, import) = set_up(&cloud).await;
    let second = cloud.import(Uuid::from_u128(0x10)).await;
    let mut both: Vec<Person> = crowd(5, import);
    for person in &mut both {
        let mut within = person.imports[0].clone();
        within.import = second.uuid();
        person.imports.push(within);
    }
    agent.sync(&cloud, both.clone(), &Evidence::Deleted).await;

    // Person 5 leaves the first import only, which the agent tells by record and departure.
    let mut left = both.clone();
    left[4].imports.remove(0);
    let record = PersonRecord::write(left[4].clone()).unwrap();
    let departure = rollcall_protocol::item::Item::Departed(rollcall_protocol::evidence::Departure {
        guid: record.person.guid,
        import: import.uuid(),
        evidence: Evidence::LeftGroup { group: STAFF },
        stance: rollcall_protocol::evidence::Stance::Apply,
    });
    agent.people.insert(record.person.guid, record.clone());
    let base = agent.snapshot;
    agent.snapshot += 1;
    let present =
        rollcall_protocol::item::Item::Present(serde_json::value::RawValue::from_string(record.json).unwrap());
    let sealed = agent.seal(&cloud, CycleKind::Delta, base, &[vec![present, departure]]);
    agent.push(&cloud, &sealed[0]).await;
    cloud.work().await;
    assert_eq!(cloud.changes_of("Person 005").await, ["joined", "updated", "left_import"]);
    assert_eq!(cloud.list(None).await.len(), 5);
    assert_eq!(cloud.runs().await[0].digest_agrees, Some(true));

    agent.sync(&cloud, left[..4].to_vec(), &Evidence::Deleted).await;
    assert_eq!(cloud.list(None).await.len(), 4);
}
