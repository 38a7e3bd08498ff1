//! An agent updates itself to the next version, whatever kills it on the way, and goes back from versions that fail.

use rollcall_e2e::Customer;
use rollcall_lab::directory::{Directory, Plan, Setup};
use rollcall_lab::world::{AgentSetup, Binding, Cloud, CloudSetup, find};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// The makers: their public test keys, and the folder in which they publish.
struct Makers {
    releases: tempfile::TempDir,
}

impl Makers {
    fn new() -> Self {
        let releases = tempfile::tempdir().unwrap();
        std::fs::copy(keys().join("1.root.json"), releases.path().join("1.root.json")).unwrap();
        Self { releases }
    }

    fn publish(&self, version: &str, program: &[u8]) {
        let exe = self.releases.path().join("made");
        std::fs::write(&exe, program).unwrap();
        let mut command = Command::new(find("xtask").unwrap());
        command.args(["release", "publish", "--version", version, "--releases"]).arg(self.releases.path());
        let done = command.arg("--keys").arg(keys()).arg("--exe").arg(&exe).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }
}

fn keys() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/testdata/update")
}

/// The real agent, stamped with another version.
fn stamped(version: &str) -> Vec<u8> {
    let mut program = std::fs::read(find("rollcall-agent").unwrap()).unwrap();
    let own = concat!("rollcall-agent-version:", env!("CARGO_PKG_VERSION"), "\0").as_bytes();
    let other = format!("rollcall-agent-version:{version}\0").into_bytes();
    assert_eq!(own.len(), other.len());
    let places: Vec<usize> =
        program.windows(own.len()).enumerate().filter(|(_, bytes)| *bytes == own).map(|(at, _)| at).collect();
    assert!(!places.is_empty(), "the agent carries no stamp");
    for at in places {
        program[at..at + own.len()].copy_from_slice(&other);
    }
    program
}

const PATIENCE: Duration = Duration::from_mins(5);

/// What the cloud says of the one agent, once `is_so`. A sync now shortens the wait for the next check-in.
async fn until(customer: &mut Customer, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    let deadline = Instant::now() + PATIENCE;
    loop {
        customer.api.post(&format!("/customers/{}/sync", customer.id), &json!({})).await.ok();
        let agents = customer.api.list(&format!("/customers/{}/agents", customer.id)).await.unwrap();
        let id = agents[0]["id"].as_str().unwrap().to_owned();
        let agent = customer.api.get(&format!("/agents/{id}")).await.unwrap();
        if is_so(&agent) {
            return agent;
        }
        assert!(Instant::now() < deadline, "{what}: {agent}\n{}", customer.agent.said());
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
}

async fn rollout(customer: &Customer, version: &str) -> Value {
    let updates = customer.api.get("/updates").await.unwrap();
    let found = updates["rollouts"].as_array().unwrap().iter().find(|rollout| rollout["version"] == version).cloned();
    found.unwrap_or_default()
}

// proves: R-15
#[tokio::test(flavor = "multi_thread")]
async fn an_agent_updates_itself_and_goes_back_from_versions_that_fail() {
    let directory = Directory::start(&Plan::new(20, 1), Setup::default()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let binding = Binding::to_directory(&directory, &folder.path().join("ca.pem")).unwrap();
    let makers = Makers::new();
    makers.publish("0.2.0", &stamped("0.2.0"));
    let releases = Some(makers.releases.path().to_path_buf());
    let cloud = Cloud::start(&CloudSetup { releases, ..CloudSetup::default() }).await.unwrap();
    let setup = AgentSetup { extra: "[update]\ntrial_seconds = 20".into(), ..AgentSetup::new(binding) };
    let mut customer: Customer = Customer::install(&cloud, "Alder & Finch", &setup).await.unwrap();

    // Killed without warning at moments of the update, and started again as a service manager would.
    for millis in [700, 1_400, 2_100, 2_800, 900, 3_500] {
        customer.agent.run().unwrap();
        tokio::time::sleep(Duration::from_millis(millis)).await;
        customer.agent.kill().await.unwrap();
    }
    customer.agent.run().unwrap();
    let updated = until(&mut customer, "the update", |agent| agent["version"] == "0.2.0").await;
    assert_eq!(updated["reason"], Value::Null);
    assert_eq!(rollout(&customer, "0.2.0").await["updated"], 1);

    // One that ends at once.
    makers.publish("0.3.0", b"#!/bin/sh\nexit 1\n");
    let back = until(&mut customer, "going back from 0.3.0", |agent| agent["reason"]["code"] == "RC-1050").await;
    assert_eq!(back["version"], "0.2.0");
    let failed = rollout(&customer, "0.3.0").await;
    assert_eq!((&failed["taken_back"], &failed["updated"]), (&json!(1), &json!(0)));

    // One that runs and never reaches the cloud.
    makers.publish("0.4.0", b"#!/bin/sh\nwhile read -r _; do :; done\n");
    let silent = |agent: &Value| agent["reason"]["detail"].as_str().is_some_and(|detail| detail.contains("0.4.0"));
    let back = until(&mut customer, "going back from 0.4.0", silent).await;
    assert_eq!((back["version"].as_str(), back["reason"]["code"].as_str()), (Some("0.2.0"), Some("RC-1050")));
    assert!(back["reason"]["detail"].as_str().unwrap().contains("did not reach the cloud in time"));

    // A good one is taken again, and a stop reaches the version that runs.
    makers.publish("0.5.0", &stamped("0.5.0"));
    let good = until(&mut customer, "the update to 0.5.0", |agent| agent["version"] == "0.5.0").await;
    assert_eq!(good["reason"], Value::Null);
    customer.agent.stop(Duration::from_secs(10)).await.unwrap();
    assert_no_lock(&customer);
}

/// Nothing of the agent is left running: its data folder is free.
fn assert_no_lock(customer: &Customer) {
    let lock = std::fs::File::open(customer.agent.folder().join("data").join("lock")).unwrap();
    assert!(lock.try_lock().is_ok(), "a version outlived its launcher");
}
