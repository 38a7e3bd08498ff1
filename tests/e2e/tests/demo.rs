//! The demo runs the whole journey, checks it, and says so in one line, on either database.

#![expect(clippy::unwrap_used, reason = "a test fails loudly")]

use rollcall_lab::world::{find, finish};
use serde_json::Value;
use std::time::Duration;
use tokio::process::Command;

async fn demo(arguments: &[&str]) -> Value {
    let mut command = Command::new(find("rollcall-lab").unwrap());
    command.args(["demo", "--once", "--users", "300", "--customers", "2"]).args(arguments);
    let done = finish(&mut command, Duration::from_mins(5)).await.unwrap();
    assert_eq!(done.code, Some(0), "{}{}", done.stdout, done.stderr);
    serde_json::from_str(done.stdout.lines().last().unwrap()).unwrap()
}

fn holds(report: &Value) {
    let count = |name: &str| report[name].as_u64().unwrap();
    assert_eq!(count("customers"), 2);
    assert!(count("in_scope") > 500, "{report}");
    assert_eq!(count("accounts"), count("in_scope"), "{report}");
    assert_eq!(count("verified"), count("in_scope"), "{report}");
    assert_eq!(count("directory_writes"), 0);
    assert!(count("no_change_bytes") < 10 * 1024, "{report}");
}

// proves: JobTraQ-11
#[tokio::test(flavor = "multi_thread")]
async fn the_demo_brings_everybody_over_on_sqlite() {
    holds(&demo(&[]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_brings_everybody_over_on_postgresql() {
    holds(&demo(&["--database", "postgres"]).await);
}
