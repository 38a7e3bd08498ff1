//! What people decide about a version, and who may see what comes of it.

use chrono::TimeDelta;
use rollcall_domain::rollout::Window;
use rollcall_store::updates::asked;

use super::{agents, as_taken_back, as_version, publish};
use crate::{
    services::{
        rollouts as shown,
        updates::{self as acts, Decision},
    },
    testing::{TestAgent, TestCloud, stories},
};

stories! { decisions_are_obeyed_the_same_on_postgres: [
    a_pinned_agent_that_went_back_is_asked_again_when_the_pin_is_saved_again,
    numbers_and_reasons_of_all_customers_are_for_those_who_reach_all,
    a_paused_rollout_takes_its_offer_back,
    nobody_is_asked_outside_the_hours,
    a_pinned_customer_stays_or_goes_straight_to_its_version,
    an_agent_that_was_asked_for_two_versions_is_asked_for_the_one_that_is_left,
    an_agent_that_was_asked_for_two_versions_goes_to_the_one_it_is_pinned_to,
] }

async fn a_pinned_agent_that_went_back_is_asked_again_when_the_pin_is_saved_again(cloud: TestCloud) {
    let mut agents = agents(&cloud, 1).await;
    publish(&cloud, 1, &["0.2.0"]);
    acts::pin(&cloud.state, &cloud.who, cloud.customer, Some("0.2.0")).await.unwrap();
    as_version(&cloud, &mut agents[0], "0.1.0").await;
    assert_eq!(as_taken_back(&cloud, &mut agents[0], "0.2.0").await, None);

    cloud.pass(TimeDelta::hours(1));
    acts::pin(&cloud.state, &cloud.who, cloud.customer, Some("0.2.0")).await.unwrap();

    assert_eq!(as_version(&cloud, &mut agents[0], "0.1.0").await.as_deref(), Some("0.2.0"));
}

/// Asked for 0.2.0 and then for 0.3.0, and runs neither.
async fn asked_twice(cloud: &TestCloud) -> TestAgent {
    let mut agent = agents(cloud, 1).await.remove(0);
    publish(cloud, 1, &["0.2.0"]);
    assert_eq!(as_version(cloud, &mut agent, "0.1.0").await.as_deref(), Some("0.2.0"));
    cloud.pass(TimeDelta::minutes(5));
    publish(cloud, 2, &["0.2.0", "0.3.0"]);
    assert_eq!(as_version(cloud, &mut agent, "0.1.0").await.as_deref(), Some("0.3.0"));
    agent
}

async fn an_agent_that_was_asked_for_two_versions_is_asked_for_the_one_that_is_left(cloud: TestCloud) {
    let mut agent = asked_twice(&cloud).await;

    publish(&cloud, 3, &["0.2.0"]);
    let wanted = as_version(&cloud, &mut agent, "0.1.0").await;

    assert_eq!(wanted.as_deref(), Some("0.2.0"), "in the signed document");
}

async fn an_agent_that_was_asked_for_two_versions_goes_to_the_one_it_is_pinned_to(cloud: TestCloud) {
    let mut agent = asked_twice(&cloud).await;

    cloud.pass(TimeDelta::minutes(5));
    acts::pin(&cloud.state, &cloud.who, cloud.customer, Some("0.2.0")).await.unwrap();
    let wanted = as_version(&cloud, &mut agent, "0.1.0").await;

    assert_eq!(wanted.as_deref(), Some("0.2.0"), "in the signed document");
}

async fn numbers_and_reasons_of_all_customers_are_for_those_who_reach_all(cloud: TestCloud) {
    let mut agents = agents(&cloud, 1).await;
    publish(&cloud, 1, &["0.2.0"]);
    as_version(&cloud, &mut agents[0], "0.1.0").await;
    let reason = "Fabrikam asked".to_owned();
    acts::decide(&cloud.state, &cloud.who, "0.2.0", Decision::Pause { reason }).await.unwrap();
    let shelf = cloud.state.releases.shelf(cloud.now()).await;
    let mut tx = cloud.db().read(&cloud.who.scope).await.unwrap();

    let whole = shown::list(&mut tx, &cloud.who.scope, &shelf, cloud.now()).await.unwrap();
    let chosen = shown::list(&mut tx, &cloud.who.scope.narrowed(&[]), &shelf, cloud.now()).await.unwrap();

    assert_eq!(whole[0].tally.unwrap().asked(), 1);
    assert!(whole[0].why.as_deref().unwrap().starts_with("Fabrikam asked"));
    assert_eq!((chosen[0].tally, chosen[0].why.as_deref()), (None, None));
    assert!(asked::count_versions(&mut tx, &cloud.who.scope.narrowed(&[])).await.unwrap().is_empty());
}

async fn a_paused_rollout_takes_its_offer_back(cloud: TestCloud) {
    let mut agents = agents(&cloud, 1).await;
    publish(&cloud, 1, &["0.2.0"]);
    assert!(as_version(&cloud, &mut agents[0], "0.1.0").await.is_some());

    let reason = "a customer asked".to_owned();
    acts::decide(&cloud.state, &cloud.who, "0.2.0", Decision::Pause { reason }).await.unwrap();
    let told = agents[0].check_in(&cloud).await.unwrap();

    assert_eq!(told.update, None);
    acts::decide(&cloud.state, &cloud.who, "0.2.0", Decision::Resume).await.unwrap();
    assert!(as_version(&cloud, &mut agents[0], "0.1.0").await.is_some());
}

async fn nobody_is_asked_outside_the_hours(cloud: TestCloud) {
    let mut agents = agents(&cloud, 1).await;
    publish(&cloud, 1, &["0.2.0"]);
    let at = |minutes| (cloud.now() + TimeDelta::minutes(minutes)).format("%H:%M").to_string();
    let window = Window::parse(&at(60), &at(120)).unwrap();
    acts::set_window(&cloud.state, &cloud.who, Some(window)).await.unwrap();

    assert_eq!(as_version(&cloud, &mut agents[0], "0.1.0").await, None);
    cloud.pass(TimeDelta::minutes(61));
    assert!(as_version(&cloud, &mut agents[0], "0.1.0").await.is_some());
}

async fn a_pinned_customer_stays_or_goes_straight_to_its_version(cloud: TestCloud) {
    let mut agents = agents(&cloud, 1).await;
    publish(&cloud, 1, &["0.2.0", "0.3.0"]);
    acts::pin(&cloud.state, &cloud.who, cloud.customer, Some("0.1.0")).await.unwrap();
    assert_eq!(as_version(&cloud, &mut agents[0], "0.1.0").await, None);

    acts::pin(&cloud.state, &cloud.who, cloud.customer, Some("0.2.0")).await.unwrap();
    assert_eq!(as_version(&cloud, &mut agents[0], "0.1.0").await.as_deref(), Some("0.2.0"));

    acts::pin(&cloud.state, &cloud.who, cloud.customer, None).await.unwrap();
    cloud.pass(TimeDelta::minutes(2));
    assert_eq!(as_version(&cloud, &mut agents[0], "0.2.0").await.as_deref(), Some("0.3.0"));
}
