//! Which domain controller is read, and what a change of it means for those who seem to have left.

use std::net::Ipv4Addr;
use std::sync::Arc;

use rollcall_agent::clock::Chance;
use rollcall_agent::cycle::CycleError;
use rollcall_agent::diagnostic::Diagnostic;
use rollcall_agent::directory::controllers::{self, Controllers};
use rollcall_agent::directory::names::NameServer;
use rollcall_lab::directory::{Directory, Fault, Plan, Setup, Trouble, When};
use rollcall_lab::dns::Dns;
use rollcall_protocol::batch::CycleKind;

use crate::site::Site;

const DOMAIN: &str = "lab.example";

/// A domain with two controllers that DNS lists; the first has the lower priority number and is the one to try first.
struct Pair {
    site: Site,
    second: Directory,
    dns: Dns,
}

impl Pair {
    fn new(users: usize) -> Self {
        let mut site = Site::new(users);
        let address = Ipv4Addr::new(127, 0, 1, 2);
        // One port for all, as in every domain; only the addresses differ.
        let setup = Setup { address: address.into(), ldaps_port: site.directory.ldaps().port(), ..Setup::default() };
        let second = site.directory.second_controller("dc2", setup).unwrap();
        let dns = Dns::start().unwrap();
        dns.add_controller(DOMAIN, &second.host_name(), address, 10, 100);
        dns.add_controller(DOMAIN, &site.directory.host_name(), Ipv4Addr::LOCALHOST, 0, 100);
        site.access.controllers =
            Controllers { hosts: Vec::new(), domain: Some(DOMAIN.into()), names: NameServer::At(dns.address()) };
        site.access.target.address = None;
        site.select_ous(&["Staff"]);
        Self { site, second, dns }
    }

    fn read_by(&self) -> String {
        self.site.cloud.last.as_ref().unwrap().link.cycle.dc.dns_name.clone()
    }
}

#[tokio::test]
async fn dns_names_the_controllers_and_the_lowest_priority_is_read() {
    let mut pair = Pair::new(60);

    pair.site.sync().await.unwrap();

    assert_eq!(pair.read_by(), "dc1.lab.example");
    assert_eq!(pair.site.seen(), pair.site.expected());
    assert_eq!(pair.second.tally().binds, 0);
}

// proves: M-4
#[tokio::test]
async fn when_a_controller_is_gone_the_next_one_is_read_and_nobody_leaves_in_that_cycle() {
    let Pair { mut site, second, dns } = Pair::new(120);
    site.sync().await.unwrap();
    let leaving = *site.seen().keys().next().unwrap();
    second.move_to(leaving, site.ou("Contractors")).unwrap();
    site.directory = second;

    let first = site.sync().await.unwrap();
    let kind = first.kind;
    let second = site.sync().await.unwrap();

    assert_eq!((first.counts.departed, first.counts.awaiting), (0, 1));
    assert_eq!(kind, CycleKind::Full, "after a change of controller everybody is sent");
    assert_eq!((second.counts.departed, second.counts.awaiting), (1, 0));
    assert_eq!(site.seen(), site.expected());
    drop(dns);
}

#[tokio::test]
async fn the_controller_of_the_last_cycle_is_kept_when_the_first_one_is_back() {
    let mut pair = Pair::new(40);
    pair.site.directory.fault(Fault::Silence);
    pair.site.sync().await.unwrap();
    assert_eq!(pair.read_by(), "dc2.lab.example");
    pair.site.directory.heal();

    pair.site.sync().await.unwrap();

    assert_eq!(pair.read_by(), "dc2.lab.example");
}

// proves: M-4
#[tokio::test]
async fn a_controller_that_signs_in_well_and_breaks_off_is_not_tried_first_again() {
    let Pair { mut site, second, dns } = Pair::new(120);
    site.sync().await.unwrap();
    let leaving = *site.seen().keys().next().unwrap();
    second.move_to(leaving, site.ou("Contractors")).unwrap();
    site.directory.fault(Fault::InSearch(When::page(1).asking("805306368"), Trouble::Cut));

    let broken = site.sync().await;
    let told = site.spool.state().unwrap().broken;
    let before = second.tally().binds;
    site.directory.heal();
    let first = site.sync().await.unwrap();

    assert!(matches!(broken, Err(CycleError::Incomplete(_))), "{broken:?}");
    assert_eq!(before, 0, "a reading that was begun is not ended by another controller");
    assert_eq!(told.lately(site.clock.now()).len(), 1);
    assert_eq!(site.cloud.last.as_ref().unwrap().link.cycle.dc.dns_name, "dc2.lab.example");
    assert_eq!(
        (first.counts.departed, first.counts.awaiting),
        (0, 1),
        "another controller: nobody leaves in this cycle"
    );
    site.directory = second;
    site.sync().await.unwrap();
    assert_eq!(site.seen(), site.expected());
    drop(dns);
}

#[tokio::test]
async fn without_dns_the_controller_of_the_last_cycle_is_still_tried() {
    let mut site = Site::synced(40, &["Staff"]).await;
    let dns = Dns::start().unwrap();
    dns.fall_silent();
    site.access.controllers =
        Controllers { hosts: Vec::new(), domain: Some(DOMAIN.into()), names: NameServer::At(dns.address()) };

    let read = site.sync().await.unwrap();

    assert_eq!(read.counts.departed, 0);
}

#[tokio::test]
async fn a_domain_that_dns_does_not_know_is_told_as_such() {
    let mut pair = Pair::new(20);
    pair.site.access.controllers.domain = Some("nowhere.example".into());

    let error = pair.site.sync().await.unwrap_err();

    assert_eq!(Diagnostic::from(&error).fault.code, "RC-2101", "{error}");
    drop(pair.dns);
}

/// A machine outside the domain, with a certificate that the agent trusts, which DNS names before all others.
fn forge(pair: &Pair) -> Directory {
    let address = Ipv4Addr::new(127, 0, 1, 3);
    let setup = Setup {
        address: address.into(),
        ldaps_port: pair.site.directory.ldaps().port(),
        authority: Some(Arc::clone(pair.site.directory.authority())),
        ..Setup::default()
    };
    let forged = Directory::start(&Plan::new(20, 7).named("attacker.example"), setup).unwrap();
    pair.dns.add_controller(DOMAIN, &forged.host_name(), address, 0, 60_000);
    forged
}

// proves: M-4
#[tokio::test]
async fn a_controller_outside_the_domain_that_dns_names_gets_neither_password_nor_connection() {
    let mut pair = Pair::new(60);
    let forged = forge(&pair);

    for _ in 0..3 {
        pair.site.sync().await.unwrap();
    }

    assert_eq!((pair.read_by().as_str(), forged.tally().connections), ("dc1.lab.example", 0));
}

#[tokio::test]
async fn where_dns_names_nobody_of_the_domain_the_reason_is_told() {
    let Pair { mut site, second, dns: _ } = Pair::new(20);
    let dns = Dns::start().unwrap();
    site.access.controllers.names = NameServer::At(dns.address());
    let pair = Pair { site, second, dns };
    let forged = forge(&pair);
    let mut site = pair.site;

    let error = site.sync().await.unwrap_err();

    assert_eq!(Diagnostic::from(&error).fault.code, "RC-2112", "{error}");
    assert_eq!(forged.tally().connections, 0);
    drop((pair.dns, pair.second));
}

#[tokio::test]
async fn a_controller_outside_the_domain_is_read_where_the_file_names_it() {
    let mut pair = Pair::new(20);
    pair.site.access.controllers.domain = Some("corp.example".into());
    pair.dns.add_controller("corp.example", "dc1.lab.example", Ipv4Addr::LOCALHOST, 0, 1);
    pair.site.access.controllers.hosts = vec!["dc1.lab.example".into()];

    pair.site.sync().await.unwrap();

    assert_eq!(pair.read_by(), "dc1.lab.example");
}

#[tokio::test]
async fn a_password_that_one_controller_refuses_is_not_tried_on_another() {
    let mut pair = Pair::new(20);
    pair.site.use_password("wrong");

    let error: CycleError = pair.site.sync().await.unwrap_err();

    assert_eq!(Diagnostic::from(&error).fault.code, "RC-2201");
    assert_eq!((pair.site.directory.tally().binds, pair.second.tally().binds), (1, 0));
}

#[tokio::test]
async fn a_look_from_the_command_line_settles_on_a_controller_that_answers() {
    let Pair { mut site, second, dns } = Pair::new(20);
    let before = controllers::settle(&site.access, &Chance::seeded(1)).await.unwrap();
    site.directory = second;

    let after = controllers::settle(&site.access, &Chance::seeded(1)).await.unwrap();

    assert_eq!([before.target.host, after.target.host], ["dc1.lab.example", "dc2.lab.example"]);
    drop(dns);
}

#[tokio::test]
async fn named_controllers_are_tried_in_their_order() {
    let mut pair = Pair::new(20);
    pair.site.access.controllers = Controllers {
        hosts: vec![pair.second.host_name(), pair.site.directory.host_name()],
        domain: None,
        names: NameServer::At(pair.dns.address()),
    };

    pair.site.sync().await.unwrap();

    assert_eq!(pair.read_by(), "dc2.lab.example");
}
