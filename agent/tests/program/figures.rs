//! Figures of a large domain: `cargo test --release -p rollcall-agent --test program figures -- --ignored --nocapture`.

use std::process::Stdio;
use std::time::{Duration, Instant};

use rollcall_agent::directory::people::{self, AttributeList};

use crate::home::Home;

/// Runs `sync` and gives its wall time and the peak of its resident memory in KiB.
async fn sync(home: &Home) -> (Duration, u64) {
    let started = Instant::now();
    let mut agent = home.start(&["sync", "--json"]);
    let status = format!("/proc/{}/status", agent.id().unwrap());
    let mut peak = 0;
    let ended = loop {
        peak = peak.max(resident(&status).unwrap_or_default());
        if let Some(ended) = agent.try_wait().unwrap() {
            break ended;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    assert!(ended.success(), "{}", home.log());
    (started.elapsed(), peak)
}

fn resident(status: &str) -> Option<u64> {
    let text = std::fs::read_to_string(status).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}

/// OpenLDAP's client reads the same people with the same attributes; what it prints is thrown away.
fn ldapsearch(home: &Home) -> Duration {
    let attributes = AttributeList::without(&[]).unwrap();
    let started = Instant::now();
    let ended = std::process::Command::new("ldapsearch")
        .env("LDAPTLS_CACERT", home.path("ca.pem"))
        .args(["-x", "-LLL", "-H", &format!("ldaps://{}", home.directory.ldaps())])
        .args(["-D", &home.directory.bind_name(), "-w", home.directory.password()])
        .args(["-b", &format!("OU=Staff,{}", home.directory.base_dn()), "-E", "pr=500/noprompt", people::FILTER])
        .args(attributes.names())
        .stdout(Stdio::null())
        .status();
    assert!(ended.unwrap().success());
    started.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures a hundred thousand people; run it alone and in release"]
async fn a_hundred_thousand_people() {
    let home = Home::enrolled(100_000).await;
    let yardstick = ldapsearch(&home);
    let (first, first_peak) = sync(&home).await;
    let bytes_before = home.cloud.books(|books| books.bytes);
    let (second, second_peak) = sync(&home).await;
    let bytes = home.cloud.books(|books| books.bytes) - bytes_before;
    println!(
        "people {}, ldapsearch {:.2} s, first sync {:.2} s ({} KiB), next sync {:.2} s ({} KiB, {bytes} bytes sent)",
        home.seen().len(),
        yardstick.as_secs_f64(),
        first.as_secs_f64(),
        first_peak,
        second.as_secs_f64(),
        second_peak,
    );
    assert_eq!(home.seen(), home.expected());
}
