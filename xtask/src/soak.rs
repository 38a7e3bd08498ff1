//! Runs the tests that are too long for every change: ignored ones whose name begins with `soak_`.

use crate::setup;
use crate::shell::{self, Outcome};
use clap::Args as ClapArgs;

#[derive(ClapArgs)]
pub struct Args {
    /// Only those whose name contains this.
    name: Option<String>,
}

/// Release builds: these tests repeat much, and what they measure is told.
pub fn run(args: &Args) -> Outcome {
    match setup::run() {
        Err(error) if shell::is_ci() => return Err(error),
        Err(error) => println!("setup: {error}; tests that need it will say so"),
        Ok(()) => {}
    }
    shell::run(shell::cargo().args(["build", "--locked", "--release", "--workspace", "--bins"]))?;
    let filter = args.name.clone().unwrap_or_else(|| "soak_".to_owned());
    let mut tests = shell::cargo();
    tests.args(["test", "--locked", "--release", "--workspace", "--tests", &filter, "--"]);
    shell::run(tests.args(["--ignored", "--nocapture", "--test-threads=1"]))
}
