//! A newer reading takes the place of one that is still in the spool, and owes what that one owed.

use chrono::TimeDelta;
use rollcall_agent::cycle::{CycleError, Extent, Purpose};
use rollcall_protocol::batch::CycleKind;

use crate::site::Site;

#[tokio::test]
async fn what_waits_is_never_more_than_one_reading_and_always_the_newest() {
    let mut site = Site::synced(200, &["Staff"]).await;
    let people: Vec<_> = site.expected().into_keys().collect();
    let away = site.ou("Contractors");
    let head = site.spool.state().unwrap().chain;

    for person in people.iter().take(3) {
        site.directory.move_to(*person, away).unwrap();
        site.cycle(Extent::AsNeeded, &[], Purpose::Publish).await.unwrap();
        assert_eq!(site.spool.waiting().unwrap().batches, 1);
        assert_eq!(site.spool.next_batch().unwrap().map(|batch| batch.link()), head);
    }
    site.deliver();

    assert_eq!(site.seen(), site.expected());
    assert_eq!(site.cloud.departures.len(), 3);
}

#[tokio::test]
async fn somebody_who_left_and_returned_meanwhile_never_left() {
    let mut site = Site::synced(200, &["Staff"]).await;
    let somebody = *site.expected().keys().next().unwrap();
    let (away, home) = (site.ou("Contractors"), site.ou("Staff"));
    site.directory.move_to(somebody, away).unwrap();
    site.cycle(Extent::AsNeeded, &[], Purpose::Publish).await.unwrap();
    site.directory.move_to(somebody, home).unwrap();

    site.cycle(Extent::AsNeeded, &[], Purpose::Publish).await.unwrap();
    site.deliver();

    assert_eq!(site.cloud.departures, []);
    assert_eq!(site.seen(), site.expected());
}

#[tokio::test]
async fn a_full_snapshot_and_an_answer_that_were_owed_are_still_owed() {
    let mut site = Site::synced(100, &["Staff"]).await;
    let asked = *site.expected().keys().next().unwrap();
    site.cycle(Extent::Everybody, &[], Purpose::Publish).await.unwrap();
    site.cycle(Extent::AsNeeded, &[], Purpose::Publish).await.unwrap();
    site.deliver();
    assert_eq!(site.cloud.last.as_ref().unwrap().link.cycle.kind, CycleKind::Full);

    site.cycle(Extent::AsNeeded, &[asked], Purpose::Publish).await.unwrap();
    site.cycle(Extent::AsNeeded, &[], Purpose::Publish).await.unwrap();
    let items = site.spool.next_batch().unwrap().unwrap().claims.link.cycle.items;
    site.deliver();

    assert_eq!(items, 1, "the person asked about, although nothing changed");
    site.sync().await.unwrap();
    assert_eq!(site.cloud.last.as_ref().unwrap().link.cycle.items, 0, "and only once");
}

#[tokio::test]
async fn a_failed_reading_leaves_the_one_that_waits() {
    let mut site = Site::synced(100, &["Staff"]).await;
    site.cycle(Extent::AsNeeded, &[], Purpose::Publish).await.unwrap();
    let waiting = site.spool.next_batch().unwrap();
    site.use_password("wrong");

    site.cycle(Extent::AsNeeded, &[], Purpose::Publish).await.unwrap_err();

    assert_eq!(site.spool.next_batch().unwrap(), waiting);
}

#[tokio::test]
async fn a_batch_that_may_have_arrived_is_not_replaced() {
    let mut site = Site::synced(100, &["Staff"]).await;
    site.cycle(Extent::AsNeeded, &[], Purpose::Publish).await.unwrap();
    let batch = site.spool.next_batch().unwrap().unwrap();
    site.spool.mark_tried(&batch).unwrap();
    site.pass(TimeDelta::hours(3));

    let refused = site.cycle(Extent::AsNeeded, &[], Purpose::Publish).await;

    assert!(matches!(refused, Err(CycleError::Unsent)), "{refused:?}");
    assert_eq!(site.spool.next_batch().unwrap(), Some(batch));
}
