//! What agents are answered, line by line of the answer table.

use std::time::Duration;

use axum::http::StatusCode;
use chrono::TimeDelta;
use rollcall_domain::{
    agent::AgentState,
    ids::{AgentId, CommandId},
    run::RunResult,
};
use rollcall_protocol::{
    answer::{Answer, Receipt, Refusal, TokenFault},
    batch::Trigger,
    checkin::{self, CheckinResponse, Clearing, CycleOutcome, CycleReport, EpochWish, Problem},
    desired::{DesiredState, Order, Role},
    enrol::EnrolResponse,
    evidence::Evidence,
    jws::Unverified,
    key::PrivateKey,
    limits, path,
    revocation::Revocation,
    rotate::RotateResponse,
};
use rollcall_store::{
    commands::{self, NewCommand},
    restores,
};
use uuid::Uuid;

use crate::{
    services::{
        ServiceError,
        agents::{self, Ask},
        clearings,
        pauses::{self, Target, Wish},
        tokens,
    },
    testing::{
        TestAgent, TestCloud,
        agent::{ask, enrol_request, to_request},
        ana, stories,
    },
};

const STAFF: Uuid = Uuid::from_u128(0x0f);

stories! { every_answer_is_the_same_on_postgres: [
    a_token_enrols_exactly_one_agent,
    an_enrolment_whose_answer_got_lost_is_answered_again,
    a_hundred_enrolments_with_one_token_make_one_agent,
    a_late_a_revoked_and_a_forged_token_open_nothing,
    a_token_stolen_without_the_key_opens_nothing,
    a_batch_sent_twice_is_answered_twice_and_stored_once,
    a_gap_names_what_is_missing,
    a_fork_stops_both_copies,
    a_released_agent_goes_on_in_a_new_epoch,
    a_copy_that_asks_for_an_epoch_and_does_not_know_the_present_one_stops_both,
    an_agent_that_lost_all_but_its_key_begins_anew,
    a_new_epoch_is_above_every_one_the_agent_knows,
    a_key_is_asked_for_once_and_only_of_an_agent_that_listens,
    only_a_quarantined_agent_is_released,
    a_released_standby_still_stands_by,
    a_changed_body_a_foreign_key_and_another_path_are_refused,
    a_body_over_the_limit_is_refused_before_it_is_read,
    a_request_is_taken_once,
    a_clock_that_is_off_learns_the_time,
    a_revoked_agent_is_told_so_at_its_next_request,
    a_lost_spool_gets_a_new_epoch_and_the_old_one_ends,
    a_rotated_key_takes_over_with_its_first_batch,
    a_newer_introduction_replaces_an_older_one,
    the_first_batch_by_a_key_retires_every_other_key,
    sync_now_wakes_a_parked_check_in,
    a_pause_reaches_the_agent_and_ends_by_itself,
    a_second_agent_of_a_directory_stands_by,
    a_standby_takes_over_when_the_reader_is_revoked,
    one_that_is_heard_of_takes_over_before_one_that_is_not,
    a_released_standby_takes_over_from_a_reader_that_was_revoked_meanwhile,
    an_old_agent_is_asked_however_many_came_and_went_after_it,
    orders_that_do_not_fit_come_when_the_first_are_done,
    an_incomplete_reading_becomes_one_failed_run,
    a_finished_command_is_not_given_again,
    whoever_asks_after_the_reading_gets_another_one,
    whoever_asks_once_an_order_is_handed_out_gets_another_reading,
    a_check_beside_the_agent_is_answered_and_nothing_that_it_says_is_kept,
    what_vanished_is_accepted_only_by_name_and_only_while_it_is_told,
    an_agent_ahead_of_a_restored_cloud_is_heard_and_obeys_again,
] }

async fn a_token_enrols_exactly_one_agent(cloud: TestCloud) {
    let token = cloud.token().await;
    let first = enrol_request(&cloud, &PrivateKey::from_seed(&[1; 32]), &token);
    assert!(matches!(ask::<EnrolResponse>(&cloud, first).await, Answer::Accepted(_)));

    let second = enrol_request(&cloud, &PrivateKey::from_seed(&[2; 32]), &token);
    assert_eq!(ask::<EnrolResponse>(&cloud, second).await, refused(TokenFault::Used));
}

async fn an_enrolment_whose_answer_got_lost_is_answered_again(cloud: TestCloud) {
    let (token, key) = (cloud.token().await, PrivateKey::from_seed(&[1; 32]));
    let first = ask::<EnrolResponse>(&cloud, enrol_request(&cloud, &key, &token)).await;
    assert!(matches!(first, Answer::Accepted(_)));
    assert_eq!(ask::<EnrolResponse>(&cloud, enrol_request(&cloud, &key, &token)).await, first);
}

fn refused(reason: TokenFault) -> Answer<EnrolResponse> {
    Answer::Refused(Refusal::Token { reason })
}

async fn a_hundred_enrolments_with_one_token_make_one_agent(cloud: TestCloud) {
    let token = cloud.token().await;
    let requests: Vec<_> =
        (0..100).map(|seed| enrol_request(&cloud, &PrivateKey::from_seed(&[seed; 32]), &token)).collect();
    let answers = futures_util::future::join_all(requests.into_iter().map(|request| cloud.ask(request))).await;
    let accepted = answers.iter().filter(|answer| answer.status() == StatusCode::OK).count();
    assert_eq!(accepted, 1);
    assert!(answers.iter().all(|answer| [StatusCode::OK, StatusCode::GONE].contains(&answer.status())));
}

async fn a_late_a_revoked_and_a_forged_token_open_nothing(cloud: TestCloud) {
    let key = PrivateKey::from_seed(&[1; 32]);
    let late = cloud.token().await;
    cloud.pass(TimeDelta::hours(2));
    assert_eq!(ask(&cloud, enrol_request(&cloud, &key, &late)).await, refused(TokenFault::Expired));

    let issued = tokens::issue(&cloud.state, &cloud.who, cloud.customer, None).await.unwrap();
    tokens::revoke(&cloud.state, &cloud.who, cloud.customer, issued.id).await.unwrap();
    assert_eq!(ask(&cloud, enrol_request(&cloud, &key, &issued.token)).await, refused(TokenFault::Revoked));

    let forged = rollcall_protocol::enrol::EnrolToken {
        iss: cloud.state.cloud.id,
        url: "https://evil.example".into(),
        customer: cloud.customer.uuid(),
        jti: "guess".into(),
        exp: i64::MAX,
    };
    let forged = forged.sign(&key).unwrap();
    assert_eq!(ask(&cloud, enrol_request(&cloud, &key, &forged)).await, refused(TokenFault::Unknown));
}

async fn a_token_stolen_without_the_key_opens_nothing(cloud: TestCloud) {
    let token = cloud.token().await;
    let genuine = enrol_request(&cloud, &PrivateKey::from_seed(&[1; 32]), &token);
    // Somebody else's signature over somebody's request.
    let (parts, body) = genuine.into_parts();
    let bytes = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let mut stolen = enrol_request(&cloud, &PrivateKey::from_seed(&[2; 32]), &token);
    *stolen.body_mut() = axum::body::Body::from(bytes);
    drop(parts);
    assert_eq!(ask::<EnrolResponse>(&cloud, stolen).await, Answer::Refused(Refusal::Unauthorized));
}

// proves: R-13
async fn a_batch_sent_twice_is_answered_twice_and_stored_once(cloud: TestCloud) {
    let mut agent = TestAgent::enrol(&cloud, 1).await;
    let import = cloud.import(STAFF).await;
    let sealed = agent.read(&cloud, vec![ana(import)], &Evidence::Deleted);

    let first = agent.push(&cloud, &sealed).await;
    let second = agent.push(&cloud, &sealed).await;
    cloud.work().await;
    let third = agent.push(&cloud, &sealed).await;
    cloud.work().await;

    assert_eq!(first, Answer::Accepted(Receipt { head: agent.head }));
    assert_eq!((&second, &third), (&first, &first));
    assert_eq!(cloud.runs().await.len(), 1);
}

// proves: R-13
async fn a_gap_names_what_is_missing(cloud: TestCloud) {
    let mut agent = TestAgent::enrol(&cloud, 1).await;
    let import = cloud.import(STAFF).await;
    let first = agent.read(&cloud, vec![], &Evidence::Deleted);
    let second = agent.read(&cloud, vec![ana(import)], &Evidence::Deleted);

    assert_eq!(agent.push(&cloud, &second).await, Answer::Refused(Refusal::Gap { expected: 1 }));
    assert!(matches!(agent.push(&cloud, &first).await, Answer::Accepted(_)));
    assert!(matches!(agent.push(&cloud, &second).await, Answer::Accepted(_)));
    cloud.work().await;
    assert_eq!(cloud.list(None).await.len(), 1);
}

async fn a_fork_stops_both_copies(cloud: TestCloud) {
    let mut agent = TestAgent::enrol(&cloud, 1).await;
    let import = cloud.import(STAFF).await;
    let start = agent.head;
    let genuine = agent.read(&cloud, vec![ana(import)], &Evidence::Deleted);
    agent.push(&cloud, &genuine).await;

    // A restored copy signs something else at the same place.
    agent.head = start;
    let copy = agent.read(&cloud, vec![], &Evidence::Deleted);
    assert_eq!(agent.push(&cloud, &copy).await, Answer::Refused(Refusal::Fork));

    assert_eq!(agent.push(&cloud, &genuine).await, Answer::Refused(Refusal::Quarantined));
    cloud.work().await;
    assert_eq!(cloud.list(None).await.len(), 1, "nothing of the copy was applied");

    agents::release(&cloud.state, &cloud.who, AgentId::from(agent.id)).await.unwrap();
    assert_eq!(agent.push(&cloud, &genuine).await, Answer::Refused(Refusal::Epoch), "it begins anew, with everybody");
}

async fn a_released_agent_goes_on_in_a_new_epoch(cloud: TestCloud) {
    let mut agent = TestAgent::enrol(&cloud, 1).await;
    let import = cloud.import(STAFF).await;
    let start = agent.head;
    let of_copy = agent.read(&cloud, vec![], &Evidence::Deleted);
    agent.push(&cloud, &of_copy).await;
    agent.head = start;
    let waiting = agent.read(&cloud, vec![ana(import)], &Evidence::Deleted);
    assert_eq!(agent.push(&cloud, &waiting).await, Answer::Refused(Refusal::Fork));
    let id = AgentId::from(agent.id);
    let before = standing(&cloud, id).await;

    agents::release(&cloud.state, &cloud.who, id).await.unwrap();

    assert_eq!(agent.push(&cloud, &waiting).await, Answer::Refused(Refusal::Epoch));
    let after = standing(&cloud, id).await;
    assert_eq!((after.state, after.epoch), (AgentState::Active, 2));
    assert!(after.desired_version > before.desired_version);
    agent.check_in_saying(&cloud, EpochWish::New, |_| {}).await;
    for part in agent.read_full(&cloud, vec![ana(import)], 1) {
        assert!(matches!(agent.push(&cloud, &part).await, Answer::Accepted(_)));
    }
    cloud.work().await;
    assert_eq!(cloud.list(None).await.len(), 1);
}

async fn a_copy_that_asks_for_an_epoch_and_does_not_know_the_present_one_stops_both(cloud: TestCloud) {
    let mut agent = TestAgent::enrol(&cloud, 1).await;
    let import = cloud.import(STAFF).await;
    agent.sync(&cloud, vec![ana(import)], &Evidence::Deleted).await;
    agent.check_in_saying(&cloud, EpochWish::New, |_| {}).await;
    agent.people.clear();
    agent.sync(&cloud, vec![ana(import)], &Evidence::Deleted).await;

    // The other copy still stands in the first epoch.
    let request = agent.checkin_request(&cloud, EpochWish::New, |request| request.last_epoch = 1);

    assert_eq!(ask::<CheckinResponse>(&cloud, request).await, Answer::Refused(Refusal::Fork));
    let after = standing(&cloud, agent.id.into()).await;
    assert_eq!((after.state, after.epoch), (AgentState::Quarantined, 2));
}

async fn an_agent_that_lost_all_but_its_key_begins_anew(cloud: TestCloud) {
    let mut agent = TestAgent::enrol(&cloud, 1).await;
    let import = cloud.import(STAFF).await;
    agent.sync(&cloud, vec![ana(import)], &Evidence::Deleted).await;
    agent.check_in_saying(&cloud, EpochWish::New, |request| request.last_epoch = 0).await;
    agent.people.clear();
    agent.sync(&cloud, vec![ana(import)], &Evidence::Deleted).await;

    agent.check_in_saying(&cloud, EpochWish::New, |request| request.last_epoch = 0).await;
    // An answer that got lost is asked for again, in ignorance of the epoch it brought.
    agent.check_in_saying(&cloud, EpochWish::New, |request| request.last_epoch = 3).await;

    let after = standing(&cloud, agent.id.into()).await;
    assert_eq!((after.state, after.epoch), (AgentState::Active, 4));
}

async fn a_new_epoch_is_above_every_one_the_agent_knows(cloud: TestCloud) {
    let mut agent = TestAgent::enrol(&cloud, 1).await;
    // This database was restored: the agent has worked in epochs that it does not know.
    agent.check_in_saying(&cloud, EpochWish::New, |request| request.last_epoch = 7).await;
    assert_eq!(agent.head.epoch, 8);
    let mut tx = cloud.db().read(&cloud.who.scope).await.unwrap();
    assert_eq!(restores::find(&mut tx, agent.id.into()).await.unwrap(), Some(cloud.now()));
    drop(tx);

    agent.check_in_saying(&cloud, EpochWish::New, |request| request.last_epoch = u64::MAX).await;
    agent.check_in_saying(&cloud, EpochWish::New, |_| {}).await;
    assert_eq!(standing(&cloud, agent.id.into()).await.state, AgentState::Active);
}

async fn a_key_is_asked_for_once_and_only_of_an_agent_that_listens(cloud: TestCloud) {
    let mut agent = TestAgent::enrol(&cloud, 1).await;
    let id = AgentId::from(agent.id);

    agents::rotate_key(&cloud.state, &cloud.who, id).await.unwrap();
    agents::rotate_key(&cloud.state, &cloud.who, id).await.unwrap();

    let desired = agent.check_in(&cloud).await.unwrap();
    assert_eq!(desired.commands.iter().filter(|command| command.order == Order::RotateKey).count(), 1);
    agents::revoke(&cloud.state, &cloud.who, id).await.unwrap();
    assert!(agents::rotate_key(&cloud.state, &cloud.who, id).await.is_err());
}

async fn only_a_quarantined_agent_is_released(cloud: TestCloud) {
    let first = TestAgent::enrol(&cloud, 1).await;
    let second = TestAgent::enrol(&cloud, 2).await;
    for (agent, state) in [(&first, AgentState::Active), (&second, AgentState::Standby)] {
        let id = AgentId::from(agent.id);

        let answer = agents::release(&cloud.state, &cloud.who, id).await;

        assert!(matches!(answer, Err(ServiceError::Invalid { .. })), "{state}");
        let after = standing(&cloud, id).await;
        assert_eq!((after.state, after.epoch), (state, 1));
    }
}

async fn a_released_standby_still_stands_by(cloud: TestCloud) {
    TestAgent::enrol(&cloud, 1).await;
    let mut second = TestAgent::enrol(&cloud, 2).await;
    let start = second.head;
    let one = second.read(&cloud, vec![], &Evidence::Deleted);
    second.push(&cloud, &one).await;
    second.head = start;
    let other = second.read(&cloud, vec![], &Evidence::Deleted);
    assert_eq!(second.push(&cloud, &other).await, Answer::Refused(Refusal::Fork));
    let id = AgentId::from(second.id);

    agents::release(&cloud.state, &cloud.who, id).await.unwrap();

    assert_eq!(standing(&cloud, id).await.state, AgentState::Standby, "another agent reads the directory");
}

pub async fn standing(cloud: &TestCloud, agent: AgentId) -> rollcall_store::agents::Agent {
    let mut tx = cloud.db().read(&cloud.who.scope).await.unwrap();
    rollcall_store::agents::find(&mut tx, &cloud.who.scope, agent).await.unwrap().unwrap().1
}

async fn a_changed_body_a_foreign_key_and_another_path_are_refused(cloud: TestCloud) {
    let mut agent = TestAgent::enrol(&cloud, 1).await;
    let import = cloud.import(STAFF).await;
    let sealed = agent.read(&cloud, vec![ana(import)], &Evidence::Deleted);
    let refused = Answer::Refused(Refusal::Unauthorized);

    let mut changed = sealed.clone();
    *changed.body.last_mut().unwrap() ^= 1;
    assert_eq!(agent.push(&cloud, &changed).await, refused);

    let elsewhere = to_request(path::CHECKIN, &sealed.jws, sealed.body.clone());
    assert_eq!(ask::<Receipt>(&cloud, elsewhere).await, refused);

    agent.key = PrivateKey::from_seed(&[77; 32]);
    let foreign = agent.read(&cloud, vec![], &Evidence::Deleted);
    assert_eq!(agent.push(&cloud, &foreign).await, refused);

    let none = axum::http::Request::post(path::BATCHES).body(axum::body::Body::empty()).unwrap();
    assert_eq!(ask::<Receipt>(&cloud, none).await, refused);
    assert!(matches!(agent.push(&cloud, &sealed).await, Answer::Accepted(_)));
}

async fn a_body_over_the_limit_is_refused_before_it_is_read(cloud: TestCloud) {
    let mut agent = TestAgent::enrol(&cloud, 1).await;
    let sealed = agent.read(&cloud, vec![], &Evidence::Deleted);
    let huge = to_request(path::BATCHES, &sealed.jws, vec![0; limits::BODY_COMPRESSED + 1]);
    let limit = limits::BODY_COMPRESSED as u64;
    assert_eq!(ask::<Receipt>(&cloud, huge).await, Answer::Refused(Refusal::TooLarge { limit }));
}

async fn a_request_is_taken_once(cloud: TestCloud) {
    let mut agent = TestAgent::enrol(&cloud, 1).await;
    let request = agent.checkin_request(&cloud, EpochWish::Keep, |_| {});
    let (parts, body) = request.into_parts();
    let bytes = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let again = || axum::http::Request::from_parts(parts.clone(), axum::body::Body::from(bytes.clone()));

    assert!(matches!(ask::<CheckinResponse>(&cloud, again()).await, Answer::Accepted(_)));
    assert_eq!(ask::<CheckinResponse>(&cloud, again()).await, Answer::Refused(Refusal::Unauthorized));
}

async fn a_clock_that_is_off_learns_the_time(cloud: TestCloud) {
    let mut agent = TestAgent::enrol(&cloud, 1).await;
    let request = agent.checkin_request(&cloud, EpochWish::Keep, |_| {});
    cloud.pass(TimeDelta::days(1));
    let answer = ask::<CheckinResponse>(&cloud, request).await;
    assert_eq!(answer, Answer::Refused(Refusal::Skew { server_time: cloud.now() }));
}

async fn a_revoked_agent_is_told_so_at_its_next_request(cloud: TestCloud) {
    let mut agent = TestAgent::enrol(&cloud, 1).await;
    agents::revoke(&cloud.state, &cloud.who, AgentId::from(agent.id)).await.unwrap();
    let request = agent.checkin_request(&cloud, EpochWish::Keep, |_| {});

    let answer = ask::<CheckinResponse>(&cloud, request).await;

    let Answer::Refused(Refusal::Revoked { proof: Some(proof) }) = answer else { panic!("{answer:?}") };
    let revocation = Revocation { cloud: cloud.state.cloud.id, agent: agent.id };
    assert!(revocation.is_proved_by(&proof, &cloud.state.cloud.public()));
}

async fn a_lost_spool_gets_a_new_epoch_and_the_old_one_ends(cloud: TestCloud) {
    let mut agent = TestAgent::enrol(&cloud, 1).await;
    let import = cloud.import(STAFF).await;
    agent.sync(&cloud, vec![ana(import)], &Evidence::Deleted).await;
    // Half a cycle was on its way when the spool was lost.
    let half = agent.read_full(&cloud, vec![ana(import)], 2);
    agent.push(&cloud, &half[0]).await;

    agent.check_in_saying(&cloud, EpochWish::New, |_| {}).await;
    assert_eq!(agent.head.epoch, 2);
    assert_eq!(agent.push(&cloud, &half[1]).await, Answer::Refused(Refusal::Epoch));

    agent.people.clear();
    agent.sync(&cloud, vec![ana(import)], &Evidence::Deleted).await;
    assert_eq!(cloud.people().await, [("Ana Bauer".to_owned(), "active")]);
    assert_eq!(cloud.runs().await[0].digest_agrees, Some(true));
}

async fn a_rotated_key_takes_over_with_its_first_batch(cloud: TestCloud) {
    let mut agent = TestAgent::enrol(&cloud, 1).await;
    let import = cloud.import(STAFF).await;
    let new = key(42);
    introduce(&cloud, &mut agent, &new).await;

    // Both keys hold until the first batch by the new one.
    let by_old = agent.read(&cloud, vec![], &Evidence::Deleted);
    assert!(matches!(agent.push(&cloud, &by_old).await, Answer::Accepted(_)));
    let old = std::mem::replace(&mut agent.key, new);
    let by_new = agent.read(&cloud, vec![ana(import)], &Evidence::Deleted);
    assert!(matches!(agent.push(&cloud, &by_new).await, Answer::Accepted(_)));
    agent.key = old;
    let late = agent.read(&cloud, vec![], &Evidence::Deleted);
    assert_eq!(agent.push(&cloud, &late).await, Answer::Refused(Refusal::Unauthorized));
}

/// The key the agent signs with introduces this one.
pub async fn introduce(cloud: &TestCloud, agent: &mut TestAgent, new: &PrivateKey) {
    let request = agent.rotate_request(cloud, new);
    assert_eq!(ask(cloud, request).await, Answer::Accepted(RotateResponse { key: new.id() }));
}

pub fn key(seed: u8) -> PrivateKey {
    PrivateKey::from_seed(&[seed; 32])
}

/// What a check-in by this key is answered.
pub async fn check_in_by(cloud: &TestCloud, agent: &mut TestAgent, seed: u8) -> Answer<CheckinResponse> {
    let own = std::mem::replace(&mut agent.key, key(seed));
    let request = agent.checkin_request(cloud, EpochWish::Keep, |_| {});
    agent.key = own;
    ask(cloud, request).await
}

async fn a_newer_introduction_replaces_an_older_one(cloud: TestCloud) {
    let mut agent = TestAgent::enrol(&cloud, 1).await;
    introduce(&cloud, &mut agent, &key(42)).await;
    introduce(&cloud, &mut agent, &key(43)).await;

    assert_eq!(check_in_by(&cloud, &mut agent, 42).await, Answer::Refused(Refusal::Unauthorized));
    assert!(matches!(check_in_by(&cloud, &mut agent, 1).await, Answer::Accepted(_)), "nothing came by the new one yet");
    assert!(matches!(check_in_by(&cloud, &mut agent, 43).await, Answer::Accepted(_)));
}

async fn the_first_batch_by_a_key_retires_every_other_key(cloud: TestCloud) {
    let mut agent = TestAgent::enrol(&cloud, 1).await;
    introduce(&cloud, &mut agent, &key(42)).await;
    cloud.pass(TimeDelta::seconds(1));
    agent.key = key(42);
    introduce(&cloud, &mut agent, &key(43)).await;
    assert!(matches!(check_in_by(&cloud, &mut agent, 42).await, Answer::Accepted(_)));
    introduce(&cloud, &mut agent, &key(43)).await;

    agent.key = key(43);
    let sealed = agent.read(&cloud, vec![], &Evidence::Deleted);
    assert!(matches!(agent.push(&cloud, &sealed).await, Answer::Accepted(_)));

    for old in [1, 42] {
        assert_eq!(check_in_by(&cloud, &mut agent, old).await, Answer::Refused(Refusal::Unauthorized));
    }
}

async fn sync_now_wakes_a_parked_check_in(cloud: TestCloud) {
    let mut agent = TestAgent::enrol(&cloud, 1).await;
    agent.check_in(&cloud).await;
    let parked = agent.checkin_request(&cloud, EpochWish::Keep, |request| request.wait_seconds = 50);
    let (answer, ()) = tokio::join!(ask::<CheckinResponse>(&cloud, parked), async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        agents::ask(&cloud.state, &cloud.who, cloud.customer, Ask::SyncNow).await.unwrap();
    });
    let Answer::Accepted(response) = answer else { panic!("{answer:?}") };
    assert!(response.desired.is_some());
    let desired = agent.check_in(&cloud).await.unwrap();
    assert_eq!(desired.commands.len(), 1);
    assert_eq!(desired.commands[0].order, Order::SyncNow);
}

async fn an_agent_ahead_of_a_restored_cloud_is_heard_and_obeys_again(cloud: TestCloud) {
    let mut agent = TestAgent::enrol(&cloud, 1).await;
    let ahead = agent.checkin_request(&cloud, EpochWish::Keep, |request| request.desired_version = 40);
    let Answer::Accepted(response) = ask::<CheckinResponse>(&cloud, ahead).await else { panic!("refused") };
    let statement = response.desired.unwrap();
    let desired: DesiredState = Unverified::parse(&statement).unwrap().peek().unwrap();
    assert!(desired.version > 40, "version {}", desired.version);
    let mut tx = cloud.db().read(&cloud.who.scope).await.unwrap();
    assert_eq!(restores::find(&mut tx, agent.id.into()).await.unwrap(), Some(cloud.now()), "and people are told");
    assert_eq!(restores::count(&mut tx, cloud.now()).await.unwrap(), 1);
    let lines = rollcall_store::audit::list(&mut tx, &cloud.who.scope, None, 100).await.unwrap();
    assert_eq!(lines.iter().filter(|line| line.action == "agent.outlived_restore").count(), 1);
}

async fn a_pause_reaches_the_agent_and_ends_by_itself(cloud: TestCloud) {
    let mut agent = TestAgent::enrol(&cloud, 1).await;
    let until = cloud.now() + TimeDelta::hours(1);
    let wish = Wish { reason: "migration".into(), until: Some(until) };
    pauses::pause(&cloud.state, &cloud.who, Target::Customer(cloud.customer), wish).await.unwrap();
    let desired = agent.check_in(&cloud).await.unwrap();
    assert_eq!(desired.pause.unwrap().until, Some(until));

    pauses::resume(&cloud.state, &cloud.who, Target::Customer(cloud.customer)).await.unwrap();
    assert_eq!(agent.check_in(&cloud).await.unwrap().pause, None);

    let open = Wish { reason: "all of us".into(), until: None };
    pauses::pause(&cloud.state, &cloud.who, Target::Msp, open).await.unwrap();
    assert_eq!(agent.check_in(&cloud).await.unwrap().pause.unwrap().until, None);
}

async fn a_second_agent_of_a_directory_stands_by(cloud: TestCloud) {
    let mut first = TestAgent::enrol(&cloud, 1).await;
    let mut second = TestAgent::enrol(&cloud, 2).await;
    (first.desired, second.desired) = (0, 0);
    assert_eq!(first.check_in(&cloud).await.unwrap().role, Role::Active);
    assert_eq!(second.check_in(&cloud).await.unwrap().role, Role::Standby);
}

// proves: M-41
async fn a_standby_takes_over_when_the_reader_is_revoked(cloud: TestCloud) {
    let mut first = TestAgent::enrol(&cloud, 1).await;
    let mut second = TestAgent::enrol(&cloud, 2).await;
    let import = cloud.import(STAFF).await;
    first.sync(&cloud, vec![ana(import)], &Evidence::Deleted).await;
    let before = cloud.list(None).await[0].id;

    agents::revoke(&cloud.state, &cloud.who, AgentId::from(first.id)).await.unwrap();

    assert_eq!(second.check_in(&cloud).await.unwrap().role, Role::Active);
    second.sync(&cloud, vec![ana(import)], &Evidence::Deleted).await;
    let listed = cloud.list(None).await;
    assert_eq!((listed.len(), listed[0].id), (1, before), "the same person, once");
    assert_eq!(cloud.runs().await[0].digest_agrees, Some(true));
}

async fn one_that_is_heard_of_takes_over_before_one_that_is_not(cloud: TestCloud) {
    let first = TestAgent::enrol(&cloud, 1).await;
    let silent = TestAgent::enrol(&cloud, 2).await;
    cloud.pass(TimeDelta::hours(1));
    let heard = TestAgent::enrol(&cloud, 3).await;

    agents::revoke(&cloud.state, &cloud.who, AgentId::from(first.id)).await.unwrap();

    assert_eq!(standing(&cloud, silent.id.into()).await.state, AgentState::Standby);
    assert_eq!(standing(&cloud, heard.id.into()).await.state, AgentState::Active);
}

async fn a_released_standby_takes_over_from_a_reader_that_was_revoked_meanwhile(cloud: TestCloud) {
    let first = TestAgent::enrol(&cloud, 1).await;
    let mut second = TestAgent::enrol(&cloud, 2).await;
    cloud.import(STAFF).await;
    let start = second.head;
    let one = second.read(&cloud, vec![], &Evidence::Deleted);
    second.push(&cloud, &one).await;
    cloud.work().await;
    second.head = start;
    let other = second.read(&cloud, vec![], &Evidence::Deleted);
    assert_eq!(second.push(&cloud, &other).await, Answer::Refused(Refusal::Fork));
    agents::revoke(&cloud.state, &cloud.who, AgentId::from(first.id)).await.unwrap();
    let mut tx = cloud.db().read(&cloud.scope).await.unwrap();
    let overview = rollcall_store::customers::get_overview(&mut tx, &cloud.scope).await.unwrap();
    drop(tx);
    assert!(overview.unread_since.is_some(), "nobody reads the directory");

    agents::release(&cloud.state, &cloud.who, AgentId::from(second.id)).await.unwrap();

    assert_eq!(standing(&cloud, second.id.into()).await.state, AgentState::Active);
    let mut tx = cloud.db().read(&cloud.scope).await.unwrap();
    let directories = rollcall_store::directories::list(&mut tx, &cloud.scope).await.unwrap();
    assert_eq!(directories[0].agent_id.uuid(), second.id);
}

async fn an_old_agent_is_asked_however_many_came_and_went_after_it(cloud: TestCloud) {
    let mut old = TestAgent::enrol(&cloud, 1).await;
    let mut tx = cloud.db().write(&cloud.scope).await.unwrap();
    for _ in 0..201 {
        let id = cloud.state.mint(AgentId::mint);
        let new = rollcall_store::agents::NewAgent {
            id,
            hostname: "SRV1",
            os: "Windows",
            version: "0.1.0",
            facts: serde_json::json!({}),
            epoch_start: [0; 32],
            enrolled_at: cloud.now(),
        };
        rollcall_store::agents::insert(&mut tx, &cloud.scope, new).await.unwrap();
        let (scope, _) = rollcall_store::agents::find_for_job(&mut tx, id).await.unwrap().unwrap();
        rollcall_store::agents::set_state(&mut tx, &scope, AgentState::Revoked, cloud.now()).await.unwrap();
    }
    tx.commit().await.unwrap();

    assert_eq!(agents::ask(&cloud.state, &cloud.who, cloud.customer, Ask::SyncNow).await.unwrap(), 1);
    assert_eq!(old.check_in(&cloud).await.unwrap().commands.len(), 1);
}

async fn orders_that_do_not_fit_come_when_the_first_are_done(cloud: TestCloud) {
    let mut agent = TestAgent::enrol(&cloud, 1).await;
    let (scope, mut tx) = scope_and_tx(&cloud, &agent).await;
    for order in 0..20_u128 {
        let guids = (0..limits::CONFIRM as u128).map(|number| Uuid::from_u128((order << 64) + number + 1)).collect();
        let command = NewCommand {
            id: cloud.state.mint(CommandId::mint),
            kind: commands::CONFIRM,
            payload: serde_json::json!(Order::Confirm { guids }),
            created_by: "Rollcall",
            created_at: cloud.now(),
        };
        commands::insert(&mut tx, scope.agent(), command).await.unwrap();
    }
    rollcall_store::agents::renew_desired(&mut tx, &scope).await.unwrap();
    tx.commit().await.unwrap();
    agents::ask(&cloud.state, &cloud.who, cloud.customer, Ask::SyncNow).await.unwrap();

    let mut answered = 0;
    let mut desired = agent.check_in(&cloud).await.unwrap();
    assert!(
        desired.commands.iter().any(|command| command.order == Order::SyncNow),
        "a hundred thousand people hold it up"
    );
    while !desired.commands.is_empty() {
        let done: Vec<Uuid> = desired.commands.iter().map(|command| command.id).collect();
        answered += done.len();
        let next = agent.check_in_saying(&cloud, EpochWish::Keep, |request| request.done = done).await;
        match next {
            Some(next) => desired = next,
            None => break,
        }
    }
    assert_eq!(answered, 21);
}

async fn scope_and_tx(cloud: &TestCloud, agent: &TestAgent) -> (rollcall_store::AgentScope, rollcall_store::WriteTx) {
    let mut tx = cloud.db().write(&cloud.who.scope).await.unwrap();
    let found = rollcall_store::agents::find(&mut tx, &cloud.who.scope, agent.id.into()).await.unwrap();
    (found.unwrap().0, tx)
}

async fn an_incomplete_reading_becomes_one_failed_run(cloud: TestCloud) {
    let mut agent = TestAgent::enrol(&cloud, 1).await;
    let problem = Problem { code: "RC-2303".into(), detail: "page 2: cut".into(), since: cloud.now() };
    let report = CycleReport {
        cycle: Uuid::from_u128(0xbad),
        trigger: Some(Trigger::SyncNow),
        started_at: cloud.now(),
        finished_at: cloud.now(),
        outcome: CycleOutcome::Incomplete { problem, next_try_at: cloud.now() },
    };
    for _ in 0..2 {
        let report = report.clone();
        agent.check_in_saying(&cloud, EpochWish::Keep, |request| request.status.last_cycle = Some(report)).await;
    }
    let runs = cloud.runs().await;
    assert_eq!(runs.len(), 1);
    assert_eq!((runs[0].result, runs[0].reason_code.as_deref()), (RunResult::Failed, Some("RC-2303")));
    assert_eq!(runs[0].cause, "sync_now");
}

async fn what_vanished_is_accepted_only_by_name_and_only_while_it_is_told(cloud: TestCloud) {
    let mut agent = TestAgent::enrol(&cloud, 1).await;
    let id = AgentId::from(agent.id);
    let mail = Clearing { attribute: "mail".into(), people: 240, of: 300, import: None };
    let accept_seeing = async |name: &str, seen: u64| {
        let meant = clearings::Meant { attribute: name.to_owned(), import: None, seen: Some(seen) };
        clearings::accept(&cloud.state, &cloud.who, id, &[meant]).await
    };
    let accept = async |name: &str| accept_seeing(name, 240).await;
    agent.check_in_saying(&cloud, EpochWish::Keep, |request| request.status.clearings = vec![mail]).await;
    let of_yesterday = accept_seeing("mail", 30).await;
    assert!(matches!(of_yesterday, Err(ServiceError::ChangedMeanwhile)), "thirty is not two hundred and forty");

    assert!(matches!(accept("title").await, Err(ServiceError::Invalid { .. })), "nobody told of this one");
    accept("mail").await.unwrap();
    let desired = agent.check_in(&cloud).await.unwrap();

    assert_eq!(
        desired.commands[0].order,
        Order::AcceptClearing { attributes: vec!["mail".into()], at_most: Some(240), import: None }
    );
    assert!(matches!(accept("mail").await, Err(ServiceError::Invalid { .. })), "the agent tells of nothing any more");
}

async fn a_check_beside_the_agent_is_answered_and_nothing_that_it_says_is_kept(cloud: TestCloud) {
    let mut agent = TestAgent::enrol(&cloud, 1).await;
    let id = AgentId::from(agent.id);
    let wrong = Problem { code: "RC-2201".into(), detail: "dc1".into(), since: cloud.now() };
    agent.check_in_saying(&cloud, EpochWish::Keep, |request| request.status.problems = vec![wrong]).await;
    cloud.import(STAFF).await;
    agents::ask(&cloud.state, &cloud.who, cloud.customer, Ask::SyncNow).await.unwrap();
    let before = standing(&cloud, id).await;

    let had = agent.desired;
    let heard = agent.check_in_saying(&cloud, EpochWish::New, |request| request.kind = checkin::Kind::Question).await;
    agent.desired = had;

    let after = standing(&cloud, id).await;
    assert_eq!(heard.map(|desired| desired.imports.len()), Some(1));
    assert_eq!((after.checkins, after.epoch, after.reason_code), (before.checkins, before.epoch, before.reason_code));
    assert_eq!(after.handed_version, before.handed_version, "it was shown, not given");
    agents::ask(&cloud.state, &cloud.who, cloud.customer, Ask::SyncNow).await.unwrap();
    assert_eq!(agent.check_in(&cloud).await.unwrap().commands.len(), 1, "asked twice before the service heard of it");
}

async fn whoever_asks_after_the_reading_gets_another_one(cloud: TestCloud) {
    let mut agent = TestAgent::enrol(&cloud, 1).await;
    let import = cloud.import(STAFF).await;
    agents::ask(&cloud.state, &cloud.who, cloud.customer, Ask::SyncNow).await.unwrap();
    agent.check_in(&cloud).await.unwrap();
    agent.sync(&cloud, vec![ana(import)], &Evidence::Deleted).await;

    agents::ask(&cloud.state, &cloud.who, cloud.customer, Ask::SyncNow).await.unwrap();

    let desired = agent.check_in(&cloud).await.unwrap();
    assert_eq!(desired.commands.len(), 2, "the first may still be open, but it was read before the second was asked");
}

async fn whoever_asks_once_an_order_is_handed_out_gets_another_reading(cloud: TestCloud) {
    let mut agent = TestAgent::enrol(&cloud, 1).await;
    let ask = async || agents::ask(&cloud.state, &cloud.who, cloud.customer, Ask::SyncNow).await.unwrap();
    let import = cloud.import(STAFF).await;
    ask().await;
    // Handed out, and the agent has not been heard since: it may be reading already.
    agent.check_in(&cloud).await.unwrap();

    ask().await;
    ask().await;
    // The desired state gets another number, and the order asked for above is still not handed out.
    let wish = Wish { reason: "move".into(), until: None };
    pauses::pause(&cloud.state, &cloud.who, Target::Import(cloud.customer, import), wish).await.unwrap();
    ask().await;

    let desired = agent.check_in(&cloud).await.unwrap();
    assert_eq!(desired.commands.len(), 2, "one that may be under way, and one for all who asked since");
}

async fn a_finished_command_is_not_given_again(cloud: TestCloud) {
    let mut agent = TestAgent::enrol(&cloud, 1).await;
    agents::ask(&cloud.state, &cloud.who, cloud.customer, Ask::SyncNow).await.unwrap();
    agents::ask(&cloud.state, &cloud.who, cloud.customer, Ask::SyncNow).await.unwrap();
    let desired = agent.check_in(&cloud).await.unwrap();
    assert_eq!(desired.commands.len(), 1, "pressing twice is one sync");

    let id = desired.commands[0].id;
    agent.check_in_saying(&cloud, EpochWish::Keep, |request| request.done = vec![id]).await;
    agents::ask(&cloud.state, &cloud.who, cloud.customer, Ask::SyncNow).await.unwrap();
    let desired = agent.check_in(&cloud).await.unwrap();
    assert_eq!(desired.commands.len(), 1);
    assert_ne!(desired.commands[0].id, id);
}
