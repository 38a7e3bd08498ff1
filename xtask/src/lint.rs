//! Decides whether the code may be merged as it is written: formatting, clippy, dependencies.

use crate::shell::{self, Outcome};
use crate::windows;

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
    windows_half()?;
    dependencies()
}

/// What of the agent is compiled for Windows alone, with the tests beside it. In the profile in which its program is built,
/// so that the C libraries in it are compiled once.
fn windows_half() -> Outcome {
    if !can_compile_for_windows()? {
        println!("lint: the Windows half is left out; `rustup target add {}` adds it", windows::TARGET);
        return Ok(());
    }
    let arguments =
        ["clippy", "--release", "--package", "rollcall-agent", "--target", windows::TARGET, "--all-targets"];
    let mut cargo = shell::cargo();
    cargo
        .args(arguments)
        .args(["--locked", "--", "--deny", "warnings"])
        .env(windows::OPTIMISED.0, windows::OPTIMISED.1);
    shell::run(&mut cargo)
}

fn can_compile_for_windows() -> Outcome<bool> {
    if !shell::has("rustup") || !shell::has("x86_64-w64-mingw32-gcc") {
        return Ok(false);
    }
    if shell::is_ci() {
        shell::run(shell::command("rustup").args(["target", "add", windows::TARGET]))?;
    }
    let installed = shell::output(shell::command("rustup").args(["target", "list", "--installed"]))?;
    Ok(installed.lines().any(|target| target == windows::TARGET))
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
