//! Agent and cloud are killed without warning at random moments. Nothing that was acknowledged is lost, nothing happens
//! twice, and the picture is right in the end.

#![expect(clippy::unwrap_used, reason = "a test fails loudly")]

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use rollcall_e2e::{Customer, ScriptedScope};
use rollcall_lab::directory::{Directory, NewPerson, Plan, Setup};
use rollcall_lab::world::{AgentSetup, Binding, Cloud, CloudSetup};
use std::time::{Duration, Instant};
use uuid::Uuid;

const SEED: u64 = 20_261_122;
const AGENT_KILLS: u32 = 200;
const CLOUD_KILLS: u32 = 100;

struct Town {
    directory: Directory,
    customer: Customer,
    cloud: Cloud,
    scope: ScriptedScope,
    chance: StdRng,
    joined: u32,
    /// How long an undisturbed sync takes here and now: kills are spread over a little more than that.
    whole_sync: Duration,
    _folder: tempfile::TempDir,
}

impl Town {
    async fn found() -> Self {
        let directory = Directory::start(&Plan::new(120, 11), Setup::default()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let binding = Binding::to_directory(&directory, &folder.path().join("ca.pem")).unwrap();
        let cloud = Cloud::start(&CloudSetup::default()).await.unwrap();
        let setup = AgentSetup::new(binding);
        let customer = Customer::install(&cloud, "Dunmore Legal", &setup).await.unwrap();
        customer.sync().await.unwrap();
        let scope = ScriptedScope { ous: vec![directory.at("OU=Staff").unwrap()], groups: Vec::new() };
        customer.import("Staff", &[("ou", scope.ous[0])], &[]).await.unwrap();
        customer.sync().await.unwrap();
        let started = Instant::now();
        customer.agent.sync().await.unwrap();
        let whole_sync = started.elapsed();
        let chance = StdRng::seed_from_u64(SEED);
        Self { directory, customer, cloud, scope, chance, joined: 0, whole_sync, _folder: folder }
    }

    fn some_moment(&mut self) -> Duration {
        self.whole_sync.mul_f64(self.chance.random_range(0.0..1.2))
    }

    /// One ordinary day of an administrator, compressed: few enough to leave that nothing is ever held.
    fn change_something(&mut self) {
        let people: Vec<Uuid> = self.scope.people(&self.directory).into_keys().collect();
        let somebody = people[self.chance.random_range(0..people.len())];
        match self.chance.random_range(0..6) {
            0 if people.len() > 100 => {
                let outside = self.directory.at("OU=Contractors").unwrap();
                self.directory.move_to(somebody, outside).unwrap();
            }
            1 if people.len() > 100 => self.directory.delete(somebody).unwrap(),
            2 => self.directory.disable(somebody).unwrap(),
            3 => self.directory.enable(somebody).unwrap(),
            _ => self.add_somebody(),
        }
    }

    fn add_somebody(&mut self) {
        self.joined += 1;
        let account_name = format!("late{}", self.joined);
        let mail = Some(format!("{account_name}@lab.example"));
        let person = NewPerson { given_name: "Late".into(), surname: account_name.clone(), account_name, mail };
        self.directory.add_person(self.scope.ous[0], &person).unwrap();
    }

    async fn settle(&self) {
        self.customer.sync().await.unwrap();
        let picture = self.customer.picture().await.unwrap();
        assert_eq!(picture.differences(&self.scope.people(&self.directory)), Vec::<String>::new());
        assert!(picture.held.is_empty());
    }

    /// Every cycle has one run, and every person's history has each change once.
    async fn no_change_stands_twice(&self) {
        let runs = self.customer.runs().await.unwrap();
        let mut cycles: Vec<&str> = runs.iter().filter_map(|run| run["cycle"].as_str()).collect();
        let all = cycles.len();
        cycles.sort_unstable();
        cycles.dedup();
        assert_eq!(cycles.len(), all, "a cycle was applied twice");
        let added: u64 = runs.iter().filter_map(|run| run["counts"]["added"].as_u64()).sum();
        let picture = self.customer.picture().await.unwrap();
        assert_eq!(added, picture.ids.len() as u64, "every person was added once");
        for account in picture.ids.values() {
            self.history_has_each_change_once(account).await;
        }
    }

    async fn history_has_each_change_once(&self, account: &str) {
        let lines = self.customer.api.list(&format!("/accounts/{account}/history")).await.unwrap();
        let count = |change: &str| lines.iter().filter(|line| line["change"] == change).count();
        assert_eq!(count("joined"), 1, "{lines:?}");
        assert!(count("departed") <= count("returned") + 1, "{lines:?}");
        let told: Vec<String> = lines.iter().map(|line| format!("{}{}", line["before"], line["after"])).collect();
        let doubled = told.windows(2).any(|pair| pair[0] == pair[1] && !pair[0].starts_with("null"));
        assert!(!doubled, "a change stands twice: {lines:?}");
    }
}

// proves: Pronestor-6
#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_is_killed_two_hundred_times_loses_and_doubles_nothing() {
    let mut town = Town::found().await;
    let started = Instant::now();
    let mut cut_short = 0;
    for kill in 0..AGENT_KILLS {
        town.change_something();
        let mut sync = town.customer.agent.start(&["sync"]).unwrap();
        tokio::time::sleep(town.some_moment()).await;
        cut_short += u32::from(!sync.has_ended());
        sync.kill().await.unwrap();
        if kill % 20 == 19 {
            town.settle().await;
        }
    }
    town.settle().await;
    town.no_change_stands_twice().await;
    assert!(cut_short > AGENT_KILLS / 4, "only {cut_short} kills hit a sync that was under way");
    println!(
        "seed {SEED}: {AGENT_KILLS} kills of the agent, {cut_short} within a sync, 0 failures, {:?}",
        started.elapsed()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cloud_that_is_killed_a_hundred_times_loses_and_doubles_nothing() {
    let mut town = Town::found().await;
    let started = Instant::now();
    let mut cut_short = 0;
    for kill in 0..CLOUD_KILLS {
        town.change_something();
        let mut sync = town.customer.agent.start(&["sync"]).unwrap();
        tokio::time::sleep(town.some_moment()).await;
        cut_short += u32::from(!sync.has_ended());
        town.cloud.kill().await.unwrap();
        sync.kill().await.unwrap();
        town.cloud.serve().await.unwrap();
        if kill % 20 == 19 {
            town.settle().await;
        }
    }
    town.settle().await;
    town.no_change_stands_twice().await;
    assert!(cut_short > CLOUD_KILLS / 4, "only {cut_short} kills hit a sync that was under way");
    println!(
        "seed {SEED}: {CLOUD_KILLS} kills of the cloud, {cut_short} within a sync, 0 failures, {:?}",
        started.elapsed()
    );
}
