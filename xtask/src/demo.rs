//! Builds the programs and hands over to the lab's demo, which runs the whole product on this machine.

use crate::shell::{self, Outcome};
use clap::Args as ClapArgs;

#[derive(ClapArgs)]
#[command(disable_help_flag = true)]
pub struct Args {
    /// Everything the demo takes; `cargo xtask demo --help` lists it.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

/// Release builds: the demo prints figures, and figures of an unoptimised build mislead.
pub fn run(args: &Args) -> Outcome {
    let programs = ["--package", "rollcall", "--package", "rollcall-agent", "--package", "rollcall-lab"];
    shell::run(shell::cargo().args(["build", "--locked", "--release", "--bins"]).args(programs))?;
    shell::run(
        shell::cargo()
            .args(["run", "--quiet", "--locked", "--release", "--package", "rollcall-lab", "--", "demo"])
            .args(&args.arguments),
    )
}
