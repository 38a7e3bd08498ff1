//! Two copies of one agent, and what looks like two but is one.

#![expect(clippy::unwrap_used, reason = "a test fails loudly")]

use rollcall_e2e::{Customer, ScriptedScope};
use rollcall_lab::directory::{Directory, NewPerson, Plan, Setup};
use rollcall_lab::world::{Agent, AgentSetup, Binding, Cloud, CloudSetup};
use serde_json::{Value, json};
use std::time::Duration;

struct Town {
    directory: Directory,
    customer: Customer,
    scope: ScriptedScope,
    setup: AgentSetup,
    cloud: Cloud,
    _folder: tempfile::TempDir,
}

impl Town {
    async fn found() -> Self {
        let directory = Directory::start(&Plan::new(60, 5), Setup::default()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let binding = Binding::to_directory(&directory, &folder.path().join("ca.pem")).unwrap();
        let cloud = Cloud::start(&CloudSetup::default()).await.unwrap();
        let setup = AgentSetup::new(binding);
        let customer = Customer::install(&cloud, "Harbour Dental", &setup).await.unwrap();
        customer.sync().await.unwrap();
        let scope = ScriptedScope { ous: vec![directory.at("OU=Staff").unwrap()], groups: Vec::new() };
        customer.import("Staff", &[("ou", scope.ous[0])], &[]).await.unwrap();
        customer.sync().await.unwrap();
        Self { directory, customer, scope, setup, cloud, _folder: folder }
    }

    fn hire(&self, name: &str) {
        let person = NewPerson {
            given_name: "New".into(),
            surname: name.into(),
            account_name: name.into(),
            mail: Some(format!("{name}@lab.example")),
        };
        self.directory.add_person(self.scope.ous[0], &person).unwrap();
    }

    async fn agent_row(&self) -> Value {
        let agents = self.customer.api.list(&format!("/customers/{}/agents", self.customer.id)).await.unwrap();
        agents.last().unwrap().clone()
    }

    async fn differences(&self) -> Vec<String> {
        self.customer.picture().await.unwrap().differences(&self.scope.people(&self.directory))
    }
}

/// Exit status and code of a sync.
async fn sync(agent: &Agent) -> (Option<i32>, String) {
    let done = agent.sync().await.unwrap();
    let said: Value = serde_json::from_str(&done.stdout).unwrap_or_default();
    (done.code, said["problem"]["code"].as_str().unwrap_or_default().to_owned())
}

// proves: R-13, M-47
#[tokio::test(flavor = "multi_thread")]
async fn a_cloned_machine_is_found_at_its_first_batch_and_both_copies_stop() {
    let mut town = Town::found().await;
    let clone = town.customer.agent.copy(&town.setup).unwrap();
    town.hire("ahead");
    town.customer.sync().await.unwrap();
    let before = town.customer.picture().await.unwrap();
    town.hire("meanwhile");

    assert_eq!(sync(&clone).await, (Some(1), "RC-3103".to_owned()));
    assert_eq!(sync(&town.customer.agent).await, (Some(1), "RC-3103".to_owned()));

    assert_eq!(town.agent_row().await["state"], "quarantined");
    assert_eq!(town.customer.picture().await.unwrap().ids, before.ids, "nothing of the second copy was applied");

    // As a service it neither reads nor ends.
    let connections = town.directory.tally().connections;
    town.customer.agent.run().unwrap();
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(town.customer.agent.is_running());
    assert_eq!(town.directory.tally().connections, connections);
    town.customer.agent.stop(Duration::from_secs(5)).await.unwrap();

    // The MSP retires it: both copies forget what they know, and only a new token makes an agent again.
    let id = town.agent_row().await["id"].as_str().unwrap().to_owned();
    town.customer.api.post(&format!("/agents/{id}/revoke"), &json!({})).await.unwrap();
    for copy in [&town.customer.agent, &clone] {
        assert_eq!(sync(copy).await.0, Some(3));
        assert!(!copy.folder().join("data/identity.json").exists());
    }
    let token = town.customer.token().await.unwrap();
    assert_eq!(town.customer.agent.enrol(&token).await.unwrap().code, Some(0));
    assert_eq!(clone.enrol(&token).await.unwrap().code, Some(1), "one token, one agent");
    town.customer.sync().await.unwrap();
    town.customer.sync().await.unwrap();
    assert_eq!(town.differences().await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_machine_goes_on_when_the_operator_says_so() {
    let town = Town::found().await;
    let snapshot = town.customer.agent.copy(&town.setup).unwrap();
    town.hire("after-the-snapshot");
    town.customer.sync().await.unwrap();
    town.hire("after-the-restore");
    // Only the restored machine runs from here on; from outside it cannot be told from a clone.
    assert_eq!(sync(&snapshot).await, (Some(1), "RC-3103".to_owned()));
    let id = town.agent_row().await["id"].as_str().unwrap().to_owned();

    town.customer.api.post(&format!("/agents/{id}/release"), &json!({})).await.unwrap();

    // The first says that its place is gone, the next begins the new epoch.
    sync(&snapshot).await;
    assert_eq!(sync(&snapshot).await.0, Some(0));
    let settled = async || Ok(town.differences().await.is_empty().then_some(()));
    town.customer.until("everybody", settled).await.unwrap();
    assert_eq!(town.agent_row().await["state"], "active");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spool_from_a_backup_and_a_lost_data_file_are_no_clones() {
    let mut town = Town::found().await;
    let spool = town.customer.agent.folder().join("data/spool.sqlite");
    let backup = std::fs::read(&spool).unwrap();
    for lost in [false, true] {
        town.hire(if lost { "before-the-loss" } else { "before-the-restore" });
        town.customer.sync().await.unwrap();
        if lost {
            std::fs::remove_file(&spool).unwrap();
        } else {
            std::fs::write(&spool, &backup).unwrap();
        }
        town.hire(if lost { "after-the-loss" } else { "after-the-restore" });

        assert_eq!(sync(&town.customer.agent).await.0, Some(0));

        let settled = async || Ok(town.differences().await.is_empty().then_some(()));
        town.customer.until("everybody", settled).await.unwrap();
        assert_eq!(town.agent_row().await["state"], "active");
    }
    town.cloud.stop(Duration::from_secs(10)).await.unwrap();
}
