//! Cycles in several parts, and bodies with something wrong in them.

use chrono::TimeDelta;
use rollcall_domain::run::RunResult;
use rollcall_protocol::{
    answer::Answer,
    batch::CycleKind,
    body,
    desired::Order,
    evidence::Evidence,
    person::{Person, PersonRecord},
};
use rollcall_store::{Scope as _, jobs};

use super::set_up;
use crate::testing::{TestCloud, ana, crowd, stories};

stories! { batches_are_applied_the_same_on_postgres: [
    a_cycle_of_many_parts_is_applied_whole_or_not_at_all,
    one_bad_record_is_set_aside_and_counted,
    a_poisoned_batch_changes_nothing_and_is_told,
    a_cycle_whose_job_was_given_up_leaves_none_behind,
    an_nul_character_is_set_aside_on_both_engines,
] }

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

async fn a_cycle_whose_job_was_given_up_leaves_none_behind(cloud: TestCloud) {
    let (mut agent, import) = set_up(&cloud).await;
    for people in [crowd(3, import), crowd(5, import)] {
        let sealed = agent.read(&cloud, people, &Evidence::Deleted);
        agent.push(&cloud, &sealed).await;
        cloud.pass(TimeDelta::seconds(1));
    }
    let tenant = jobs::find_next_tenant(
        cloud.db(),
        rollcall_domain::job::Counterpart::Database,
        cloud.who.scope.msp(),
        cloud.now(),
    )
    .await
    .unwrap()
    .unwrap();
    let first = jobs::claim(
        cloud.db(),
        tenant,
        rollcall_domain::job::Counterpart::Database,
        cloud.now(),
        TimeDelta::minutes(1),
    )
    .await
    .unwrap()
    .unwrap();
    let mut tx = cloud.db().write(&first.scope).await.unwrap();
    jobs::bury(&mut tx, &first.scope, "the disk was full").await.unwrap();
    tx.commit().await.unwrap();

    crate::jobs::run_due(&cloud.state).await.unwrap();

    assert_eq!((cloud.runs().await.len(), cloud.list(None).await.len()), (2, 5), "the last job took both cycles along");
}
