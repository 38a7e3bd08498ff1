//! The cloud is away while the directory changes.

use std::time::Duration;

use crate::home::Home;

/// Starts the service with another list of withheld attributes, which is a reason to read at once, and waits until it
/// has read.
async fn read_while_away(home: &Home, withhold: &str) -> serde_json::Value {
    let (_, before) = home.agent_json(&["status"]).await;
    home.configure(&format!("[privacy]\nwithhold = [{withhold:?}]"));
    let tries = || home.log().matches("a batch waits").count();
    let tries_before = tries();
    let mut service = home.start(&["run"]);
    let mut now = before.clone();
    for _ in 0..600 {
        (_, now) = home.agent_json(&["status"]).await;
        // Killed in the midst of a try to send it, a batch may have arrived and could not be replaced.
        if now["last_cycle"]["cycle"] != before["last_cycle"]["cycle"] && tries() > tries_before {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    service.start_kill().unwrap();
    service.wait().await.unwrap();
    assert_eq!(now["last_cycle"]["outcome"]["is"], "complete", "{now} {}", home.log());
    now
}

#[tokio::test]
async fn a_cloud_that_is_away_for_days_gets_one_reading_and_the_newest() {
    let home = Home::enrolled(120).await;
    let (exit, said) = home.agent_json(&["sync"]).await;
    assert_eq!(exit, 0, "{said}");
    let people: Vec<_> = home.expected().into_iter().collect();
    let contractors = home.directory.at("OU=Contractors").unwrap();
    let staff = home.directory.at("OU=Staff").unwrap();
    home.cloud.go_away().await;

    // Somebody leaves, somebody else leaves and returns, a third leaves last.
    let mut sizes = Vec::new();
    home.directory.move_to(people[0], contractors).unwrap();
    home.directory.move_to(people[1], contractors).unwrap();
    sizes.push(read_while_away(&home, "mobile").await);
    home.directory.move_to(people[1], staff).unwrap();
    sizes.push(read_while_away(&home, "manager").await);
    home.directory.move_to(people[2], contractors).unwrap();
    sizes.push(read_while_away(&home, "mobile").await);

    let bytes: Vec<_> = sizes.iter().map(|status| status["waiting_bytes"].as_u64().unwrap()).collect();
    assert!(bytes[2] < bytes[0] * 2, "what waits does not grow: {bytes:?}");
    assert!(sizes.iter().all(|status| status["waiting_batches"] == sizes[0]["waiting_batches"]), "{sizes:?}");
    home.cloud.come_back().await;
    let _service = home.start(&["run"]);
    let expected = home.expected();
    home.cloud
        .until("the catch-up", |books| {
            books.people.keys().copied().collect::<std::collections::BTreeSet<_>>() == expected
        })
        .await;
    assert_eq!(home.cloud.books(|books| books.cycles.len()), 2, "one cycle before and one after the outage");
    let departed = home.cloud.books(|books| books.departed.clone());
    assert_eq!(departed.len(), 2, "{departed:?}");
    assert!(departed.contains(&people[0]) && departed.contains(&people[2]));
}

#[tokio::test]
async fn a_batch_that_may_have_arrived_is_settled_before_anything_newer() {
    let home = Home::enrolled(60).await;
    let (exit, said) = home.agent_json(&["sync"]).await;
    assert_eq!(exit, 0, "{said}");
    let people: Vec<_> = home.expected().into_iter().collect();
    let contractors = home.directory.at("OU=Contractors").unwrap();
    home.directory.move_to(people[0], contractors).unwrap();
    // The batch arrives, the receipt does not, and then the cloud is away.
    home.cloud.books(|books| books.swallow_receipts = 1);
    let mut service = home.start(&["run"]);
    home.cloud.order(rollcall_protocol::desired::Order::SyncNow);
    home.cloud.until("the batch arrives", |books| books.swallow_receipts == 0).await;
    home.cloud.go_away().await;
    service.start_kill().unwrap();
    service.wait().await.unwrap();
    home.directory.move_to(people[1], contractors).unwrap();

    home.cloud.come_back().await;
    let (exit, said) = home.agent_json(&["sync"]).await;

    assert_eq!(exit, 0, "{said}");
    assert_eq!(home.seen(), home.expected());
    assert_eq!(home.cloud.books(|books| books.departed.clone()), [people[0], people[1]]);
}
