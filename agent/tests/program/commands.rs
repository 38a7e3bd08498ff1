//! What the commands print and how they end.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use rollcall_lab::dns::Dns;
use serde_json::Value;

use crate::home::Home;

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
    assert!(checked.contains("dc1.lab.example is asked"), "{checked}");
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

    let shown = home.agent(&["show"]).await;

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

async fn checks(home: &Home) -> (i32, Vec<Value>) {
    let done = home.agent(&["check", "--json"]).await;
    let lines = String::from_utf8(done.stdout).unwrap();
    (done.status.code().unwrap(), lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

fn failures(checks: &[Value]) -> Vec<&str> {
    let failed = checks.iter().filter(|check| check["result"] == "fail");
    failed.filter_map(|check| check["problem"]["code"].as_str()).collect()
}

#[tokio::test]
async fn check_passes_when_everything_is_well() {
    let home = Home::enrolled(20).await;

    let (exit, checks) = checks(&home).await;

    assert_eq!((exit, failures(&checks)), (0, vec![]), "{checks:?}");
    assert!(checks.len() >= 9, "{checks:?}");
}

#[tokio::test]
async fn check_names_what_is_wrong_and_tries_a_password_once() {
    let home = Home::enrolled(20).await;
    home.write_secret("wrong");

    let (exit, checks) = checks(&home).await;

    assert_eq!((exit, failures(&checks)), (5, vec!["RC-2201"]));
    assert_eq!(home.directory.tally().binds, 1);
}

#[tokio::test]
async fn check_prints_for_people_with_the_fix() {
    let home = Home::new(20).await;
    home.configure("[cloud]\nproxi = 1\n");

    let done = home.agent(&["check"]).await;

    let text = String::from_utf8(done.stdout).unwrap();
    assert!(text.contains("[FAIL] RC-1006"), "{text}");
    assert!(text.contains("line 14, column 1") && text.contains("Fix:"), "{text}");
    assert_eq!(done.status.code(), Some(2));
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
