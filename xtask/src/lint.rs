//! Decides whether the code may be merged as it is written: formatting, clippy, dependencies.

use crate::shell::{self, Outcome};

pub fn run() -> Outcome {
    shell::run(shell::cargo().args(["fmt", "--all", "--check"]))?;
    shell::run(shell::cargo().args([
        "clippy",
        "--workspace",
        "--all-targets",
        "--locked",
        "--",
        "--deny",
        "warnings",
    ]))?;
    dependencies()
}

/// `cargo deny` where it is installed; the rules it holds are also held by `xtask/tests/architecture.rs`, so that they
/// never depend on a tool.
fn dependencies() -> Outcome {
    if !shell::has("cargo-deny") {
        println!("lint: cargo-deny is not installed; `cargo install --locked cargo-deny` adds it");
        return if shell::is_ci() { Err("cargo-deny is missing".to_owned()) } else { Ok(()) };
    }
    shell::run(shell::cargo().args(["deny", "--offline", "check", "bans", "licenses", "sources"]))
}
