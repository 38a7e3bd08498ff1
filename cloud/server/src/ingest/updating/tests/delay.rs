//! A release waits as many days as the MSP says; then the rings, the hours and the pins hold as ever.

use chrono::{DateTime, Utc};
use rollcall_domain::rollout::{Delay, Window};

use super::*;
use crate::{
    services::{ServiceError, updates as acts},
    testing::stories,
};

stories! { delays_are_the_same_on_postgres: [
    a_release_reaches_nobody_before_its_day_and_then_one_agent_first,
    the_release_before_goes_out_while_a_newer_one_waits,
    a_pinned_customer_does_not_wait,
    a_person_begins_a_release_before_its_day,
    a_longer_delay_takes_nothing_back_and_a_shorter_one_lets_go,
    the_hours_hold_after_the_delay,
    a_delay_is_for_those_who_reach_every_customer_and_each_change_is_on_record,
] }

async fn wait_days(cloud: &TestCloud, days: i64) {
    acts::set_delay(&cloud.state, &cloud.who, Delay::of_days(days).unwrap()).await.unwrap();
}

/// A list of these versions, each published at its time.
fn publish_at(cloud: &TestCloud, number: u64, versions: &[(&str, DateTime<Utc>)]) {
    let release = |(version, at): &(&str, DateTime<Utc>)| Release {
        version: version.parse().unwrap(),
        platform: Platform::new(WINDOWS),
        length: PROGRAM.len() as u64,
        sha256: Hash::of(PROGRAM),
        published_at: Some(*at),
    };
    put(cloud, number, versions.iter().map(release).collect());
}

async fn has_begun(cloud: &TestCloud, version: &str) -> bool {
    let mut tx = cloud.db().read(&cloud.who.scope).await.unwrap();
    rollouts::find(&mut tx, version, WINDOWS).await.unwrap().is_some()
}

async fn upcoming(cloud: &TestCloud) -> Vec<(String, DateTime<Utc>)> {
    let shelf = cloud.state.releases.shelf(cloud.now()).await;
    let mut tx = cloud.db().read(&cloud.who.scope).await.unwrap();
    let upcoming = acts::list_upcoming(&mut tx, &shelf, cloud.now()).await.unwrap();
    upcoming.into_iter().map(|one| (one.version.to_string(), one.from)).collect()
}

// proves: M-42
async fn a_release_reaches_nobody_before_its_day_and_then_one_agent_first(cloud: TestCloud) {
    let mut agents = agents(&cloud, 2).await;
    let [one, two] = &mut agents[..] else { panic!() };
    wait_days(&cloud, 7).await;
    let published = cloud.now();
    publish_at(&cloud, 1, &[("0.2.0", published)]);

    assert_eq!(as_version(&cloud, one, "0.1.0").await, None);
    assert!(!has_begun(&cloud, "0.2.0").await);
    assert_eq!(upcoming(&cloud).await, [("0.2.0".to_owned(), published + TimeDelta::days(7))]);
    cloud.pass(TimeDelta::days(7) - TimeDelta::minutes(2));
    assert_eq!(as_version(&cloud, one, "0.1.0").await, None, "a minute too early");
    cloud.pass(TimeDelta::minutes(2));

    assert_eq!(as_version(&cloud, two, "0.1.0").await, None, "the rings begin when the delay ends");
    assert_eq!(as_version(&cloud, one, "0.1.0").await.as_deref(), Some("0.2.0"));
    assert_eq!(state(&cloud, "0.2.0").await.0, Ring::First);
    assert_eq!(upcoming(&cloud).await, []);
}

async fn the_release_before_goes_out_while_a_newer_one_waits(cloud: TestCloud) {
    let mut agents = agents(&cloud, 1).await;
    wait_days(&cloud, 14).await;
    let now = cloud.now();
    publish_at(&cloud, 1, &[("0.2.0", now - TimeDelta::days(14)), ("0.3.0", now - TimeDelta::days(7))]);

    assert_eq!(as_version(&cloud, &mut agents[0], "0.1.0").await.as_deref(), Some("0.2.0"));
    cloud.pass(TimeDelta::days(7));
    as_version(&cloud, &mut agents[0], "0.2.0").await;

    assert_eq!(rollout(&cloud, "0.2.0").await.state, RolloutState::Replaced);
    assert_eq!(state(&cloud, "0.3.0").await.1, RolloutState::Running);
}

async fn a_pinned_customer_does_not_wait(cloud: TestCloud) {
    let mut agents = agents(&cloud, 1).await;
    wait_days(&cloud, 30).await;
    publish_at(&cloud, 1, &[("0.2.0", cloud.now())]);

    acts::pin(&cloud.state, &cloud.who, cloud.customer, Some("0.2.0")).await.unwrap();

    assert_eq!(as_version(&cloud, &mut agents[0], "0.1.0").await.as_deref(), Some("0.2.0"));
    assert!(!has_begun(&cloud, "0.2.0").await, "for the others it waits");
}

async fn a_person_begins_a_release_before_its_day(cloud: TestCloud) {
    let mut agents = agents(&cloud, 2).await;
    let [one, two] = &mut agents[..] else { panic!() };
    wait_days(&cloud, 30).await;
    let now = cloud.now();
    publish_at(&cloud, 1, &[("0.1.5", now - TimeDelta::days(30)), ("0.2.0", now)]);
    as_version(&cloud, one, "0.1.4").await;
    as_version(&cloud, two, "0.1.4").await;
    assert_eq!(rollout(&cloud, "0.1.5").await.state, RolloutState::Running);

    acts::begin(&cloud.state, &cloud.who, "0.2.0").await.unwrap();
    cloud.pass(TimeDelta::minutes(2));

    assert_eq!(rollout(&cloud, "0.1.5").await.state, RolloutState::Replaced);
    assert_eq!(as_version(&cloud, one, "0.1.4").await.as_deref(), Some("0.2.0"));
    assert_eq!(as_version(&cloud, two, "0.1.4").await, None, "by rings all the same");
    let again = acts::begin(&cloud.state, &cloud.who, "0.2.0").await.unwrap_err();
    assert!(matches!(again, ServiceError::Invalid { field: "version", .. }), "{again}");
    let unknown = acts::begin(&cloud.state, &cloud.who, "9.9.9").await.unwrap_err();
    assert!(matches!(unknown, ServiceError::NotFound), "{unknown}");
}

async fn a_longer_delay_takes_nothing_back_and_a_shorter_one_lets_go(cloud: TestCloud) {
    let mut agents = agents(&cloud, 1).await;
    publish_at(&cloud, 1, &[("0.2.0", cloud.now())]);
    assert_eq!(as_version(&cloud, &mut agents[0], "0.1.0").await.as_deref(), Some("0.2.0"));
    wait_days(&cloud, 30).await;
    as_version(&cloud, &mut agents[0], "0.1.0").await;
    assert_eq!(state(&cloud, "0.2.0").await.1, RolloutState::Running, "what has begun goes on");

    publish_at(&cloud, 2, &[("0.2.0", cloud.now()), ("0.3.0", cloud.now())]);
    assert_eq!(as_version(&cloud, &mut agents[0], "0.2.0").await, None);
    wait_days(&cloud, 0).await;
    cloud.pass(TimeDelta::minutes(2));

    assert_eq!(as_version(&cloud, &mut agents[0], "0.2.0").await.as_deref(), Some("0.3.0"));
}

async fn the_hours_hold_after_the_delay(cloud: TestCloud) {
    let mut agents = agents(&cloud, 1).await;
    wait_days(&cloud, 1).await;
    publish_at(&cloud, 1, &[("0.2.0", cloud.now() - TimeDelta::days(1))]);
    let at = |minutes| (cloud.now() + TimeDelta::minutes(minutes)).format("%H:%M").to_string();
    let window = Window::parse(&at(60), &at(120)).unwrap();
    acts::set_window(&cloud.state, &cloud.who, Some(window)).await.unwrap();

    assert_eq!(as_version(&cloud, &mut agents[0], "0.1.0").await, None);
    cloud.pass(TimeDelta::minutes(61));

    assert_eq!(as_version(&cloud, &mut agents[0], "0.1.0").await.as_deref(), Some("0.2.0"));
}

async fn a_delay_is_for_those_who_reach_every_customer_and_each_change_is_on_record(cloud: TestCloud) {
    let mut narrow = cloud.who.clone();
    narrow.scope = narrow.scope.narrowed(&[cloud.customer]);

    let refused = acts::set_delay(&cloud.state, &narrow, Delay::of_days(3).unwrap()).await.unwrap_err();

    assert!(matches!(refused, ServiceError::Forbidden { .. }), "{refused}");
    assert_eq!(lines_of(&cloud, "update.delay").await, 0);
    wait_days(&cloud, 3).await;
    assert_eq!(lines_of(&cloud, "update.delay").await, 1);
}
