//! What becomes of one person who joins, changes, leaves or comes back.

use rollcall_domain::{import::RemovalPolicy, run::RunResult};
use rollcall_protocol::{
    answer::Answer,
    batch::CycleKind,
    evidence::Evidence,
    person::{Person, PersonRecord},
};
use uuid::Uuid;

use super::{STAFF, set_up};
use crate::{
    services::switched::Switched,
    testing::{TestAgent, TestCloud, ana, crowd, stories},
};

stories! { people_come_and_go_the_same_on_postgres: [
    a_new_hire_becomes_an_account,
    a_changed_person_keeps_the_account_and_its_history,
    somebody_who_is_disabled_stays_and_the_history_says_why_they_changed,
    a_leaver_departs_with_the_evidence,
    an_import_that_keeps_its_people_keeps_them,
    a_returning_person_is_the_same_account,
    a_cycle_without_changes_leaves_everything_as_it_was,
    a_person_in_two_imports_departs_with_the_last_one,
] }

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
