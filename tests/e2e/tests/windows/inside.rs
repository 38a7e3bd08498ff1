//! The agent's unit tests as a Windows program: paths, access lists, sealed secrets and locks are Windows' there.

use rollcall_lab::wine::Wine;
use rollcall_lab::world::finish;
use std::path::Path;
use std::time::Duration;
use tokio::process::Command;

/// Less would mean that not all of them were there.
const AT_LEAST: usize = 300;

// proves: R-15
#[tokio::test]
async fn what_holds_inside_the_agent_holds_on_windows_too() {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["xtask", "windows", "--unit-tests"]);
    let built = finish(&mut cargo, Duration::from_mins(30)).await.unwrap();
    assert_eq!(built.code, Some(0), "{}{}", built.stdout, built.stderr);
    let program = Path::new(built.stdout.lines().last().unwrap_or_default());

    let wine = Wine::install().await.unwrap();
    let done = wine.run_for(Duration::from_mins(15), &[&wine.seen(program)]).await.unwrap();

    assert_eq!(done.code, Some(0), "{}{}", done.stdout, done.stderr);
    let passed = done.stdout.lines().filter(|line| line.starts_with("test ") && line.ends_with(" ... ok")).count();
    assert!(passed >= AT_LEAST, "{}", done.stdout);
    println!("{passed} unit tests passed as a Windows program");
}
