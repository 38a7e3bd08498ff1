//! Builds the programs and hands over to the lab's bench, which measures the budgets on this machine.

use crate::shell::{self, Outcome};
use crate::windows;
use clap::Args as ClapArgs;
use std::process::Command;

#[derive(ClapArgs)]
#[command(disable_help_flag = true)]
pub struct Args {
    /// Everything the bench takes; `cargo xtask bench --help` lists it.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

/// The agent is built by itself and last, as it is packed: beside others it would hold what only they ask for.
pub fn run(args: &Args) -> Outcome {
    for programs in [&["rollcall", "rollcall-lab"][..], &["rollcall-agent"]] {
        let packages = programs.iter().flat_map(|program| ["--package", program]);
        shell::run(shell::cargo().args(["build", "--locked", "--release", "--bins"]).args(packages))?;
    }
    let lab = windows::target_folder()?.join("release/rollcall-lab");
    shell::run(Command::new(lab).arg("bench").args(&args.arguments))
}
