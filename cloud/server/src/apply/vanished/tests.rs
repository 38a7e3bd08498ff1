//! A whole reading in which values are missing that were there, told from the outside: an agent sends, the cloud shows.

use axum::{
    body::{Body, to_bytes},
    http::{Request, StatusCode, header},
};
use rollcall_domain::{
    ids::{AgentId, ImportId},
    role::Role,
    run::RunResult,
};
use rollcall_protocol::{
    ceiling::Ceiling,
    checkin::{Clearing, EpochWish},
    desired::{Command, Order},
    evidence::Evidence,
    person::Person,
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    services::{
        api_keys::{self, KeyWish},
        clearings,
    },
    testing::{TestAgent, TestCloud, found, person, stories},
};

const STAFF: Uuid = Uuid::from_u128(0x0f);
const PEOPLE: u128 = 20;

stories! { every_story_of_what_vanished_holds_on_postgres: [
    an_agent_that_knows_nothing_of_before_takes_nobodys_mail_away,
    a_change_does_not_take_along_what_is_held,
    what_was_cleared_on_purpose_is_taken_over_with_the_next_whole_reading,
    what_can_be_read_again_ends_the_hold,
    a_fifth_may_lose_a_value_and_loses_it,
    what_the_customers_own_file_keeps_back_is_taken_away,
    what_was_accepted_at_the_agent_is_not_asked_a_second_time,
    the_run_says_what_the_agent_held,
    each_attribute_is_accepted_for_as_many_people_as_were_seen,
    a_consent_is_of_one_import_and_of_no_more_people_than_were_seen,
    a_standby_shows_nothing_that_it_could_not_bring,
    a_script_accepts_once_and_only_what_it_may,
] }

fn with_mail(import: ImportId) -> Vec<Person> {
    (1..=PEOPLE).map(|number| person(number, &format!("Person {number:03}"), import)).collect()
}

/// The same people, and nobody of the first `count` has a mail address.
fn without_mail(import: ImportId, count: usize) -> Vec<Person> {
    let lose = |(index, person): (usize, Person)| Person { mail: person.mail.filter(|_| index >= count), ..person };
    with_mail(import).into_iter().enumerate().map(lose).collect()
}

/// Everybody is known with a mail address, and the agent's spool is lost.
async fn set_up(cloud: &TestCloud) -> (TestAgent, ImportId) {
    let mut agent = TestAgent::enrol(cloud, 1).await;
    let import = cloud.import(STAFF).await;
    agent.sync(cloud, with_mail(import), &Evidence::Deleted).await;
    agent.check_in_saying(cloud, EpochWish::New, |_| {}).await;
    (agent, import)
}

async fn read_whole(cloud: &TestCloud, agent: &mut TestAgent, people: Vec<Person>) {
    for part in agent.read_full(cloud, people, 2) {
        agent.push(cloud, &part).await;
    }
    cloud.work().await;
}

async fn mails(cloud: &TestCloud) -> usize {
    cloud.list(None).await.iter().filter(|listed| listed.mail.is_some()).count()
}

async fn waiting(cloud: &TestCloud, agent: &TestAgent) -> Vec<Clearing> {
    let mut tx = cloud.db().read(&cloud.scope).await.unwrap();
    let (_, agent) = rollcall_store::agents::find(&mut tx, &cloud.who.scope, agent.id.into()).await.unwrap().unwrap();
    clearings::list(&mut tx, &agent).await.unwrap()
}

fn mail(import: ImportId, people: u64) -> Clearing {
    Clearing { attribute: "mail".into(), people, of: 20, import: Some(import.uuid()) }
}

async fn accept(cloud: &TestCloud, agent: &TestAgent) -> Result<Vec<String>, crate::services::ServiceError> {
    let meant = clearings::Meant { attribute: "mail".into(), import: None, seen: None };
    clearings::accept(&cloud.state, &cloud.who, AgentId::from(agent.id), &[meant]).await
}

fn orders(commands: &[Command]) -> Vec<&Order> {
    commands.iter().map(|command| &command.order).collect()
}

/// The agent obeys and reports everything done.
async fn obey(cloud: &TestCloud, agent: &mut TestAgent) -> Vec<Command> {
    let Some(desired) = agent.check_in(cloud).await else { return Vec::new() };
    let done: Vec<Uuid> = desired.commands.iter().map(|command| command.id).collect();
    agent.check_in_saying(cloud, EpochWish::Keep, |said| said.done = done).await;
    desired.commands
}

async fn an_agent_that_knows_nothing_of_before_takes_nobodys_mail_away(cloud: TestCloud) {
    let (mut agent, import) = set_up(&cloud).await;

    read_whole(&cloud, &mut agent, without_mail(import, 15)).await;

    assert_eq!(mails(&cloud).await, 20);
    assert_eq!(cloud.changes_of("Person 001").await, ["joined"]);
    let run = &cloud.runs().await[0];
    assert_eq!((run.result, run.reason_code.as_deref()), (RunResult::Partial, Some("RC-2304")));
    assert_eq!(run.reason_detail.as_deref(), Some("mail of 15 of 20 people"));
    assert_eq!((run.digest_agrees, run.counts.updated), (Some(true), 0));
    assert_eq!(waiting(&cloud, &agent).await, [mail(import, 15)]);
}

async fn a_change_does_not_take_along_what_is_held(cloud: TestCloud) {
    let (mut agent, import) = set_up(&cloud).await;
    read_whole(&cloud, &mut agent, without_mail(import, 20)).await;

    let mut people = without_mail(import, 20);
    people[0].title = Some("Head of Sales".into());
    agent.sync(&cloud, people, &Evidence::Deleted).await;

    assert_eq!(mails(&cloud).await, 20);
    assert_eq!(cloud.history_of("Person 001").await[0].after.as_ref().unwrap().0, json!({ "title": "Head of Sales" }));
    let run = &cloud.runs().await[0];
    assert_eq!((run.digest_agrees, run.reason_code.as_deref()), (Some(true), Some("RC-2304")));
}

async fn what_was_cleared_on_purpose_is_taken_over_with_the_next_whole_reading(cloud: TestCloud) {
    let (mut agent, import) = set_up(&cloud).await;
    read_whole(&cloud, &mut agent, without_mail(import, 20)).await;

    assert_eq!(accept(&cloud, &agent).await.unwrap(), ["mail"]);
    assert!(accept(&cloud, &agent).await.is_err(), "it was accepted already");
    let given = obey(&cloud, &mut agent).await;
    read_whole(&cloud, &mut agent, without_mail(import, 20)).await;

    assert_eq!(orders(&given), [&Order::FullSnapshot]);
    assert_eq!(mails(&cloud).await, 0);
    assert_eq!(cloud.changes_of("Person 001").await, ["joined", "updated"]);
    let run = &cloud.runs().await[0];
    assert_eq!((run.result, run.reason_code.as_deref(), run.counts.updated), (RunResult::Ok, None, 20));
    assert_eq!(waiting(&cloud, &agent).await, []);

    // The word was for one reading: the next loss is asked about again.
    read_whole(&cloud, &mut agent, with_mail(import)).await;
    read_whole(&cloud, &mut agent, without_mail(import, 20)).await;
    assert_eq!(mails(&cloud).await, 20);
}

async fn what_can_be_read_again_ends_the_hold(cloud: TestCloud) {
    let (mut agent, import) = set_up(&cloud).await;
    read_whole(&cloud, &mut agent, without_mail(import, 20)).await;
    obey(&cloud, &mut agent).await;

    agent.sync(&cloud, with_mail(import), &Evidence::Deleted).await;
    let given = obey(&cloud, &mut agent).await;
    read_whole(&cloud, &mut agent, with_mail(import)).await;

    assert_eq!(orders(&given), [&Order::FullSnapshot]);
    assert_eq!(cloud.changes_of("Person 001").await, ["joined"], "nothing of it was ever a change");
    assert_eq!((cloud.runs().await[0].result, waiting(&cloud, &agent).await), (RunResult::Ok, vec![]));
}

async fn a_fifth_may_lose_a_value_and_loses_it(cloud: TestCloud) {
    let (mut agent, import) = set_up(&cloud).await;

    read_whole(&cloud, &mut agent, without_mail(import, 4)).await;

    assert_eq!((mails(&cloud).await, cloud.runs().await[0].result), (16, RunResult::Ok));
}

async fn what_the_customers_own_file_keeps_back_is_taken_away(cloud: TestCloud) {
    let (mut agent, import) = set_up(&cloud).await;
    let ceiling = Ceiling { withheld: vec!["mail".into()], ..Ceiling::default() };
    agent.check_in_saying(&cloud, EpochWish::Keep, |said| said.status.ceiling = Some(ceiling)).await;

    read_whole(&cloud, &mut agent, without_mail(import, 20)).await;

    assert_eq!((mails(&cloud).await, cloud.runs().await[0].result), (0, RunResult::Ok));
}

async fn what_was_accepted_at_the_agent_is_not_asked_a_second_time(cloud: TestCloud) {
    let (mut agent, import) = set_up(&cloud).await;
    agent.check_in_saying(&cloud, EpochWish::Keep, |said| said.status.clearings = vec![mail(import, 20)]).await;

    accept(&cloud, &agent).await.unwrap();
    let given = obey(&cloud, &mut agent).await;
    read_whole(&cloud, &mut agent, without_mail(import, 20)).await;

    assert_eq!(
        orders(&given),
        [&Order::AcceptClearing { attributes: vec!["mail".into()], at_most: Some(20), import: Some(import.uuid()) }]
    );
    assert_eq!((mails(&cloud).await, cloud.runs().await[0].result), (0, RunResult::Ok));
}

async fn the_run_says_what_the_agent_held(cloud: TestCloud) {
    let (mut agent, import) = set_up(&cloud).await;
    agent.lost = vec![Clearing { attribute: "title".into(), people: 8, of: 20, import: None }];

    read_whole(&cloud, &mut agent, with_mail(import)).await;

    let run = &cloud.runs().await[0];
    assert_eq!((run.result, run.reason_code.as_deref()), (RunResult::Partial, Some("RC-2304")));
    assert_eq!(run.reason_detail.as_deref(), Some("title of 8 of 20 people"));
}

async fn each_attribute_is_accepted_for_as_many_people_as_were_seen(cloud: TestCloud) {
    let (mut agent, import) = set_up(&cloud).await;
    let told = |attribute: &str, people| Clearing { attribute: attribute.into(), ..mail(import, people) };
    let lost = vec![told("mail", 5), told("title", 18)];
    agent.check_in_saying(&cloud, EpochWish::Keep, |said| said.status.clearings = lost).await;
    let meant = |attribute: &str| clearings::Meant { attribute: attribute.into(), import: None, seen: None };

    let both = [meant("mail"), meant("title")];
    clearings::accept(&cloud.state, &cloud.who, AgentId::from(agent.id), &both).await.unwrap();

    let given = obey(&cloud, &mut agent).await;
    let order = |attribute: &str, people| Order::AcceptClearing {
        attributes: vec![attribute.into()],
        at_most: Some(people),
        import: Some(import.uuid()),
    };
    let expected = [order("mail", 5), order("title", 18)];
    assert!(given.len() == 2 && expected.iter().all(|order| orders(&given).contains(&order)), "{given:?}");
    // Its spool is lost before it obeys: the cloud holds the word to the same number.
    read_whole(&cloud, &mut agent, without_mail(import, 18)).await;
    assert_eq!(mails(&cloud).await, 20);
}

async fn a_consent_is_of_one_import_and_of_no_more_people_than_were_seen(cloud: TestCloud) {
    let (mut agent, import) = set_up(&cloud).await;
    read_whole(&cloud, &mut agent, without_mail(import, 8)).await;
    assert_eq!(waiting(&cloud, &agent).await, [mail(import, 8)]);
    let other = cloud.import(Uuid::from_u128(0x10)).await;
    let of_other = clearings::Meant { attribute: "mail".into(), import: Some(other.uuid()), seen: None };
    let refused = clearings::accept(&cloud.state, &cloud.who, AgentId::from(agent.id), &[of_other]).await;
    assert!(refused.is_err(), "nothing vanished there");

    accept(&cloud, &agent).await.unwrap();
    read_whole(&cloud, &mut agent, without_mail(import, 20)).await;

    assert_eq!(mails(&cloud).await, 20, "eight were seen");
    assert_eq!(waiting(&cloud, &agent).await, [mail(import, 20)]);
}

async fn a_standby_shows_nothing_that_it_could_not_bring(cloud: TestCloud) {
    let (mut agent, import) = set_up(&cloud).await;
    let mut standby = TestAgent::enrol(&cloud, 2).await;
    read_whole(&cloud, &mut agent, without_mail(import, 20)).await;

    assert_eq!((waiting(&cloud, &standby).await, waiting(&cloud, &agent).await.len()), (vec![], 1));
    assert!(accept(&cloud, &standby).await.is_err());
    assert!(obey(&cloud, &mut standby).await.is_empty());
}

async fn key(cloud: &TestCloud, who: &crate::services::Who, role: Role) -> String {
    let wish = KeyWish { name: "script".into(), role, customer: None, lifetime: None };
    api_keys::create(&cloud.state, who, wish).await.unwrap().key
}

async fn post(cloud: &TestCloud, agent: &TestAgent, key: &str, attribute: &str) -> (StatusCode, Value) {
    let request = Request::post(format!("/api/v1/agents/{}/accept-clearing", AgentId::from(agent.id)))
        .header(header::AUTHORIZATION, format!("Bearer {key}"))
        .header(header::CONTENT_TYPE, "application/json")
        .header("idempotency-key", format!("once-{attribute}"))
        .body(Body::from(json!({ "attributes": [attribute] }).to_string()))
        .unwrap();
    let response = cloud.ask(request).await;
    let status = response.status();
    (status, serde_json::from_slice(&to_bytes(response.into_body(), 64 * 1024).await.unwrap()).unwrap())
}

async fn a_script_accepts_once_and_only_what_it_may(cloud: TestCloud) {
    let (mut agent, import) = set_up(&cloud).await;
    read_whole(&cloud, &mut agent, without_mail(import, 20)).await;
    let stranger = found(cloud.db(), &cloud.state, "Southwind IT").await;
    let engineer = key(&cloud, &cloud.who, Role::Engineer).await;

    let refused = [
        post(&cloud, &agent, &key(&cloud, &stranger, Role::Admin).await, "mail").await.0,
        post(&cloud, &agent, &key(&cloud, &cloud.who, Role::Auditor).await, "mail").await.0,
        post(&cloud, &agent, &engineer, "title").await.0,
    ];
    let first = post(&cloud, &agent, &engineer, "mail").await;
    let again = post(&cloud, &agent, &engineer, "mail").await;

    let expected = [StatusCode::NOT_FOUND, StatusCode::FORBIDDEN, StatusCode::UNPROCESSABLE_ENTITY];
    assert_eq!(refused, expected);
    assert_eq!(first, (StatusCode::OK, json!({ "attributes": ["mail"] })));
    assert_eq!(again, first, "the same request is not carried out twice");
    assert_eq!(orders(&obey(&cloud, &mut agent).await), [&Order::FullSnapshot]);
}
