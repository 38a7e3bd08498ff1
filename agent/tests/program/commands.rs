//! What the commands print and how they end.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use rollcall_protocol::answer::Refusal;

use crate::home::Home;
use rollcall_lab::dns::Dns;

#[tokio::test]
async fn sync_reads_sends_and_reports_in_json() {
    let home = Home::enrolled(120).await;

    let (exit, said) = home.agent_json(&["sync"]).await;

    assert_eq!(exit, 0, "{said}");
    assert_eq!(said["people"].as_u64(), Some(home.expected().len() as u64));
    assert_eq!(home.seen(), home.expected());
}

// proves: M-4
#[tokio::test]
async fn the_domain_controller_is_found_by_dns_where_the_file_names_only_the_domain() {
    let home = Home::enrolled(60).await;
    let dns = Dns::start().unwrap();
    dns.add_controller("lab.example", "away.lab.example", Ipv4Addr::new(127, 0, 1, 9), 0, 100);
    dns.add_controller("lab.example", &home.directory.host_name(), Ipv4Addr::LOCALHOST, 10, 100);
    let text = std::fs::read_to_string(home.path("agent.toml")).unwrap();
    let kept = text.lines().filter(|line| !line.starts_with("host") && !line.starts_with("address"));
    let found = format!("[ldap]\ndomain = \"lab.example\"\nname_server = \"{}\"", dns.address());
    let text = kept.collect::<Vec<_>>().join("\n").replace("[ldap]", &found);
    std::fs::write(home.path("agent.toml"), text).unwrap();

    let (exit, said) = home.agent_json(&["sync"]).await;
    let checked = home.agent(&["check"]).await;

    assert_eq!(exit, 0, "{said}");
    assert_eq!(home.seen(), home.expected());
    let checked = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert!(checked.contains("dc1.lab.example, away.lab.example, in this order"), "{checked}");
}

#[tokio::test]
async fn sync_waits_and_looks_a_second_time_for_somebody_who_is_missing() {
    let home = Home::enrolled(120).await;
    home.agent(&["sync"]).await;
    let gone = *home.seen().iter().next().unwrap();
    home.directory.delete(gone).unwrap();
    let started = Instant::now();

    let (exit, said) = home.agent_json(&["sync"]).await;

    assert_eq!((exit, said["departed"].as_u64()), (0, Some(1)), "{said}");
    assert!(started.elapsed() >= Duration::from_secs(1), "{:?}", started.elapsed());
    assert_eq!(home.seen(), home.expected());
}

#[tokio::test]
async fn sync_leaves_a_second_reading_that_is_far_away_to_later_and_asks_for_attention() {
    let home = Home::enrolled(120).await;
    home.agent(&["sync"]).await;
    home.directory.delete(*home.seen().iter().next().unwrap()).unwrap();
    let text = std::fs::read_to_string(home.path("agent.toml")).unwrap();
    let text = text.replace("second_reading_seconds = 1", "second_reading_seconds = 31");
    std::fs::write(home.path("agent.toml"), text).unwrap();

    for _ in 0..2 {
        let (exit, said) = home.agent_json(&["sync"]).await;
        let counts = (said["departed"].as_u64(), said["awaiting"].as_u64());
        assert_eq!((exit, counts), (10, (Some(0), Some(1))), "{said}");
    }
}

#[tokio::test]
async fn held_removals_ask_for_attention() {
    let home = Home::enrolled(120).await;
    home.agent(&["sync"]).await;
    let contractors = home.directory.at("OU=Contractors").unwrap();
    for guid in home.seen().iter().take(40) {
        home.directory.move_to(*guid, contractors).unwrap();
    }

    let (exit, said) = home.agent_json(&["sync"]).await;

    assert_eq!((exit, said["held"].as_u64()), (10, Some(40)), "{said}");
}

#[tokio::test]
async fn a_dry_run_sends_nothing() {
    let home = Home::enrolled(120).await;

    let (exit, said) = home.agent_json(&["sync", "--dry-run"]).await;

    assert_eq!((exit, said["dry_run"].as_bool()), (0, Some(true)), "{said}");
    assert!(said["added"].as_u64().unwrap() > 0);
    assert!(home.seen().is_empty());
}

#[tokio::test]
async fn show_prints_exactly_what_the_cloud_received() {
    let home = Home::enrolled(120).await;
    home.agent(&["sync"]).await;

    let shown = home.agent(&["show", "all"]).await;

    let text = String::from_utf8(shown.stdout).unwrap();
    let shown: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("{\"present\":")).collect();
    let received = home.cloud.books(|books| books.people.values().cloned().collect::<Vec<_>>());
    assert_eq!(shown.len(), received.len());
    assert!(received.iter().all(|json| shown.contains(&format!("{json}}}").as_str())));
}

#[tokio::test]
async fn status_tells_who_and_how_the_last_cycle_ended() {
    let home = Home::enrolled(60).await;
    home.agent(&["sync"]).await;

    let (exit, said) = home.agent_json(&["status"]).await;

    assert_eq!(exit, 0);
    assert_eq!(said["customer"], "Lab");
    assert_eq!(said["last_cycle"]["outcome"]["is"], "complete");
    assert_eq!(said["people"].as_u64(), Some(home.expected().len() as u64));
}

#[tokio::test]
async fn before_enrolment_every_command_says_so() {
    let home = Home::new(20).await;

    for command in [vec!["status"], vec!["sync"], vec!["run"]] {
        let (exit, said) = home.agent_json(&command).await;
        assert_eq!((exit, said["problem"]["code"].as_str()), (3, Some("RC-1009")), "{command:?}");
    }
}

#[tokio::test]
async fn a_dc_name_that_does_not_resolve_is_told_as_such() {
    let home = Home::enrolled(20).await;
    let text = std::fs::read_to_string(home.path("agent.toml")).unwrap();
    let text = text.replace(&home.directory.host_name(), "dc1.rollcall.invalid").replace("address =", "# address =");
    std::fs::write(home.path("agent.toml"), text).unwrap();

    let (exit, said) = home.agent_json(&["sync"]).await;

    let code = said["problem"]["code"].as_str();
    assert!(exit == 5 && matches!(code, Some("RC-2101" | "RC-2109")), "{said}");
}

/// As when a service was killed a moment ago, with its request under way.
#[tokio::test]
async fn a_sync_by_hand_waits_while_its_place_at_the_cloud_is_taken() {
    let home = Home::enrolled(20).await;
    home.cloud.books(|books| books.refuse_checkins.push_back(Refusal::Busy { retry_after_seconds: 1 }));

    let (exit, said) = home.agent_json(&["sync"]).await;

    assert_eq!(exit, 0, "{said}");
    assert_eq!(home.seen(), home.expected());
}
