//! A customer with two domains is as well as the worse of them.

use chrono::TimeDelta;
use rollcall_domain::{
    health::{self, Health, State},
    import::{ImportSettings, Nesting, RemovalPolicy, Schedule, Selection, SelectionKind},
};
use rollcall_protocol::{checkin::Problem, directory::DomainPin, evidence::Evidence};
use rollcall_store::{customers, directories};
use uuid::Uuid;

use crate::{
    services::{
        imports,
        pauses::{self, Target, Wish},
    },
    testing::{TestAgent, TestCloud, person, stories},
};

stories! { the_worse_directory_is_the_state_on_postgres: [
    a_silent_agent_is_seen_beside_one_that_is_heard,
    a_directory_that_is_not_read_any_more_is_seen_beside_one_that_is,
    a_reading_that_failed_is_not_hidden_by_a_good_one_of_another_directory,
    a_standby_does_not_speak_for_the_agent_that_reads,
    the_time_beside_a_problem_is_that_of_the_same_agent,
    an_import_is_overdue_again_once_its_pause_is_over,
    whoever_resumes_after_a_week_waits_a_day_for_the_reading,
] }

/// Two agents, each with a domain of its own, an import in it, and one person who was read.
async fn set_up(cloud: &TestCloud) -> (TestAgent, TestAgent) {
    let mut first = TestAgent::enrol(cloud, 1).await;
    let staff = cloud.import(Uuid::from_u128(0x0f)).await;
    first.sync(cloud, vec![person(1, "Ana Bauer", staff)], &Evidence::Deleted).await;

    let mut second = TestAgent::enrol_unheard(cloud, 2).await;
    second.domain =
        DomainPin { guid: Uuid::from_u128(0xd1), sid: "S-1-5-21-4-5-6".into(), dns_name: "fabrikam.example".into() };
    second.check_in(cloud).await;
    let mut tx = cloud.db().read(&cloud.scope).await.unwrap();
    let listed = directories::list(&mut tx, &cloud.scope).await.unwrap();
    drop(tx);
    let directory = listed.iter().find(|listed| listed.domain_guid == second.domain.guid).unwrap().id;
    let settings = ImportSettings {
        name: "Plant".into(),
        selections: vec![Selection { guid: Uuid::from_u128(0x1f), kind: SelectionKind::Ou }],
        excludes: vec![],
        schedule: Schedule::DEFAULT,
        removal_policy: RemovalPolicy::Deactivate,
        grace_days: 30,
        nesting: Nesting::Direct,
    };
    let plant = imports::create(&cloud.state, &cloud.who, cloud.customer, directory, &settings).await.unwrap();
    second.sync(cloud, vec![person(2, "Ben Costa", plant)], &Evidence::Deleted).await;
    first.check_in(cloud).await;
    assert_eq!(judge(cloud).await.state(), State::Healthy);
    (first, second)
}

async fn judge(cloud: &TestCloud) -> Health {
    let mut tx = cloud.db().read(&cloud.scope).await.unwrap();
    let overview = customers::get_overview(&mut tx, &cloud.scope).await.unwrap();
    health::decide(&overview.facts(None, cloud.now()), cloud.now())
}

async fn a_silent_agent_is_seen_beside_one_that_is_heard(cloud: TestCloud) {
    let (mut first, _second) = set_up(&cloud).await;

    cloud.pass(TimeDelta::hours(1));
    first.check_in(&cloud).await;

    assert_eq!(judge(&cloud).await.state(), State::AgentOffline);
}

async fn a_directory_that_is_not_read_any_more_is_seen_beside_one_that_is(cloud: TestCloud) {
    let (mut first, mut second) = set_up(&cloud).await;

    cloud.pass(TimeDelta::hours(27));
    let people = first.people.values().map(|record| record.person.clone()).collect();
    first.sync(&cloud, people, &Evidence::Deleted).await;
    first.check_in(&cloud).await;
    second.check_in(&cloud).await;

    let health = judge(&cloud).await;
    assert!(matches!(&health, Health::Not { reason_code, .. } if reason_code == "RC-4016"), "{health:?}");
    let mut tx = cloud.db().read(&cloud.scope).await.unwrap();
    let told = customers::get_overview(&mut tx, &cloud.scope).await.unwrap().worst_good_run_at().unwrap();
    assert!(told < cloud.now() - TimeDelta::hours(26), "whoever alerts on this is told of the worse one: {told}");
}

async fn a_reading_that_failed_is_not_hidden_by_a_good_one_of_another_directory(cloud: TestCloud) {
    let (mut first, mut second) = set_up(&cloud).await;

    // It starts from a snapshot that the cloud does not hold.
    second.snapshot += 1;
    let people = second.people.values().map(|record| record.person.clone()).collect();
    second.sync(&cloud, people, &Evidence::Deleted).await;
    let people = first.people.values().map(|record| record.person.clone()).collect();
    first.sync(&cloud, people, &Evidence::Deleted).await;

    let health = judge(&cloud).await;
    assert!(matches!(&health, Health::Not { reason_code, .. } if reason_code == "RC-4010"), "{health:?}");
}

async fn a_standby_does_not_speak_for_the_agent_that_reads(cloud: TestCloud) {
    let (mut first, mut second) = set_up(&cloud).await;
    let mut standby = TestAgent::enrol(&cloud, 3).await;

    cloud.pass(TimeDelta::hours(1));
    second.check_in(&cloud).await;
    standby.check_in(&cloud).await;

    assert_eq!(judge(&cloud).await.state(), State::AgentOffline, "nobody reads the first domain");
    first.check_in(&cloud).await;
    assert_eq!(judge(&cloud).await.state(), State::Healthy);
}

async fn the_time_beside_a_problem_is_that_of_the_same_agent(cloud: TestCloud) {
    let (mut first, mut second) = set_up(&cloud).await;
    let (early, late) = (cloud.now() - TimeDelta::days(2), cloud.now() - TimeDelta::days(1));
    for (agent, code, since) in [(&mut first, "RC-2999", early), (&mut second, "RC-1999", late)] {
        let problem = Problem { code: code.to_owned(), detail: String::new(), since };
        let request = agent.checkin_request(&cloud, rollcall_protocol::checkin::EpochWish::Keep, |said| {
            said.status.problems = vec![problem];
        });
        cloud.ask(request).await;
    }

    let health = judge(&cloud).await;

    let told = matches!(&health, Health::Not { reason_code, since, .. } if reason_code == "RC-2999" && *since == early);
    assert!(told, "{health:?}");
}

/// Every import is paused, and both agents hear of it.
async fn pause(cloud: &TestCloud, agents: &mut (TestAgent, TestAgent), until: Option<TimeDelta>) {
    for target in imports_of(cloud).await {
        let wish = Wish { reason: "migration".into(), until: until.map(|time| cloud.now() + time) };
        pauses::pause(&cloud.state, &cloud.who, target, wish).await.unwrap();
    }
    hear(cloud, agents).await;
}

async fn imports_of(cloud: &TestCloud) -> Vec<Target> {
    let mut tx = cloud.db().read(&cloud.scope).await.unwrap();
    let listed = rollcall_store::imports::list(&mut tx, &cloud.scope).await.unwrap();
    listed.iter().map(|import| Target::Import(cloud.customer, import.id)).collect()
}

async fn hear(cloud: &TestCloud, (first, second): &mut (TestAgent, TestAgent)) {
    first.check_in(cloud).await;
    second.check_in(cloud).await;
}

fn is_overdue(health: &Health) -> bool {
    matches!(health, Health::Not { reason_code, .. } if reason_code == "RC-4016")
}

async fn an_import_is_overdue_again_once_its_pause_is_over(cloud: TestCloud) {
    let mut agents = set_up(&cloud).await;
    pause(&cloud, &mut agents, Some(TimeDelta::days(2))).await;

    for (hours, overdue) in [(47, false), (25, false), (3, true)] {
        cloud.pass(TimeDelta::hours(hours));
        hear(&cloud, &mut agents).await;
        assert_eq!(is_overdue(&judge(&cloud).await), overdue, "after {hours} hours more");
    }
}

async fn whoever_resumes_after_a_week_waits_a_day_for_the_reading(cloud: TestCloud) {
    let mut agents = set_up(&cloud).await;
    pause(&cloud, &mut agents, None).await;
    pauses::pause(
        &cloud.state,
        &cloud.who,
        Target::Customer(cloud.customer),
        Wish { reason: "migration".into(), until: None },
    )
    .await
    .unwrap();
    cloud.pass(TimeDelta::days(7));
    let targets = [imports_of(&cloud).await, vec![Target::Customer(cloud.customer)]].concat();
    for target in targets {
        pauses::resume(&cloud.state, &cloud.who, target).await.unwrap();
    }

    for (hours, overdue) in [(1, false), (24, false), (2, true)] {
        cloud.pass(TimeDelta::hours(hours));
        hear(&cloud, &mut agents).await;
        assert_eq!(is_overdue(&judge(&cloud).await), overdue, "after {hours} hours more");
    }
}
