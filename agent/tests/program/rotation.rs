//! The agent's key changes on demand, and whenever it is interrupted a working key is on the disk.

use rollcall_protocol::desired::Order;
use rollcall_protocol::key::{PrivateKey, PublicKey};

use crate::cloud::HangUp;
use crate::home::Home;

async fn synced() -> Home {
    let home = Home::enrolled(40).await;
    let (exit, said) = home.agent_json(&["sync"]).await;
    assert_eq!(exit, 0, "{said}");
    home
}

/// What lies in the identity file under a name.
fn of_identity(home: &Home, field: &str) -> Option<String> {
    let text = std::fs::read_to_string(home.path("data/identity.json")).unwrap();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    json[field].as_str().map(str::to_owned)
}

#[tokio::test]
async fn a_key_is_changed_on_demand_without_a_failed_sync() {
    let home = synced().await;
    let before = (home.cloud.books(|books| books.key()), of_identity(&home, "key"));
    let _service = home.start(&["run"]);

    let order = home.cloud.order(Order::RotateKey);
    home.cloud
        .until("the rotation is told as done", |books| books.checkins.iter().any(|said| said.done.contains(&order)))
        .await;
    home.cloud.order(Order::SyncNow);
    home.cloud.until("a batch by the new key", |books| books.key() != before.0).await;

    assert_ne!(of_identity(&home, "key"), before.1);
    assert_eq!(of_identity(&home, "next_key"), None);
    assert_eq!(home.cloud.books(|books| books.rotations), 1);
    let told = home.cloud.books(|books| books.checkins.iter().any(|said| !said.status.problems.is_empty()));
    assert!(!told, "{}", home.log());
}

#[tokio::test]
async fn a_rotation_that_is_killed_at_any_step_keeps_a_working_key_and_is_ended_later() {
    for step in [HangUp::Before, HangUp::After] {
        let home = synced().await;
        let before = (home.cloud.books(|books| books.key()), of_identity(&home, "key"));
        home.cloud.books(|books| books.hang_up_on_rotation = Some(step));
        home.cloud.order(Order::RotateKey);
        let mut service = home.start(&["run"]);
        home.cloud.until("the rotation is asked for", |books| books.hang_up_on_rotation.is_none()).await;
        service.start_kill().unwrap();
        service.wait().await.unwrap();
        assert_eq!(of_identity(&home, "key"), before.1, "the old key stays until the new one is known");
        let next = of_identity(&home, "next_key");
        assert!(next.is_some());

        // The old key still works from the command line, whether the cloud knows the new one or not.
        let (exit, said) = home.agent_json(&["sync"]).await;
        assert_eq!(exit, 0, "{said}");

        let _service = home.start(&["run"]);
        home.cloud.order(Order::SyncNow);
        home.cloud.until("a batch by the new key", |books| books.key() != before.0).await;
        assert_eq!(of_identity(&home, "key"), next, "the same new key, proposed once");
        assert_eq!(home.seen(), home.expected());
    }
}

#[tokio::test]
async fn a_key_that_is_known_and_not_yet_in_the_file_is_asked_for_again_and_taken() {
    let home = synced().await;
    let _ = home.agent(&["sync"]).await;
    let mut service = home.start(&["run"]);
    home.cloud.order(Order::RotateKey);
    home.cloud.until("the rotation", |books| books.rotations == 1).await;
    service.start_kill().unwrap();
    service.wait().await.unwrap();

    let _service = home.start(&["run"]);
    home.cloud.order(Order::SyncNow);

    let cycles = home.cloud.books(|books| books.cycles.len());
    home.cloud.until("a further cycle", |books| books.cycles.len() > cycles).await;
    assert_eq!(home.seen(), home.expected());
}

/// The agent signs with a new key, and the cloud has seen a batch by it.
async fn rotated() -> (Home, tokio::process::Child, PublicKey) {
    let home = synced().await;
    let before = home.cloud.books(|books| books.known_key());
    let service = home.start(&["run"]);
    home.cloud.order(Order::RotateKey);
    home.cloud.until("the rotation", |books| books.rotations == 1).await;
    home.cloud.order(Order::SyncNow);
    home.cloud.until("a batch by the new key", |books| books.key() != before.id()).await;
    (home, service, before)
}

#[tokio::test]
async fn a_cloud_restored_from_before_the_change_learns_the_key_again_without_a_token() {
    let (home, _service, before) = rotated().await;
    let key = of_identity(&home, "key");

    home.cloud.books(|books| books.restore_key(before.clone()));
    home.cloud.order(Order::SyncNow);

    home.cloud.until("the new key vouched for", |books| books.rotations == 2).await;
    home.cloud.until("a batch by it", |books| books.key() != before.id()).await;
    assert_eq!(of_identity(&home, "key"), key, "the same new key");
    assert_eq!(home.seen(), home.expected());
}

#[tokio::test]
async fn a_key_that_nothing_can_vouch_for_is_told_with_the_way_out() {
    let (home, mut service, _) = rotated().await;
    service.start_kill().unwrap();
    service.wait().await.unwrap();
    home.cloud.books(|books| books.restore_key(PrivateKey::from_seed(&[77; 32]).public()));

    let (_, with) = home.agent_json(&["check"]).await;
    std::fs::remove_file(home.path("data/previous-key.json")).unwrap();
    let (_, without) = home.agent_json(&["check"]).await;

    for (said, story) in [(with, "vouch for this one"), (without, "no earlier key is kept")] {
        let said = said.to_string();
        assert!(said.contains("RC-3104") && said.contains(story), "{said}");
    }
}
