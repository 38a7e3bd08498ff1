//! The program: reads the command line, makes the real clock and chance, and runs one command.

use std::process::ExitCode;

use clap::Parser;
use rollcall_agent::cli::{self, arguments::Arguments};
use rollcall_agent::clock::{Chance, Clock};
use rollcall_agent::config::Level;
use rollcall_agent::exit::Exit;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let config = cli::read_config(&arguments);
    start_log(config.as_ref().map_or(Level::Info, |config| config.log.level));
    let Some(chance) = Chance::system() else { return Exit::Failed.into() };
    // Two threads: one reads the network while the other compares.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let Ok(runtime) = runtime else { return Exit::Failed.into() };
    let exit = runtime.block_on(cli::run(&arguments, config, &Clock::system(), &chance));
    runtime.shutdown_background();
    exit.into()
}

/// To standard error, so that results stay alone on standard output.
fn start_log(level: Level) {
    let level = match level {
        Level::Error => LevelFilter::ERROR,
        Level::Warn => LevelFilter::WARN,
        Level::Info => LevelFilter::INFO,
        Level::Debug => LevelFilter::DEBUG,
    };
    let own = tracing_subscriber::filter::Targets::new().with_target("rollcall_agent", level);
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(false);
    tracing_subscriber::registry().with(lines).with(own).init();
}
