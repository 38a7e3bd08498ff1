//! The project's own commands, one file each. `cargo xtask help` lists them.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line talks to its terminal")]

use clap::{Parser, Subcommand};
use std::process::ExitCode;

mod shell;
mod setup;
mod lint;
mod requirements;
mod leaks;
mod test;
mod soak;
mod demo;
mod bench;
mod release;
mod pin;
mod windows;
mod debian;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "The project's own commands")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Install what tests need: Debian packages (through sudo where needed) and cargo tools.
    Setup,
    /// Build the Windows agent and its MSI on this Linux machine, and sign both.
    Windows(windows::Args),
    /// Build the Debian package of the agent.
    Debian(debian::Args),
    /// Run the whole product on this machine: scripted or real directory, cloud, agents.
    Demo(demo::Args),
    /// Measure the budgets of docs/figures.md, side by side with what others need.
    Bench(bench::Args),
    /// Install what is missing, then run lints and all tests. What the tests need more is an error with CI=true.
    Test(test::Args),
    /// Run the long tests: those whose name begins with `soak_`, or only those whose name contains the given word.
    Soak(soak::Args),
    /// Formatting, clippy, dependency rules.
    Lint,
    /// Which requirements have a test: covered and not yet.
    Requirements(requirements::Args),
    /// Make signing keys for updates, and publish releases of the agent.
    Release(release::Args),
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Setup => setup::run(),
        Command::Windows(args) => windows::run(&args),
        Command::Debian(args) => debian::run(&args),
        Command::Demo(args) => demo::run(&args),
        Command::Bench(args) => bench::run(&args),
        Command::Test(args) => test::run(&args),
        Command::Soak(args) => soak::run(&args),
        Command::Lint => lint::run(),
        Command::Requirements(args) => requirements::run(&args),
        Command::Release(args) => release::run(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::FAILURE
        }
    }
}
