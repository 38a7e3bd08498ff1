//! A service that is started again and again: what it tried before, it does not try anew each time.

use std::time::Duration;

use chrono::TimeDelta;
use rollcall_lab::directory::Fault;
use rollcall_protocol::desired::Order;

use crate::cloud::Books;
use crate::home::Home;

/// Slow enough to be killed while people are read.
const SLOW: Fault = Fault::Drip { bytes_per_second: 30_000 };

/// Starts the service and kills it; what happens meanwhile is `so_far`'s to wait for.
async fn crash_after(home: &Home, so_far: impl AsyncFnOnce()) {
    let mut service = home.start(&["run"]);
    so_far().await;
    service.start_kill().unwrap();
    service.wait().await.unwrap();
}

/// The service that was just started has said itself, and waits for news. (What happens later may be told in one.)
async fn until_more_is_said(home: &Home) {
    let before = home.cloud.books(|books| books.checkins.len());
    home.cloud.until("a check-in", |books| books.checkins.len() > before + 1).await;
}

#[tokio::test]
async fn a_reading_that_ends_the_program_is_not_begun_at_every_start() {
    let home = Home::enrolled(200).await;
    home.directory.fault(SLOW);
    home.cloud.order(Order::SyncNow);
    let reading = home.path("data/reading.sqlite");
    for _ in 0..2 {
        crash_after(&home, async || home.cloud.until("a reading", |_| reading.exists()).await).await;
        std::fs::remove_file(&reading).unwrap();
    }
    home.directory.reset_tally();

    for _ in 0..3 {
        crash_after(&home, async || until_more_is_said(&home).await).await;
    }
    let service = home.start(&["run"]);
    until_more_is_said(&home).await;
    tokio::time::sleep(Duration::from_secs(2)).await;

    assert_eq!(home.directory.tally().connections, 0, "the order is still open, and was tried: {}", home.log());
    // Whoever orders anew has seen to it.
    home.directory.heal();
    home.cloud.order(Order::SyncNow);
    let count = home.expected().len();
    home.cloud.until("the first cycle", |books| books.people.len() == count).await;
    drop(service);
}

#[tokio::test]
async fn an_order_sends_a_refused_password_once_an_interval_however_often_the_service_starts() {
    let home = Home::enrolled(80).await;
    home.write_secret("wrong");
    let is_told = |books: &mut Books| {
        let told = books.checkins.last().map(|said| &said.status.problems);
        told.is_some_and(|told| told.iter().any(|problem| problem.code == "RC-2201"))
    };
    crash_after(&home, async || home.cloud.until("the refusal is told", is_told).await).await;
    let tried_twice = async || {
        home.cloud.order(Order::SyncNow);
        home.cloud.until("the order is tried", |_| home.directory.tally().binds == 2).await;
        home.cloud.until("and told to be", |books| books.checkins.iter().any(|said| !said.done.is_empty())).await;
    };
    crash_after(&home, tried_twice).await;

    for _ in 0..3 {
        home.cloud.order(Order::SyncNow);
        crash_after(&home, async || until_more_is_said(&home).await).await;
    }

    assert_eq!(home.directory.tally().binds, 2, "{}", home.log());
}

#[tokio::test]
async fn what_a_sync_by_hand_learned_of_the_sign_in_is_known_to_the_service() {
    let home = Home::enrolled(80).await;
    home.directory.fault(Fault::RefuseBinds { data: "775" });
    assert_ne!(home.agent(&["sync"]).await.status.code(), Some(0));
    let tried = home.directory.tally().binds;

    crash_after(&home, async || until_more_is_said(&home).await).await;

    assert_eq!(home.directory.tally().binds, tried, "a locked account is not tried by itself: {}", home.log());
    home.directory.heal();
    assert_eq!(home.agent(&["sync"]).await.status.code(), Some(0));
    assert!(!home.path("data/refused.json").exists(), "nobody waits for an interval after that");
}

/// A proxy that looks into the line can say any time, and so can a cloud whose clock is wrong for an hour.
#[tokio::test]
async fn a_reading_that_was_stamped_years_ahead_is_not_the_last_one() {
    let home = Home::enrolled(80).await;
    home.cloud.books(|books| books.ahead = TimeDelta::days(1_500));
    crash_after(&home, async || {
        let is_told = |books: &mut Books| {
            let told = books.checkins.last().and_then(|said| said.status.last_cycle.as_ref());
            books.cycles.len() == 1 && told.is_some()
        };
        home.cloud.until("the first cycle", is_told).await;
    })
    .await;

    home.cloud.books(|books| books.ahead = TimeDelta::zero());

    crash_after(&home, async || home.cloud.until("a cycle again", |books| books.cycles.len() == 2).await).await;
}
