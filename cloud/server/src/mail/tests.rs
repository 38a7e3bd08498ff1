//! A letter leaves once, whatever the relay does and wherever the program ends.

use std::time::Duration;

use chrono::TimeDelta;
use rollcall_domain::{
    ids::{JobId, MailId, OperatorId},
    job,
    role::{Reach, Role},
};
use rollcall_protocol::answer::Answer;
use rollcall_store::{
    Scope as _,
    jobs::{self, NewJob},
    mails, operators,
    work::{self, Dead},
};
use uuid::Uuid;

use super::{
    relay::{Mood, Relay},
    *,
};
use crate::testing::{TestAgent, TestCloud, crowd, stories};

stories! { every_story_of_the_mail_holds_on_postgres: [
    whoever_may_manage_updates_is_told_once,
    a_relay_that_is_away_or_refuses_for_now_is_tried_again,
    a_relay_that_refuses_for_good_is_not_asked_again,
    a_mail_that_may_have_left_waits_for_a_human,
    a_mail_of_a_program_that_ended_while_sending_waits_for_a_human,
    a_worker_that_lost_the_job_while_the_relay_was_silent_sends_nothing,
    without_a_relay_nothing_is_kept,
    a_silent_relay_keeps_no_cycle_waiting,
] }

fn letter() -> Letter {
    let page = "http://127.0.0.1:8080/updates";
    let stopped = RolloutStopped { version: "1.4.0", ring: "one in ten", reason: "3 of 20 agents went back", page };
    stopped.write().unwrap()
}

/// An owner, an engineer and an admin who was disabled; all mail goes to the relay.
async fn set_up(cloud: &mut TestCloud, relay: &Relay) {
    cloud.set_postman(relay.postman());
    for (role, email) in [(Role::Owner, "olga@northwind.example"), (Role::Engineer, "emil@northwind.example")] {
        add(cloud, role, email).await;
    }
    let gone = add(cloud, Role::Admin, "alma@northwind.example").await;
    let mut tx = cloud.db().write(&cloud.who.scope).await.unwrap();
    operators::disable(&mut tx, &cloud.who.scope, gone, cloud.now()).await.unwrap();
    tx.commit().await.unwrap();
}

async fn add(cloud: &TestCloud, role: Role, email: &str) -> OperatorId {
    let id = cloud.state.mint(OperatorId::mint);
    let new = operators::NewOperator { id, email, name: "Somebody", role, reach: &Reach::All, created_at: cloud.now() };
    let mut tx = cloud.db().write(&cloud.who.scope).await.unwrap();
    operators::insert(&mut tx, &cloud.who.scope, new).await.unwrap();
    tx.commit().await.unwrap();
    id
}

async fn tell(cloud: &TestCloud, about: &str) {
    let mut tx = cloud.db().write(&cloud.who.scope).await.unwrap();
    tell_managers(&mut tx, &cloud.state, "rollout_stopped", about, &letter()).await.unwrap();
    tx.commit().await.unwrap();
}

async fn work(cloud: &TestCloud) {
    cloud.pass(TimeDelta::hours(1));
    crate::jobs::run_due(&cloud.state).await.unwrap();
}

async fn given_up(cloud: &TestCloud) -> Vec<Dead> {
    let mut tx = cloud.db().read(&cloud.who.scope).await.unwrap();
    work::list_dead(&mut tx, 10).await.unwrap()
}

async fn waiting(cloud: &TestCloud) -> i64 {
    let mut tx = cloud.db().read(&cloud.who.scope).await.unwrap();
    let standing = work::count(&mut tx, cloud.now()).await.unwrap();
    standing.ready + standing.planned
}

async fn whoever_may_manage_updates_is_told_once(mut cloud: TestCloud) {
    let relay = Relay::open(Mood::Takes).await;
    set_up(&mut cloud, &relay).await;

    tell(&cloud, "1.4.0 first").await;
    tell(&cloud, "1.4.0 first").await;
    work(&cloud).await;

    let mails = relay.mails();
    assert_eq!(mails.len(), 1, "{mails:?}");
    let mail = &mails[0];
    for word in
        ["MAIL FROM:<rollcall@northwind.example>", "RCPT TO:<olga@northwind.example>", "text/plain", "text/html"]
    {
        assert!(mail.contains(word), "{word} in {mail}");
    }
    assert!(mail.contains("Subject: Rollcall stopped the rollout of agent 1.4.0"), "{mail}");
    tell(&cloud, "1.4.0 second").await;
    work(&cloud).await;
    assert_eq!(relay.mails().len(), 2, "another stop is another mail");
    assert_eq!((waiting(&cloud).await, given_up(&cloud).await.len()), (0, 0));
}

async fn a_relay_that_is_away_or_refuses_for_now_is_tried_again(mut cloud: TestCloud) {
    let relay = Relay::open(Mood::NotNow).await;
    set_up(&mut cloud, &relay).await;
    tell(&cloud, "1.4.0").await;

    let mut away = Relay::open(Mood::Takes).await;
    away.port = 1;
    cloud.set_postman(away.postman());
    work(&cloud).await;
    cloud.set_postman(relay.postman());
    work(&cloud).await;
    assert_eq!((relay.mails().len(), waiting(&cloud).await), (0, 1));
    relay.mood(Mood::Takes);
    work(&cloud).await;

    assert_eq!((relay.mails().len(), waiting(&cloud).await), (1, 0));
}

async fn a_relay_that_refuses_for_good_is_not_asked_again(mut cloud: TestCloud) {
    let relay = Relay::open(Mood::Never).await;
    set_up(&mut cloud, &relay).await;
    tell(&cloud, "1.4.0").await;

    work(&cloud).await;

    let dead = given_up(&cloud).await;
    assert_eq!(dead.len(), 1);
    let error = dead[0].last_error.clone().unwrap();
    assert!(error.contains("RC-6101") && error.contains("550") && !error.contains("olga"), "{error}");
}

async fn a_mail_that_may_have_left_waits_for_a_human(mut cloud: TestCloud) {
    let relay = Relay::open(Mood::HangsUp).await;
    set_up(&mut cloud, &relay).await;
    tell(&cloud, "1.4.0").await;

    work(&cloud).await;
    relay.mood(Mood::Takes);
    work(&cloud).await;

    let dead = given_up(&cloud).await;
    assert!(dead[0].last_error.as_ref().unwrap().contains("RC-6103"), "{dead:?}");
    assert_eq!(relay.mails().len(), 0, "nobody sends it again by itself");
    let mut tx = cloud.db().write(&cloud.who.scope).await.unwrap();
    assert!(work::revive(&mut tx, dead[0].id, cloud.now()).await.unwrap());
    tx.commit().await.unwrap();
    work(&cloud).await;
    assert_eq!(relay.mails().len(), 1, "a human did");
}

async fn a_mail_of_a_program_that_ended_while_sending_waits_for_a_human(mut cloud: TestCloud) {
    let relay = Relay::open(Mood::Takes).await;
    set_up(&mut cloud, &relay).await;
    let mut tx = cloud.db().write(&cloud.who.scope).await.unwrap();
    let id = cloud.state.mint(MailId::mint);
    let letter = letter();
    let mail = mails::NewMail {
        id,
        kind: "rollout_stopped",
        about: "1.4.0",
        recipient: "olga@northwind.example",
        subject: &letter.subject,
        body_text: &letter.text,
        body_html: &letter.html,
        created_at: cloud.now(),
    };
    mails::insert(&mut tx, mail).await.unwrap();
    mails::set_tried(&mut tx, id, cloud.now()).await.unwrap();
    jobs::enqueue(&mut tx, NewJob::send_mail(cloud.state.mint(JobId::mint), id, cloud.now())).await.unwrap();
    tx.commit().await.unwrap();

    work(&cloud).await;

    assert_eq!((relay.mails().len(), given_up(&cloud).await.len()), (0, 1));
}

async fn a_worker_that_lost_the_job_while_the_relay_was_silent_sends_nothing(mut cloud: TestCloud) {
    let (silent, relay) = (Relay::open(Mood::Silent).await, Relay::open(Mood::Takes).await);
    set_up(&mut cloud, &silent).await;
    tell(&cloud, "1.4.0").await;
    cloud.pass(TimeDelta::hours(1));
    let tenant = jobs::find_next_tenant(cloud.db(), job::Counterpart::MailRelay, cloud.who.scope.msp(), cloud.now())
        .await
        .unwrap()
        .unwrap();
    let first =
        jobs::claim(cloud.db(), tenant, job::Counterpart::MailRelay, cloud.now(), job::LEASE).await.unwrap().unwrap();
    let mail = serde_json::from_value(first.payload["mail"].clone()).unwrap();
    let (slow, scope) = (cloud.state.clone(), first.scope);
    let slow = tokio::spawn(async move { send(&slow, &scope, mail).await });
    tokio::time::sleep(Duration::from_millis(200)).await;

    // Its lease runs out in the middle of the relay's silence, and another worker brings the mail away.
    cloud.set_postman(relay.postman());
    work(&cloud).await;
    silent.mood(Mood::Takes);
    let late = slow.await.unwrap();

    assert!(matches!(late, Err(SendError::Store(_))), "{late:?}");
    assert_eq!((silent.mails().len(), relay.mails().len()), (0, 1));
}

async fn a_silent_relay_keeps_no_cycle_waiting(mut cloud: TestCloud) {
    let relay = Relay::open(Mood::Silent).await;
    set_up(&mut cloud, &relay).await;
    let mut agent = TestAgent::enrol(&cloud, 1).await;
    let import = cloud.import(Uuid::from_u128(0x0f)).await;
    for version in 0..10 {
        tell(&cloud, &format!("1.{version}.0")).await;
    }
    cloud.pass(TimeDelta::seconds(1));
    let parts = agent.read_full(&cloud, crowd(3, import), 1);
    assert!(matches!(agent.push(&cloud, &parts[0]).await, Answer::Accepted(_)));

    tokio::spawn(crate::jobs::run_workers(cloud.state.clone()));

    // All ten letters are older, and each would be waited for longer than this by any number of workers up to three.
    let applied = async {
        while cloud.runs().await.is_empty() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), applied).await.unwrap();
}

#[tokio::test]
async fn a_relay_that_says_nothing_is_soon_left_alone() {
    let relay = Relay::open(Mood::Silent).await;

    let greeted = tokio::time::timeout(Duration::from_secs(30), relay.postman().greet()).await;

    assert!(greeted.unwrap().is_err_and(|setback| setback.to_string().contains("RC-6101")));
}

async fn without_a_relay_nothing_is_kept(cloud: TestCloud) {
    add(&cloud, Role::Owner, "olga@northwind.example").await;

    tell(&cloud, "1.4.0").await;

    assert_eq!(waiting(&cloud).await, 0);
}
