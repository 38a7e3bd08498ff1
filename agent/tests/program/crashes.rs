//! Killed at any moment and started again: nothing lost, nothing twice.

use std::time::Duration;

use crate::home::Home;

/// A small generator, so that a failing run can be repeated from its number.
fn moments(seed: u64) -> impl Iterator<Item = Duration> {
    let mut state = seed;
    std::iter::repeat_with(move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        Duration::from_micros((state >> 33) % 120_000)
    })
}

#[tokio::test]
async fn an_agent_killed_at_two_hundred_moments_agrees_with_the_directory_in_the_end() {
    let home = Home::enrolled(400).await;
    let places = [home.directory.at("OU=Staff").unwrap(), home.directory.at("OU=Contractors").unwrap()];
    let people: Vec<_> = home.expected().into_iter().collect();

    for (turn, moment) in moments(42).take(200).enumerate() {
        if turn % 4 == 0 {
            let person = people[turn % people.len()];
            // Somebody of the same name may live there; then this one stays.
            let _ = home.directory.move_to(person, places[(turn / 4) % 2]);
        }
        let mut agent = home.start(&["sync"]);
        tokio::time::sleep(moment).await;
        agent.start_kill().unwrap();
        agent.wait().await.unwrap();
    }

    let last = home.agent(&["sync"]).await;
    assert!(last.status.success(), "{last:?}");
    assert_eq!(home.seen(), home.expected());
}
