//! Runs everything that must hold: set-up, lints, requirements, every test against the real binaries, and that none of
//! them said a secret.

use std::path::Path;

use crate::shell::{self, Outcome};
use crate::{leaks, lint, requirements, setup, windows};
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
    // The MSI's tests build it themselves, and so do the unit tests' in Wine; from here on that is quick.
    match windows::run(&windows::Args::default()).and_then(|()| windows::run(&windows::Args::of_unit_tests())) {
        Err(error) if shell::is_ci() => return Err(error),
        Err(error) => println!("windows: {error}; tests of the Windows agent will fail"),
        Ok(()) => {}
    }
    let target = leaks::target_folder()?;
    let (witness, report) = (leaks::begin(&target)?, target.join("nextest/whole/junit.xml"));
    // One of an earlier run must not be searched in place of this one's.
    let _ = std::fs::remove_file(&report);
    let passed = run_tests(args, &witness);
    // A run of a few tests may well give no program a secret.
    let silent = if args.filter.is_none() { leaks::check(&witness, &[report]) } else { Ok(()) };
    match (passed, silent) {
        (Err(failed), Err(leaked)) => Err(format!("{failed}\n{leaked}")),
        (passed, silent) => passed.and(silent),
    }
}

fn run_tests(args: &Args, witness: &Path) -> Outcome {
    let mut tests = shell::cargo();
    tests.env(leaks::VARIABLE, witness);
    if shell::has("cargo-nextest") {
        tests.args(["nextest", "run", "--profile", "whole", "--workspace", "--locked", "--no-fail-fast"]);
        tests.args(["--retries", "0"]);
    } else {
        tests.args(["test", "--workspace", "--locked", "--no-fail-fast"]);
    }
    tests.args(&args.filter);
    shell::run(&mut tests)
}
