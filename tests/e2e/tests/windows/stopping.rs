//! The service stops within seconds at any moment, also in the midst of what would never end, and what it was at is done
//! once and whole after the next start.

use crate::site::{EXE, HOME, Site, build, with_version};
use crate::stopper::Stopper;
use rollcall_e2e::ScriptedScope;
use rollcall_lab::directory::{Directory, Fault, Plan, Setup, Trouble, When};
use rollcall_lab::world::{Binding, CloudSetup};
use serde_json::Value;
use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

/// The filter that only the search for people holds.
const PEOPLE: &str = "805306368";

/// An agent that is installed and knows its directory, and has nobody to read yet.
struct Office {
    site: Site,
    directory: Directory,
    scope: ScriptedScope,
    _folder: tempfile::TempDir,
}

impl Office {
    async fn found(people: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let msi = build(folder.path(), &with_version("0.1.0")).await;
        let directory = Directory::start(&Plan::new(people, 3), Setup::default()).unwrap();
        let binding = Binding::to_directory(&directory, &folder.path().join("ca.pem")).unwrap();
        let site = Site::found(&binding, &CloudSetup::default(), "").await;
        let token = site.customer.token().await.unwrap();
        site.install(&msi, &[&format!("ENROLLTOKEN={token}")]).await;
        site.customer.directory().await.unwrap();
        let scope = ScriptedScope { ous: vec![directory.at("OU=Staff").unwrap()], groups: Vec::new() };
        Self { site, directory, scope, _folder: folder }
    }

    /// Somebody chooses the people, and the agent begins to read.
    async fn begin_reading(&self) {
        self.site.customer.import("Staff", &[("ou", self.scope.ous[0])], &[]).await.unwrap();
        self.until("nobody read", || self.site.log().contains("trigger=SelectionChanged")).await;
    }

    async fn until(&self, otherwise: &str, is_so: impl Fn() -> bool) {
        let deadline = Instant::now() + Duration::from_mins(4);
        while !is_so() {
            assert!(Instant::now() < deadline, "{otherwise}\n{}", self.site.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Every run together added everybody, so each of them once; and they are the ones that the directory has.
    async fn everybody_arrives_once(&self) {
        let expected = self.scope.people(&self.directory);
        let deadline = Instant::now() + Duration::from_mins(5);
        let mut added = 0;
        while added < expected.len() as u64 {
            assert!(Instant::now() < deadline, "{added} of {} arrived\n{}", expected.len(), self.site.log());
            tokio::time::sleep(Duration::from_millis(300)).await;
            let runs = self.site.customer.runs().await.unwrap();
            added = runs.iter().filter_map(|run| run["counts"]["added"].as_u64()).sum();
        }
        assert_eq!(added, expected.len() as u64);
        let differences = self.site.customer.picture().await.unwrap().differences(&expected);
        assert_eq!(differences, Vec::<String>::new());
    }

    async fn waiting_batches(&self) -> u64 {
        let (_, said) = self.site.ask_agent(&["--json", "status"]).await;
        let status: Value = serde_json::from_str(&said).unwrap_or_default();
        status["waiting_batches"].as_u64().unwrap_or_default()
    }

    fn tell_cloud(&self, signal: &str) {
        let id = self.site.cloud.process_id().unwrap().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
    }
}

// proves: R-15, L-24
#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_waits_for_a_stalled_directory_stops_at_once_and_goes_on_later() {
    // given: an agent whose directory sends half a page and then nothing, and which would wait for minutes
    let office = Office::found(300).await;
    office.directory.fault(Fault::InSearch(When::page(1).asking(PEOPLE), Trouble::Stall));
    office.begin_reading().await;
    // Into the stall, which would last a minute. On a machine so busy that it has not begun, the stop comes earlier in the
    // reading, and the rest holds as well.
    tokio::time::sleep(Duration::from_secs(2)).await;

    // when
    office.site.stop_quickly().await;

    // then: nothing half is believed, and the next start reads them all
    assert!(office.site.customer.picture().await.unwrap().active.is_empty());
    office.directory.heal();
    office.site.start().await;
    office.everybody_arrives_once().await;
}

// proves: R-15
#[tokio::test(flavor = "multi_thread")]
async fn a_service_stops_while_it_writes_twenty_thousand_people_and_while_it_sends_them() {
    // given: a directory of twenty thousand that is just read whole, and nothing of it has left
    let office = Office::found(20_000).await;
    let stopper = Stopper::prepare(&office.site).await;
    let read_before = office.directory.tally().unbinds;
    office.begin_reading().await;
    office.until("nobody was read", || office.directory.tally().unbinds > read_before).await;

    // when: it is stopped while it compares, packs, signs and writes
    let took = stopper.stop().await;

    // then: what was written is whole or never was
    println!("stopped while writing after {took:?}\n{}", office.site.log());
    assert!(took < Duration::from_secs(5), "{took:?}");
    assert!(office.site.customer.picture().await.unwrap().active.is_empty());

    // when: it is stopped while a batch is on its way to a cloud that does not answer
    office.tell_cloud("-STOP");
    office.site.start().await;
    let deadline = Instant::now() + Duration::from_mins(4);
    while office.waiting_batches().await == 0 {
        assert!(Instant::now() < deadline, "nothing to send\n{}", office.site.log());
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let took = office.site.stop_quickly().await;
    println!("stopped while sending after {took:?}");

    // then: everybody is there once after the next start
    office.tell_cloud("-CONT");
    office.site.start().await;
    office.everybody_arrives_once().await;
}

/// Whom a reading has found stands in clear in a file of its own.
// proves: R-15
#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_is_killed_while_it_reads_leaves_nobody_on_the_disk() {
    // given: a reading that has found thousands, and stands still
    let office = Office::found(4_000).await;
    let [drafts, table] = ["reading.drafts", "reading.sqlite"].map(|name| office.site.wine.at(HOME).join(name));
    office.directory.fault(Fault::InSearch(When::page(3).asking(PEOPLE), Trouble::Stall));
    office.begin_reading().await;
    office.until("nothing was kept", || fs::metadata(&drafts).is_ok_and(|file| file.len() > 0)).await;

    // when
    let done = office.site.wine.run(&["taskkill", "/F", "/IM", "rollcall-agent.exe"]).await.unwrap();
    assert_eq!(done.code, Some(0), "{}{}", done.stdout, done.stderr);

    // then: the people went with the process; the table, which knows no names, goes with the next start
    office.until("the drafts stayed", || !drafts.exists()).await;
    office.directory.heal();
    // Wine's service manager believes that a killed service runs, so the next start is one by hand.
    let log = office.site.wine.at("run.log");
    let _agent = office.site.wine.start(&[&format!(r"C:\{EXE}"), "run"], &log).unwrap();
    office.everybody_arrives_once().await;
    office.until("the table stayed", || !table.exists() && !drafts.exists()).await;
}
