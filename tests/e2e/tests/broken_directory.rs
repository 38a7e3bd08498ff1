//! A directory fails in every way a directory fails. Each reading ends in bounded time, says why, and removes nobody.

#![expect(clippy::unwrap_used, reason = "a test fails loudly")]

use rollcall_e2e::{Customer, Picture, ScriptedScope};
use rollcall_lab::directory::{Code, Directory, Fault, GroupKind, NewPerson, Plan, Setup, Trouble, When};
use rollcall_lab::world::{AgentSetup, Binding, Cloud, CloudSetup};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// Every wait of the agent has an end; this is the test's own, well beyond them.
const BOUND: Duration = Duration::from_mins(2);

struct Town {
    directory: Directory,
    customer: Customer,
    scope: ScriptedScope,
    _cloud: Cloud,
    _folder: tempfile::TempDir,
}

impl Town {
    /// Everybody is synced once; from here on only faults change anything.
    async fn settled(people: usize) -> Self {
        let directory = Directory::start(&Plan::new(people, 3), Setup::default()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let cloud = Cloud::start(&CloudSetup::default()).await.unwrap();
        let setup = AgentSetup::new(Binding::to_directory(&directory, &folder.path().join("ca.pem")).unwrap());
        let customer = Customer::install(&cloud, "Brightwater Dental", &setup).await.unwrap();
        customer.sync().await.unwrap();
        let scope = ScriptedScope { ous: vec![directory.at("OU=Staff").unwrap()], groups: Vec::new() };
        customer.import("Staff", &[("ou", scope.ous[0])], &[]).await.unwrap();
        let town = Self { directory, customer, scope, _cloud: cloud, _folder: folder };
        town.sync().await;
        town
    }

    async fn sync(&self) -> Picture {
        self.customer.sync().await.unwrap();
        let picture = self.customer.picture().await.unwrap();
        assert_eq!(picture.differences(&self.scope.people(&self.directory)), Vec::<String>::new());
        picture
    }

    /// A reading under a fault: it fails with the code, in time, and the cloud's picture stays as it was.
    async fn fails(&self, fault: Fault, code: &str) {
        let before = self.customer.picture().await.unwrap();
        let name = format!("{fault:?}");
        self.directory.fault(fault);
        let started = Instant::now();
        let said = self.customer.sync_fails().await.unwrap_or_else(|missing| panic!("{name}: {missing}"));
        assert!(started.elapsed() < BOUND, "{name} took {:?}", started.elapsed());
        assert!(said.contains(code), "{name} should say {code}, said:\n{said}");
        self.directory.heal();
        assert_eq!(self.customer.picture().await.unwrap(), before, "{name} changed something");
    }
}

fn people_page(page: u32) -> When {
    When::page(page).asking("805306368")
}

// proves: L-1, L-4, L-5, R-3, L-21
#[tokio::test(flavor = "multi_thread")]
async fn a_reading_that_does_not_end_well_removes_nobody() {
    let town = Town::settled(2_600).await;
    town.fails(Fault::InSearch(people_page(2), Trouble::Cut), "RC-2303").await;
    town.fails(Fault::InSearch(people_page(2), Trouble::Close), "RC-2303").await;
    for code in [Code::SIZE_LIMIT, Code::ADMIN_LIMIT, Code::CRITICAL_EXTENSION, Code::BUSY] {
        town.fails(Fault::InSearch(people_page(2), Trouble::Result(code)), "RC-2303").await;
    }
    town.fails(Fault::InSearch(people_page(2), Trouble::Referral), "RC-2301").await;
    town.fails(Fault::InSearch(people_page(2), Trouble::Notice), "RC-2303").await;
    town.sync().await;
    assert_eq!(town.directory.tally().writes, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hostile_server_neither_ends_nor_holds_up_the_agent() {
    let town = Town::settled(1_300).await;
    town.fails(Fault::InSearch(people_page(1), Trouble::NestedSequences(200_000)), "RC-2308").await;
    town.fails(Fault::InSearch(people_page(1), Trouble::MalformedEntry), "RC-2308").await;
    town.fails(Fault::InSearch(people_page(1), Trouble::OversizeLength), "RC-2308").await;
    town.fails(Fault::InSearch(people_page(2), Trouble::Stall), "RC-2303").await;
    town.fails(Fault::Silence, "RC-2109").await;
    town.fails(Fault::StallBinds, "RC-2109").await;
    town.sync().await;
}

// proves: M-8
#[tokio::test(flavor = "multi_thread")]
async fn groups_beyond_the_range_limit_are_complete() {
    let directory = Directory::start(&Plan::new(10, 5), Setup::default()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let place = directory.add_ou(directory.at("OU=Contractors").unwrap(), "Crowd").unwrap();
    let mut scope = ScriptedScope::default();
    for size in [1_499, 1_500, 1_501, 4_501] {
        let group = directory.add_group(place, &format!("Group of {size}"), GroupKind::GlobalSecurity).unwrap();
        for number in 0..size {
            join_newcomer(&directory, place, group, size, number);
        }
        scope.groups.push(group);
    }
    directory.clamp_pages(100);
    let cloud = Cloud::start(&CloudSetup::default()).await.unwrap();
    let setup = AgentSetup::new(Binding::to_directory(&directory, &folder.path().join("ca.pem")).unwrap());
    let customer = Customer::install(&cloud, "Corvus Logistics", &setup).await.unwrap();
    customer.sync().await.unwrap();
    let include: Vec<(&str, Uuid)> = scope.groups.iter().map(|group| ("group", *group)).collect();
    customer.import("Crowd", &include, &[]).await.unwrap();
    let run = customer.sync().await.unwrap();
    assert_eq!(run["counts"]["people"].as_u64(), Some(1_499 + 1_500 + 1_501 + 4_501));
    let differences = customer.picture().await.unwrap().differences(&scope.people(&directory));
    assert_eq!(differences, Vec::<String>::new());
}

fn join_newcomer(directory: &Directory, place: Uuid, group: Uuid, size: u32, number: u32) {
    let account_name = format!("p{size}-{number}");
    let person = NewPerson {
        given_name: "P".into(),
        surname: account_name.clone(),
        mail: Some(format!("{account_name}@crowd.example")),
        account_name,
    };
    let guid = directory.add_person(place, &person).unwrap();
    directory.join(guid, group).unwrap();
}

// proves: L-6
#[tokio::test(flavor = "multi_thread")]
async fn a_crowd_that_leaves_waits_for_a_human_while_newcomers_arrive() {
    let town = Town::settled(200).await;
    // An empty place, where nobody's name is taken.
    let elsewhere = town.directory.add_ou(town.directory.at("OU=Contractors").unwrap(), "Elsewhere").unwrap();
    let before = town.scope.people(&town.directory);
    // Two of one name cannot lie in one place; whoever comes second stays.
    let movers = before.keys().copied().filter(|guid| town.directory.move_to(*guid, elsewhere).is_ok());
    let leaving: Vec<Uuid> = movers.take(before.len() / 5).collect();
    let staff = town.scope.ous[0];
    let newcomer =
        NewPerson { given_name: "Zoe".into(), surname: "Zander".into(), account_name: "zoe".into(), mail: None };
    let zoe = town.directory.add_person(staff, &newcomer).unwrap();
    let run = town.customer.sync().await.unwrap();
    assert_eq!(run["counts"]["held"].as_u64(), Some(leaving.len() as u64));
    let picture = town.customer.picture().await.unwrap();
    assert!(picture.departed.is_empty(), "nobody is removed without a human");
    assert!(picture.active.contains_key(&zoe), "newcomers do not wait");
    assert_eq!(picture.held.keys().copied().collect::<Vec<_>>(), leaving);

    town.directory.move_to(leaving[0], staff).unwrap();
    town.customer.sync().await.unwrap();
    let picture = town.customer.picture().await.unwrap();
    assert!(!picture.held.contains_key(&leaving[0]), "read again, they come off the list by themselves");
}
