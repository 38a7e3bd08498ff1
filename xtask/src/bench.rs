//! Builds the programs and hands over to the lab's bench, which measures the budgets on this machine.

use crate::shell::{self, Outcome};
use clap::Args as ClapArgs;

#[derive(ClapArgs)]
#[command(disable_help_flag = true)]
pub struct Args {
    /// Everything the bench takes; `cargo xtask bench --help` lists it.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

pub fn run(args: &Args) -> Outcome {
    let programs = ["--package", "rollcall", "--package", "rollcall-agent", "--package", "rollcall-lab"];
    shell::run(shell::cargo().args(["build", "--locked", "--release", "--bins"]).args(programs))?;
    shell::run(
        shell::cargo()
            .args(["run", "--quiet", "--locked", "--release", "--package", "rollcall-lab", "--", "bench"])
            .args(&args.arguments),
    )
}
