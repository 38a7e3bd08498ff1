//! The agent as a service: instructions arrive by long poll, and it ends within seconds.

use std::time::{Duration, Instant};

use chrono::TimeDelta;
use rollcall_lab::directory::Fault;
use rollcall_protocol::batch::Trigger;
use rollcall_protocol::checkin::{CycleOutcome, Phase};
use rollcall_protocol::desired::{Order, Pause};

use crate::cloud::{Books, now};
use crate::home::Home;

#[tokio::test]
async fn a_service_reads_on_its_own_and_on_command_within_a_second() {
    let home = Home::enrolled(120).await;
    let _service = home.start(&["run"]);
    let count = home.expected().len();
    home.cloud.until("the first cycle", |books| books.people.len() == count).await;

    let asked = Instant::now();
    home.cloud.order(Order::SyncNow);
    let before = home.cloud.books(|books| books.cycles.len());
    home.cloud.until("sync now", |books| books.cycles.len() > before).await;

    assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
    let trigger = home.cloud.books(|books| books.cycles.last().unwrap().link.cycle.trigger);
    assert_eq!(trigger, Trigger::SyncNow);
    home.cloud
        .until("the command is reported done", |books| {
            books.checkins.last().is_some_and(|said| said.done.is_empty())
                && books.checkins.iter().any(|said| !said.done.is_empty())
        })
        .await;
}

#[tokio::test]
async fn a_paused_service_only_checks_in_and_resumes() {
    let home = Home::enrolled(80).await;
    home.cloud.want(|desired| desired.pause = Some(Pause { until: None }));
    let _service = home.start(&["run"]);
    home.cloud
        .until("the pause is shown", |books| {
            books.checkins.last().is_some_and(|said| said.status.phase == Phase::Paused)
        })
        .await;
    assert_eq!(home.directory.tally().connections, 0);

    home.cloud.want(|desired| desired.pause = None);

    let count = home.expected().len();
    home.cloud.until("the first cycle after the pause", |books| books.people.len() == count).await;
}

/// A proxy that looks into the line can say any time; only instructions are signed.
// proves: R-8
#[tokio::test]
async fn a_time_that_nobody_signed_ends_no_pause_and_keeps_none_up() {
    let home = Home::enrolled(80).await;
    let pause = |length| Some(Pause { until: Some(now() + length) });
    home.cloud.want(|desired| desired.pause = pause(TimeDelta::hours(1)));
    let mut service = home.start(&["run"]);
    let is_paused = |books: &mut Books| books.checkins.last().is_some_and(|said| said.status.phase == Phase::Paused);
    home.cloud.until("the pause is shown", is_paused).await;

    home.cloud.books(|books| books.ahead = TimeDelta::hours(2));
    let is_learned =
        |books: &mut Books| books.checkins.last().is_some_and(|said| said.status.clock_offset_ms > 3_600_000);
    home.cloud.want(|_| {});
    home.cloud.want(|_| {});
    home.cloud.until("the false time is learned", is_learned).await;
    service.start_kill().unwrap();
    service.wait().await.unwrap();
    let before = home.cloud.books(|books| books.checkins.len());
    let _service = home.start(&["run"]);
    let is_shown = |books: &mut Books| books.checkins.len() > before + 1 && is_learned(books) && is_paused(books);
    home.cloud.until("the pause is shown again after a restart", is_shown).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(home.directory.tally().connections, 0);

    home.cloud.books(|books| books.ahead = TimeDelta::hours(-2));
    home.cloud.want(|desired| desired.pause = pause(TimeDelta::seconds(2)));

    let count = home.expected().len();
    home.cloud.until("the first cycle after the pause", |books| books.people.len() == count).await;
}

#[tokio::test]
async fn a_service_ends_within_seconds_of_being_told() {
    let home = Home::enrolled(80).await;
    let mut service = home.start(&["run"]);
    home.cloud.until("a check-in", |books| !books.checkins.is_empty()).await;
    let started = Instant::now();

    terminate(&service);
    let ended = tokio::time::timeout(Duration::from_secs(5), service.wait()).await.unwrap().unwrap();

    assert!(ended.success(), "{}", home.log());
    assert!(started.elapsed() < Duration::from_secs(5));
}

/// Slow enough that everything below happens while people are read.
const SLOW: Fault = Fault::Drip { bytes_per_second: 30_000 };

async fn until_reading(home: &Home) {
    let reading = home.path("data/reading.sqlite");
    home.cloud.until("a reading", |_| reading.exists()).await;
}

#[tokio::test]
async fn a_service_ends_within_seconds_in_the_midst_of_a_reading_and_leaves_nothing_of_it() {
    let home = Home::enrolled(200).await;
    home.directory.fault(SLOW);
    let mut service = home.start(&["run"]);
    until_reading(&home).await;
    let started = Instant::now();

    terminate(&service);
    let ended = tokio::time::timeout(Duration::from_secs(30), service.wait()).await.unwrap().unwrap();

    assert!(ended.success(), "{}", home.log());
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    assert!(!home.path("data/reading.sqlite").exists());
}

/// Comparing, packing, signing and writing everybody goes on for seconds without a pause.
// proves: R-15
#[tokio::test]
async fn a_service_ends_within_seconds_while_it_writes_twenty_thousand_people() {
    let home = Home::enrolled(20_000).await;
    let mut service = home.start(&["run"]);
    let begun = Instant::now();
    while home.directory.tally().unbinds == 0 {
        assert!(begun.elapsed() < Duration::from_mins(2), "nobody was read: {}", home.log());
        tokio::time::sleep(Duration::from_millis(2)).await;
    }

    // The directory is read whole, and nothing of it has left.
    assert_eq!(home.cloud.books(|books| books.batches), 0);
    let started = Instant::now();
    terminate(&service);
    let ended = tokio::time::timeout(Duration::from_mins(1), service.wait()).await.unwrap().unwrap();

    assert!(ended.success(), "{}", home.log());
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    println!("ended after {:?}", started.elapsed());
    // What was written is whole or never was.
    assert_eq!(home.agent(&["sync"]).await.status.code(), Some(0));
    assert_eq!(home.seen(), home.expected());
}

// proves: R-8
#[tokio::test]
async fn a_pause_ends_a_reading_that_is_under_way_and_nothing_of_it_leaves() {
    let home = Home::enrolled(200).await;
    home.directory.fault(SLOW);
    let _service = home.start(&["run"]);
    until_reading(&home).await;

    home.cloud.want(|desired| desired.pause = Some(Pause { until: None }));
    home.cloud
        .until("the pause is shown", |books| {
            books.checkins.last().is_some_and(|said| said.status.phase == Phase::Paused)
        })
        .await;

    assert!(!home.path("data/reading.sqlite").exists());
    let (batches, told) = home.cloud.books(|books| (books.batches, books.checkins.last().cloned().unwrap()));
    assert_eq!((batches, told.status.last_cycle, told.status.problems), (0, None, Vec::new()));
    home.directory.heal();
    home.cloud.want(|desired| desired.pause = None);
    let count = home.expected().len();
    home.cloud.until("the first cycle after the pause", |books| books.people.len() == count).await;
}

#[tokio::test]
async fn a_narrower_selection_ends_a_reading_of_the_wider_one() {
    let home = Home::enrolled(200).await;
    home.directory.fault(SLOW);
    let _service = home.start(&["run"]);
    until_reading(&home).await;

    home.cloud.want(|desired| desired.imports.clear());
    home.cloud.until("a cycle", |books| !books.cycles.is_empty()).await;

    assert!(home.cloud.books(|books| books.people.is_empty() && books.departed.is_empty()));
}

fn terminate(child: &tokio::process::Child) {
    let id = child.id().unwrap().to_string();
    assert!(std::process::Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
}

#[tokio::test]
async fn a_wrong_password_is_reported_once_and_not_tried_again() {
    let home = Home::enrolled(80).await;
    home.write_secret("wrong");
    let _service = home.start(&["run"]);

    home.cloud
        .until("the failure is told", |books| {
            let told = books.checkins.last().and_then(|said| said.status.last_cycle.clone());
            matches!(told.map(|told| told.outcome),
            Some(CycleOutcome::Incomplete { problem, .. }) if problem.code == "RC-2201")
        })
        .await;
    tokio::time::sleep(Duration::from_secs(3)).await;

    assert_eq!(home.directory.tally().binds, 1);
}

#[tokio::test]
async fn a_restart_is_no_new_try_of_a_refused_password_and_another_password_is() {
    let home = Home::enrolled(80).await;
    home.write_secret("wrong");
    let told = |books: &mut Books| {
        let told = books.checkins.last().map(|said| &said.status.problems);
        told.is_some_and(|told| told.iter().any(|problem| problem.code == "RC-2201"))
    };
    let mut service = home.start(&["run"]);
    home.cloud.until("the refusal is told", told).await;
    service.start_kill().unwrap();
    service.wait().await.unwrap();

    let before = home.cloud.books(|books| books.checkins.len());
    let mut service = home.start(&["run"]);
    home.cloud.until("a check-in after the restart", |books| books.checkins.len() > before + 1).await;
    assert!(home.cloud.books(told), "it is still told");
    assert_eq!(home.directory.tally().binds, 1);

    for _ in 0..5 {
        home.cloud.order(Order::SyncNow);
        tokio::time::sleep(Duration::from_millis(800)).await;
    }
    assert_eq!(home.directory.tally().binds, 2, "somebody insists, once");
    home.write_secret(home.directory.password());
    service.start_kill().unwrap();
    service.wait().await.unwrap();
    let _service = home.start(&["run"]);
    let count = home.expected().len();
    home.cloud.until("the first cycle", |books| books.people.len() == count).await;
}

#[tokio::test]
async fn only_one_service_runs_in_a_folder() {
    let home = Home::enrolled(60).await;
    let _service = home.start(&["run"]);
    home.cloud.until("a check-in", |books| !books.checkins.is_empty()).await;

    let identity = std::fs::read(home.path("data/identity.json")).unwrap();

    for second in ["sync", "run"] {
        let (exit, said) = home.agent_json(&[second]).await;
        assert_eq!((exit, said["problem"]["code"].as_str()), (1, Some("RC-1011")), "{second}");
    }

    // The first one goes on as if nothing had been there.
    assert_eq!(std::fs::read(home.path("data/identity.json")).unwrap(), identity);
    let count = home.expected().len();
    home.cloud.until("the first cycle", |books| books.people.len() == count).await;
    assert!(home.cloud.books(|books| books.checkins.iter().all(|said| said.status.problems.is_empty())));
}

#[tokio::test]
async fn a_folder_of_the_log_that_cannot_be_written_is_told() {
    let home = Home::enrolled(20).await;
    // A file stands where a folder would have to.
    home.configure(&format!("[log]\nfolder = {:?}\n", home.path("agent.toml/logs").display().to_string()));

    let _service = home.start(&["service"]);

    home.cloud.until("a check-in all the same", |books| !books.checkins.is_empty()).await;
    assert!(home.log().contains("RC-1003") && home.log().contains("no log file is written"), "{}", home.log());
}
