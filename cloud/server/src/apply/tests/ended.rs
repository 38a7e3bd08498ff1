//! Who leaves with an import that an operator deleted, where the agent has forgotten who was in it.

use rollcall_domain::{ids::ImportId, run::RunResult};
use rollcall_protocol::{
    batch::CycleKind,
    desired::Order,
    evidence::{Departure, Evidence, Stance},
    item::Item,
    person::{InImport, Person, PersonRecord},
};
use uuid::Uuid;

use super::set_up;
use crate::{
    services::{
        held::{self, Decision, Seen, Which},
        imports,
    },
    testing::{TestAgent, TestCloud, agent::Sealed, crowd, people::present, person, stories},
};

stories! { deleted_imports_are_the_same_on_postgres: [
    people_of_a_deleted_import_leave_though_the_agent_forgot_them,
    who_left_another_import_as_well_is_asked_about_all_the_same,
    an_agent_that_has_not_heard_of_the_end_makes_nobody_leave,
    an_agent_that_remembers_tells_each_departure_once,
] }

/// Twenty people: ten of them in the staff's import, five in a second one too, and ten in the second alone.
fn everybody(staff: ImportId, second: ImportId) -> Vec<Person> {
    let within = |import: ImportId| -> InImport { person(0, "", import).imports.remove(0) };
    let mut people = crowd(20, staff);
    for (number, person) in (1..).zip(&mut people) {
        match number {
            1..=5 => {}
            6..=10 => person.imports.push(within(second)),
            _ => person.imports = vec![within(second)],
        }
    }
    people
}

async fn two_imports(cloud: &TestCloud) -> (TestAgent, ImportId, ImportId) {
    let (mut agent, staff) = set_up(cloud).await;
    let second = cloud.import(Uuid::from_u128(0x10)).await;
    agent.sync(cloud, everybody(staff, second), &Evidence::Deleted).await;
    (agent, staff, second)
}

async fn read_whole(cloud: &TestCloud, agent: &mut TestAgent, people: Vec<Person>) {
    for part in agent.read_full(cloud, people, 1) {
        agent.push(cloud, &part).await;
    }
    cloud.work().await;
}

/// What an agent tells that remembers.
fn leaves(number: u128, import: ImportId) -> Item {
    Item::Departed(Departure {
        guid: person(number, "", import).guid,
        import: import.uuid(),
        evidence: Evidence::Deselected,
        stance: Stance::Apply,
    })
}

/// A whole reading of the staff, with these departures.
fn whole(cloud: &TestCloud, agent: &mut TestAgent, staff: ImportId, departures: impl Iterator<Item = Item>) -> Sealed {
    let left = crowd(10, staff).into_iter().map(|person| (person.guid, PersonRecord::write(person).unwrap()));
    agent.people = left.collect();
    agent.snapshot += 1;
    let items = agent.people.values().map(present).chain(departures).collect();
    agent.seal(cloud, CycleKind::Full, 0, &[items]).remove(0)
}

async fn people_of_a_deleted_import_leave_though_the_agent_forgot_them(cloud: TestCloud) {
    let (mut agent, staff, second) = two_imports(&cloud).await;
    imports::delete(&cloud.state, &cloud.who, cloud.customer, second).await.unwrap();

    // when: an agent without a spool reads what is left to read
    read_whole(&cloud, &mut agent, crowd(10, staff)).await;

    // then: they are on their way out, for the operator's reason and under the guard that looks at every deleted import
    assert_eq!(cloud.held(second).await.len(), 15);
    let told = cloud.history_of("Person 020").await;
    assert_eq!(told[0].evidence.as_ref().unwrap().0["kind"], "deselected");
    let run = &cloud.runs().await[0];
    assert_eq!((run.counts.held, run.digest_agrees), (15, Some(true)));
    assert!(agent.check_in(&cloud).await.is_none_or(|desired| desired.commands.is_empty()), "nobody is looked for");

    // when: a human lets them go
    let which = Which::OfImport(second);
    held::decide(&cloud.state, &cloud.who, cloud.customer, which, &[Seen::Count(15)], Decision::Approve).await.unwrap();

    // then: whoever is in another import stays, and the next whole reading has nothing more to say
    assert_eq!(cloud.list(None).await.len(), 10);
    read_whole(&cloud, &mut agent, crowd(10, staff)).await;
    let run = &cloud.runs().await[0];
    assert_eq!((run.result, run.counts.departed + run.counts.held), (RunResult::Ok, 0));
}

async fn who_left_another_import_as_well_is_asked_about_all_the_same(cloud: TestCloud) {
    let (mut agent, staff, second) = two_imports(&cloud).await;
    let third = cloud.import(Uuid::from_u128(0x11)).await;
    let mut people = everybody(staff, second);
    people[5].imports.push(person(0, "", third).imports.remove(0));
    agent.sync(&cloud, people, &Evidence::Deleted).await;
    imports::delete(&cloud.state, &cloud.who, cloud.customer, second).await.unwrap();

    // Person 6 is in the deleted import, and has left the third one meanwhile.
    read_whole(&cloud, &mut agent, crowd(10, staff)).await;

    let desired = agent.check_in(&cloud).await.unwrap();
    assert_eq!(desired.commands[0].order, Order::Confirm { guids: vec![person(6, "", third).guid] });
}

async fn an_agent_that_has_not_heard_of_the_end_makes_nobody_leave(cloud: TestCloud) {
    let (mut agent, staff, second) = two_imports(&cloud).await;
    imports::delete(&cloud.state, &cloud.who, cloud.customer, second).await.unwrap();

    let mut shown = everybody(staff, second);
    let missing = shown.pop().unwrap();
    read_whole(&cloud, &mut agent, shown).await;

    assert!(cloud.held(second).await.is_empty());
    assert_eq!(cloud.list(None).await.len(), 20, "{} was not found, and no more is known", missing.guid);
}

async fn an_agent_that_remembers_tells_each_departure_once(cloud: TestCloud) {
    let (mut agent, staff, second) = two_imports(&cloud).await;
    imports::delete(&cloud.state, &cloud.who, cloud.customer, second).await.unwrap();
    let sealed = whole(&cloud, &mut agent, staff, (6..=20).map(|number| leaves(number, second)));

    agent.push(&cloud, &sealed).await;
    cloud.work().await;

    assert_eq!(cloud.runs().await[0].counts.held, 15);
    assert_eq!(cloud.changes_of("Person 020").await, ["joined", "held"]);
}
