//! Builds the programs and hands over to the lab's demo, which runs the whole product on this machine.

use crate::shell::{self, Outcome};
use crate::windows;
use clap::Args as ClapArgs;
use std::process::Command;

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
    // What was just built: alone it would be built again, for what only the others ask of its libraries.
    let lab = windows::target_folder()?.join("release/rollcall-lab");
    shell::run(Command::new(lab).arg("demo").args(&args.arguments))
}
