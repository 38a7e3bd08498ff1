//! What stops a version by itself, and what does not.

use chrono::TimeDelta;
use rollcall_domain::{
    ids::OperatorId,
    role::{Reach, Role},
    rollout::{Ring, RolloutState, UpdateState, Wait},
};
use rollcall_store::{
    operators::{self, NewOperator},
    updates::asked,
};

use super::{a_day_later, agents, as_taken_back, as_version, lines_of, listen, publish, rollout, state};
use crate::{
    mail::relay::{Mood, Relay},
    services::updates::{self as acts, Decision},
    testing::{TestCloud, stories},
};

stories! { stops_are_the_same_on_postgres: [
    one_that_goes_back_stops_the_rest_until_a_person_says_go_on,
    each_stop_is_one_mail_to_whoever_may_decide,
    agents_that_fall_silent_with_the_new_version_stop_the_rest,
    an_outage_of_the_cloud_stops_nothing,
    a_machine_switched_off_long_after_its_update_stops_nothing,
    one_that_goes_back_again_after_a_person_said_go_on_stops_nobody_again,
] }

async fn one_that_goes_back_stops_the_rest_until_a_person_says_go_on(cloud: TestCloud) {
    let mut agents = agents(&cloud, 2).await;
    publish(&cloud, 1, &["0.2.0"]);
    assert_eq!(as_version(&cloud, &mut agents[0], "0.1.0").await.as_deref(), Some("0.2.0"));

    as_taken_back(&cloud, &mut agents[0], "0.2.0").await;
    cloud.pass(TimeDelta::minutes(2));
    assert_eq!(as_version(&cloud, &mut agents[1], "0.1.0").await, None);

    let stopped = rollout(&cloud, "0.2.0").await;
    assert_eq!(stopped.state, RolloutState::Stopped);
    assert_eq!(stopped.reason.as_deref(), Some("1 of 1 agents went back or fell silent"));
    acts::decide(&cloud.state, &cloud.who, "0.2.0", Decision::Resume).await.unwrap();
    let asked_again = as_version(&cloud, &mut agents[0], "0.1.0").await;
    assert_eq!((asked_again.as_deref(), rollout(&cloud, "0.2.0").await.state), (Some("0.2.0"), RolloutState::Running));
}

async fn each_stop_is_one_mail_to_whoever_may_decide(mut cloud: TestCloud) {
    let relay = Relay::open(Mood::Takes).await;
    cloud.set_postman(relay.postman());
    let (id, email) = (cloud.state.mint(OperatorId::mint), "olga@northwind.example");
    let reach = &Reach::All;
    let new = NewOperator { id, email, name: "Olga Owner", role: Role::Owner, reach, created_at: cloud.now() };
    let mut tx = cloud.db().write(&cloud.who.scope).await.unwrap();
    operators::insert(&mut tx, &cloud.who.scope, new).await.unwrap();
    tx.commit().await.unwrap();
    let mut agents = agents(&cloud, 2).await;
    publish(&cloud, 1, &["0.2.0"]);
    as_version(&cloud, &mut agents[0], "0.1.0").await;

    as_taken_back(&cloud, &mut agents[0], "0.2.0").await;
    for _ in 0..3 {
        cloud.pass(TimeDelta::minutes(2));
        as_version(&cloud, &mut agents[1], "0.1.0").await;
        cloud.work().await;
    }

    let mails = relay.mails();
    assert_eq!(mails.len(), 1, "{mails:?}");
    for word in ["0.2.0", "1 of 1 agents went back or fell silent", "http://127.0.0.1:8080/updates"] {
        assert!(mails[0].contains(word), "{word} in {}", mails[0]);
    }
}

async fn agents_that_fall_silent_with_the_new_version_stop_the_rest(cloud: TestCloud) {
    let mut agents = agents(&cloud, 2).await;
    let [one, two] = &mut agents[..] else { panic!() };
    publish(&cloud, 1, &["0.2.0"]);
    as_version(&cloud, one, "0.1.0").await;
    as_version(&cloud, one, "0.2.0").await;

    listen(&cloud, 12, &mut [(two, "0.1.0")]).await;
    assert_eq!(rollout(&cloud, "0.2.0").await.state, RolloutState::Running);
    listen(&cloud, 12, &mut [(two, "0.1.0")]).await;

    assert_eq!(rollout(&cloud, "0.2.0").await.state, RolloutState::Stopped);
}

async fn an_outage_of_the_cloud_stops_nothing(cloud: TestCloud) {
    let mut agents = agents(&cloud, 3).await;
    let [one, two, three] = &mut agents[..] else { panic!() };
    publish(&cloud, 1, &["0.2.0"]);
    as_version(&cloud, one, "0.1.0").await;
    listen(&cloud, 20, &mut [(one, "0.2.0"), (two, "0.1.0")]).await;

    cloud.pass(TimeDelta::minutes(50));
    as_version(&cloud, two, "0.1.0").await;
    assert_eq!(state(&cloud, "0.2.0").await.2, Some(Wait::Listening), "silence is the cloud's own");
    listen(&cloud, 20, &mut [(one, "0.2.0"), (two, "0.1.0"), (three, "0.1.0")]).await;

    assert_eq!(state(&cloud, "0.2.0").await, (Ring::First, RolloutState::Running, Some(Wait::Soak)));
    assert_eq!(lines_of(&cloud, "update.stop").await, 0);
}

async fn a_machine_switched_off_long_after_its_update_stops_nothing(cloud: TestCloud) {
    let mut agents = agents(&cloud, 2).await;
    let [one, two] = &mut agents[..] else { panic!() };
    publish(&cloud, 1, &["0.2.0"]);
    as_version(&cloud, one, "0.1.0").await;
    as_version(&cloud, one, "0.2.0").await;
    a_day_later(&cloud, &mut [(two, "0.1.0")]).await;

    assert_eq!(state(&cloud, "0.2.0").await.1, RolloutState::Running);
    assert_eq!(state(&cloud, "0.2.0").await.0, Ring::Tenth);
}

async fn one_that_goes_back_again_after_a_person_said_go_on_stops_nobody_again(cloud: TestCloud) {
    let mut agents = agents(&cloud, 2).await;
    let [bad, good] = &mut agents[..] else { panic!() };
    publish(&cloud, 1, &["0.2.0"]);
    as_version(&cloud, bad, "0.1.0").await;
    as_taken_back(&cloud, bad, "0.2.0").await;
    listen(&cloud, 4, &mut [(good, "0.1.0")]).await;
    assert_eq!(state(&cloud, "0.2.0").await.1, RolloutState::Stopped);

    acts::decide(&cloud.state, &cloud.who, "0.2.0", Decision::Resume).await.unwrap();
    listen(&cloud, 8, &mut [(good, "0.1.0")]).await;
    as_taken_back(&cloud, bad, "0.2.0").await;
    listen(&cloud, 8, &mut [(good, "0.1.0")]).await;

    assert_eq!(state(&cloud, "0.2.0").await.1, RolloutState::Running, "a person has seen this one fail");
    assert_eq!(lines_of(&cloud, "update.stop").await, 1);
    let mut tx = cloud.db().read(&cloud.who.scope).await.unwrap();
    let asked = asked::find_of_agent(&mut tx, good.id.into()).await.unwrap().unwrap();
    assert_eq!((asked.version.as_str(), asked.state), ("0.2.0", UpdateState::Offered), "another one is chosen");
}
