//! The cloud's program.

use std::process::ExitCode;

fn main() -> ExitCode {
    rollcall::cli::run()
}
