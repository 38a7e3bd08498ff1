//! Runs everything that must hold: set-up, lints, requirements, and every test against the real binaries.

use crate::shell::{self, Outcome};
use crate::{lint, requirements, setup, windows};
use clap::Args as ClapArgs;

#[derive(ClapArgs)]
pub struct Args {
    /// Only tests whose name contains this.
    filter: Option<String>,
}

pub fn run(args: &Args) -> Outcome {
    match setup::run() {
        Err(error) if shell::is_ci() => return Err(error),
        Err(error) => println!("setup: {error}; tests that need it will say so"),
        Ok(()) => {}
    }
    if args.filter.is_none() {
        lint::run()?;
        requirements::check()?;
    }
    // The whole-product tests run the programs themselves, so these are built first.
    shell::run(shell::cargo().args(["build", "--locked", "--workspace", "--bins"]))?;
    // The MSI's tests build it themselves; from here on that is quick.
    match windows::run(&windows::Args::default()) {
        Err(error) if shell::is_ci() => return Err(error),
        Err(error) => println!("windows: {error}; tests of the MSI will fail"),
        Ok(()) => {}
    }
    let mut tests = shell::cargo();
    if shell::has("cargo-nextest") {
        tests.args(["nextest", "run", "--workspace", "--locked", "--no-fail-fast", "--retries", "0"]);
    } else {
        tests.args(["test", "--workspace", "--locked", "--no-fail-fast"]);
    }
    tests.args(&args.filter);
    shell::run(&mut tests)
}
