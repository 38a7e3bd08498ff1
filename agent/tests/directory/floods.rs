//! A directory that never stops talking fills neither memory nor disk, and removes nobody.

use rollcall_agent::cycle::CycleError;
use rollcall_agent::directory::reader::Incomplete;
use rollcall_lab::directory::{Attr, Trouble, Values, When};

use crate::site::Site;

async fn flooded(when: When) -> (Site, CycleError) {
    let mut site = Site::synced(100, &["Staff"]).await;
    let before = site.seen();
    site.directory.trouble(when, Trouble::Flood);
    site.directory.reset_tally();

    let error = site.sync().await.unwrap_err();

    assert_eq!(site.seen(), before);
    (site, error)
}

fn is_too_many(error: &CycleError, what: &str) -> bool {
    matches!(error, CycleError::Incomplete(Incomplete::TooMany { what: told, .. }) if *told == what)
}

// proves: L-14
#[tokio::test]
async fn an_object_that_is_shown_twice_is_no_object() {
    let (site, error) = flooded(When::single_read().asking("<GUID=")).await;

    assert!(is_too_many(&error, "entries of one answer"), "{error}");
    assert!(site.directory.tally().bytes_out < 16 * 1024 * 1024);
}

#[tokio::test]
async fn a_page_with_more_than_was_asked_for_ends_the_reading() {
    for asking in ["805306368", "organizationalUnit"] {
        let (_, error) = flooded(When::page(1).asking(asking)).await;

        assert!(is_too_many(&error, "entries of one answer"), "{asking}: {error}");
    }
}

// proves: L-14
#[tokio::test]
async fn groups_that_are_named_without_end_do_not_fill_the_memory() {
    for asking in ["805306368", "organizationalUnit"] {
        let mut site = Site::synced(100, &["Staff"]).await;
        let before = site.seen();
        site.directory.trouble(When::page(1).asking(asking), Trouble::InventedGroups);

        let error = site.sync().await.unwrap_err();

        assert!(is_too_many(&error, "bytes of names"), "{asking}: {error}");
        assert_eq!(site.seen(), before);
    }
}

#[tokio::test]
async fn names_without_end_are_neither_listed_nor_sent() {
    let mut site = Site::synced(100, &["Staff"]).await;
    let place = site.ou("Staff");
    let long = site.directory.add_ou(place, &"x".repeat(5_000)).unwrap();
    let ana = *site.seen().keys().next().unwrap();
    let record = site.cloud.people[&ana].clone();
    site.directory.move_to(ana, long).unwrap();
    site.directory.set(ana, Attr::Title, Values::one("Nurse")).unwrap();

    let summary = site.sync().await.unwrap();

    assert!(site.cloud.ous.iter().all(|ou| ou.guid != long));
    assert_eq!((&site.cloud.people[&ana], summary.counts.undecided), (&record, 1));
}
