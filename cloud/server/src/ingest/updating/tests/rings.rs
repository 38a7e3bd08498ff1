//! Whom a version reaches, one ring after the other.

use chrono::TimeDelta;
use rollcall_domain::rollout::{Bounds, Ring, RolloutState, Wait, place};
use rollcall_protocol::checkin::EpochWish;
use rollcall_store::updates::asked;

use super::{
    LINUX, WINDOWS, a_day_later, agents, as_refusing, as_taken_back, as_version, as_version_on, lines_of, listen,
    publish, publish_for, rollout, state,
};
use crate::{
    services::{customers, tokens, updates as acts},
    testing::{TestAgent, TestCloud, stories},
};

stories! { rings_are_the_same_on_postgres: [
    a_version_goes_to_one_agent_then_to_all_that_follow,
    each_platform_has_its_own_rings,
    a_customer_pinned_after_the_offer_holds_up_nobody,
    who_refuses_is_left_behind_after_three_days,
    a_version_that_was_reached_while_the_folder_was_unusable_counts,
    an_agent_that_lost_the_version_is_asked_again,
    a_newer_version_replaces_what_runs_and_comes_back_when_withdrawn,
    first_check_ins_at_once_begin_one_rollout,
] }

async fn a_version_goes_to_one_agent_then_to_all_that_follow(cloud: TestCloud) {
    let mut agents = agents(&cloud, 3).await;
    let [one, two, three] = &mut agents[..] else { panic!() };
    publish(&cloud, 1, &["0.2.0"]);

    assert_eq!(as_version(&cloud, three, "0.1.0").await, None, "the last has to wait");
    assert_eq!(as_version(&cloud, one, "0.1.0").await.as_deref(), Some("0.2.0"));
    a_day_later(&cloud, &mut [(one, "0.2.0"), (two, "0.1.0")]).await;
    assert_eq!(state(&cloud, "0.2.0").await, (Ring::First, RolloutState::Running, Some(Wait::Soak)), "it is new there");
    a_day_later(&cloud, &mut [(one, "0.2.0"), (two, "0.1.0")]).await;
    assert_eq!(state(&cloud, "0.2.0").await.0, Ring::Tenth);
    a_day_later(&cloud, &mut [(one, "0.2.0")]).await;
    assert_eq!(state(&cloud, "0.2.0").await.0, Ring::All);

    assert_eq!(as_version(&cloud, two, "0.1.0").await.as_deref(), Some("0.2.0"));
    assert_eq!(as_version(&cloud, three, "0.1.0").await.as_deref(), Some("0.2.0"));
    listen(&cloud, 20, &mut [(one, "0.2.0"), (two, "0.2.0"), (three, "0.2.0")]).await;
    a_day_later(&cloud, &mut [(one, "0.2.0"), (two, "0.2.0"), (three, "0.2.0")]).await;
    assert_eq!(state(&cloud, "0.2.0").await, (Ring::All, RolloutState::Done, None));
}

async fn each_platform_has_its_own_rings(cloud: TestCloud) {
    let mut agents = agents(&cloud, 2).await;
    let [linux, windows] = &mut agents[..] else { panic!() };
    as_version_on(&cloud, linux, "0.1.0", LINUX).await;
    publish(&cloud, 1, &["0.2.0"]);

    // The first in the order is no Windows machine: it holds up nobody.
    assert_eq!(as_version_on(&cloud, linux, "0.1.0", LINUX).await, None);
    assert_eq!(as_version(&cloud, windows, "0.1.0").await.as_deref(), Some("0.2.0"));
    publish_for(&cloud, 2, &[("0.2.0", WINDOWS), ("0.2.0", LINUX)]);
    as_taken_back(&cloud, windows, "0.2.0").await;
    cloud.pass(TimeDelta::minutes(2));
    as_version(&cloud, windows, "0.1.0").await;

    assert_eq!(rollout(&cloud, "0.2.0").await.state, RolloutState::Stopped);
    assert_eq!(as_version_on(&cloud, linux, "0.1.0", LINUX).await.as_deref(), Some("0.2.0"), "what failed on Windows");
}

async fn a_customer_pinned_after_the_offer_holds_up_nobody(cloud: TestCloud) {
    let elsewhere = customers::create(&cloud.state, &cloud.who, "Fabrikam").await.unwrap().id;
    let token = tokens::issue(&cloud.state, &cloud.who, elsewhere, None).await.unwrap().token;
    let ours = (TestAgent::enrol(&cloud, 1).await, cloud.customer);
    let theirs = (TestAgent::enrol_with(&cloud, 2, &token).await, elsewhere);
    let mut both = [ours, theirs];
    both.sort_by_key(|(agent, _)| place(agent.id, "0.2.0"));
    let [(first, pinned), (second, _)] = &mut both;
    publish(&cloud, 1, &["0.2.0"]);
    assert!(as_version(&cloud, first, "0.1.0").await.is_some());
    assert!(as_version(&cloud, second, "0.1.0").await.is_none());

    acts::pin(&cloud.state, &cloud.who, *pinned, Some("0.1.0")).await.unwrap();
    cloud.pass(TimeDelta::minutes(2));

    assert_eq!(as_version(&cloud, second, "0.1.0").await.as_deref(), Some("0.2.0"), "others are chosen at once");
}

async fn who_refuses_is_left_behind_after_three_days(cloud: TestCloud) {
    let mut agents = agents(&cloud, 2).await;
    let [one, two] = &mut agents[..] else { panic!() };
    publish(&cloud, 1, &["0.2.0"]);
    as_version(&cloud, one, "0.1.0").await;
    as_refusing(&cloud, one, "0.2.0").await;
    listen(&cloud, 20, &mut [(two, "0.1.0")]).await;
    assert_eq!(state(&cloud, "0.2.0").await.2, Some(Wait::Answers));

    cloud.pass(TimeDelta::days(3));
    listen(&cloud, 20, &mut [(two, "0.1.0")]).await;

    listen(&cloud, 4, &mut [(two, "0.2.0")]).await;
    let mut tx = cloud.db().read(&cloud.who.scope).await.unwrap();
    let tally = asked::count(&mut tx, "0.2.0", WINDOWS, Bounds::at(cloud.now())).await.unwrap();
    assert_eq!((tally.left_behind, tally.updated()), (1, 1));
}

async fn a_version_that_was_reached_while_the_folder_was_unusable_counts(cloud: TestCloud) {
    let mut agents = agents(&cloud, 1).await;
    publish(&cloud, 1, &["0.2.0"]);
    assert!(as_version(&cloud, &mut agents[0], "0.1.0").await.is_some());
    std::fs::remove_file(cloud.releases.path().join("timestamp.json")).unwrap();
    cloud.pass(TimeDelta::minutes(1));

    as_version(&cloud, &mut agents[0], "0.2.0").await;

    let mut tx = cloud.db().read(&cloud.who.scope).await.unwrap();
    let tally = asked::count(&mut tx, "0.2.0", WINDOWS, Bounds::at(cloud.now())).await.unwrap();
    assert_eq!((tally.open, tally.updated()), (0, 1));
}

async fn an_agent_that_lost_the_version_is_asked_again(cloud: TestCloud) {
    let mut agents = agents(&cloud, 1).await;
    publish(&cloud, 1, &["0.2.0"]);
    as_version(&cloud, &mut agents[0], "0.1.0").await;
    as_version(&cloud, &mut agents[0], "0.2.0").await;
    assert_eq!(as_version(&cloud, &mut agents[0], "0.1.0").await, None, "at most once a day");

    cloud.pass(TimeDelta::hours(25));
    assert_eq!(as_version(&cloud, &mut agents[0], "0.1.0").await.as_deref(), Some("0.2.0"), "its disk was restored");
}

async fn a_newer_version_replaces_what_runs_and_comes_back_when_withdrawn(cloud: TestCloud) {
    let mut agents = agents(&cloud, 2).await;
    publish(&cloud, 1, &["0.2.0"]);
    as_version(&cloud, &mut agents[0], "0.1.0").await;
    publish(&cloud, 2, &["0.2.0", "0.3.0"]);
    as_version(&cloud, &mut agents[0], "0.1.0").await;
    assert_eq!(rollout(&cloud, "0.2.0").await.state, RolloutState::Replaced);
    assert_eq!(rollout(&cloud, "0.3.0").await.state, RolloutState::Running);

    publish(&cloud, 3, &["0.2.0"]);
    as_version(&cloud, &mut agents[1], "0.1.0").await;

    assert_eq!(rollout(&cloud, "0.2.0").await.state, RolloutState::Running);
    assert_eq!(rollout(&cloud, "0.3.0").await.state, RolloutState::Replaced);
}

async fn first_check_ins_at_once_begin_one_rollout(cloud: TestCloud) {
    let mut agents = agents(&cloud, 4).await;
    publish(&cloud, 1, &["0.2.0"]);

    let requests: Vec<_> =
        agents.iter_mut().map(|agent| agent.checkin_request(&cloud, EpochWish::Keep, |_| {})).collect();
    for answer in futures_util::future::join_all(requests.into_iter().map(|request| cloud.ask(request))).await {
        assert_eq!(answer.status(), 200);
    }

    assert_eq!(lines_of(&cloud, "update.begin").await, 1);
}
