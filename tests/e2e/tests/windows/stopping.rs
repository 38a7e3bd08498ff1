//! The service stops within seconds, also in the midst of a reading that would never end.

use crate::site::{Site, build, with_version};
use rollcall_e2e::ScriptedScope;
use rollcall_lab::directory::{Directory, Fault, Plan, Setup, Trouble, When};
use rollcall_lab::world::{Binding, CloudSetup};
use std::time::{Duration, Instant};

/// The filter that only the search for people holds.
const PEOPLE: &str = "805306368";

// proves: R-15, L-24
#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_waits_for_a_stalled_directory_stops_at_once_and_goes_on_later() {
    // given: an agent whose directory sends half a page and then nothing, and which would wait for minutes
    let folder = tempfile::tempdir().unwrap();
    let msi = build(folder.path(), &with_version("0.1.0")).await;
    let directory = Directory::start(&Plan::new(300, 3), Setup::default()).unwrap();
    let binding = Binding::to_directory(&directory, &folder.path().join("ca.pem")).unwrap();
    let site = Site::found(&binding, &CloudSetup::default(), "").await;
    let token = site.customer.token().await.unwrap();
    site.install(&msi, &[&format!("ENROLLTOKEN={token}")]).await;
    site.customer.directory().await.unwrap();
    directory.fault(Fault::InSearch(When::page(1).asking(PEOPLE), Trouble::Stall));
    let scope = ScriptedScope { ous: vec![directory.at("OU=Staff").unwrap()], groups: Vec::new() };
    site.customer.import("Staff", &[("ou", scope.ous[0])], &[]).await.unwrap();
    let deadline = Instant::now() + Duration::from_mins(2);
    while !site.log().contains("trigger=SelectionChanged") {
        assert!(Instant::now() < deadline, "nobody read\n{}", site.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // Into the stall, which would last a minute. On a machine so busy that it has not begun, the stop comes earlier in the
    // reading, and the rest holds as well.
    tokio::time::sleep(Duration::from_secs(2)).await;

    // when
    site.stop_quickly().await;

    // then: nothing half is believed, and the next start reads them all
    assert!(site.customer.picture().await.unwrap().active.is_empty());
    directory.heal();
    site.start().await;
    let expected = scope.people(&directory);
    let arrived = site.customer.until("everybody", async || {
        Ok(site.customer.picture().await?.differences(&expected).is_empty().then_some(()))
    });
    arrived.await.unwrap_or_else(|missing| panic!("{missing}\n{}", site.log()));
}
