//! Pause, resume and sync now reach a running agent within about a second.

use rollcall_e2e::{Customer, ScriptedScope};
use rollcall_lab::directory::{Directory, Plan, Setup};
use rollcall_lab::world::{AgentSetup, Binding, Cloud, CloudSetup};
use serde_json::json;
use std::time::{Duration, Instant};

// proves: Quickpass-4, Issuetrak-19
#[tokio::test(flavor = "multi_thread")]
async fn sync_now_pause_and_resume_reach_a_running_agent_at_once() {
    let directory = Directory::start(&Plan::new(60, 2), Setup::default()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let binding = Binding::to_directory(&directory, &folder.path().join("ca.pem")).unwrap();
    let cloud = Cloud::start(&CloudSetup::default()).await.unwrap();
    let setup = AgentSetup::new(binding);
    let mut customer = Customer::install(&cloud, "Alder & Finch", &setup).await.unwrap();
    customer.agent.run().unwrap();
    customer.directory().await.unwrap();
    let staff = directory.at("OU=Staff").unwrap();
    customer.import("Staff", &[("ou", staff)], &[]).await.unwrap();
    let scope = ScriptedScope { ous: vec![staff], groups: Vec::new() };
    let expected = scope.people(&directory);
    let arrived = async || Ok((customer.picture().await?.active.len() == expected.len()).then_some(()));
    customer.until("the first sync", arrived).await.unwrap();

    for _ in 0..5 {
        let searches = directory.tally().searches;
        let started = Instant::now();
        customer.api.post(&format!("/customers/{}/sync", customer.id), &json!({})).await.unwrap();
        while directory.tally().searches == searches {
            assert!(started.elapsed() < Duration::from_secs(10), "sync now did not arrive:\n{}", customer.agent.said());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert!(started.elapsed() < Duration::from_secs(3), "sync now took {:?}", started.elapsed());
        tokio::time::sleep(Duration::from_secs(1)).await;
    }

    let pause = json!({"reason": "moving offices"});
    customer.api.post(&format!("/customers/{}/pause", customer.id), &pause).await.unwrap();
    tokio::time::sleep(Duration::from_secs(3)).await;
    let tally = directory.tally();
    customer.api.post(&format!("/customers/{}/sync", customer.id), &json!({})).await.ok();
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(directory.tally().connections, tally.connections, "a paused agent only checks in");

    customer.api.post(&format!("/customers/{}/resume", customer.id), &json!({})).await.unwrap();
    customer.api.post(&format!("/customers/{}/sync", customer.id), &json!({})).await.unwrap();
    let reading = async || Ok((directory.tally().connections > tally.connections).then_some(()));
    customer.until("reading after resume", reading).await.unwrap();

    customer.agent.stop(Duration::from_secs(5)).await.unwrap();
}
