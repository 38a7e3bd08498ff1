//! The bench measures every line and says so in one line; what it measured here means nothing.

use rollcall_lab::world::{find, finish};
use serde_json::Value;
use std::time::Duration;
use tokio::process::Command;

#[tokio::test(flavor = "multi_thread")]
async fn the_bench_measures_a_small_directory_to_the_end() {
    let mut command = Command::new(find("rollcall-lab").unwrap());
    command.args(["bench", "reading", "resting", "--users", "1000", "--rounds", "1", "--wakes", "2"]);
    command.args(["--rest-seconds", "1"]);

    let done = finish(&mut command, Duration::from_mins(5)).await.unwrap();

    assert_eq!(done.code, Some(0), "{}{}", done.stdout, done.stderr);
    let report: Value = serde_json::from_str(done.stdout.lines().last().unwrap()).unwrap();
    let lines: Vec<&str> =
        report["lines"].as_array().unwrap().iter().map(|line| line["what"].as_str().unwrap()).collect();
    for expected in ["read, diff and spool", "peak memory", "agent at rest", "sync now", "the agent's program"] {
        assert!(lines.iter().any(|what| what.contains(expected)), "{expected} is not among {lines:?}");
    }
}
