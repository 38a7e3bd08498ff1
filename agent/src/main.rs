//! The program: reads the command line, makes the real clock and chance, and runs one command.

use std::process::ExitCode;

use clap::Parser;
use rollcall_agent::cli::{self, arguments::Arguments, arguments::Command};
use rollcall_agent::clock::{Chance, Clock};
use rollcall_agent::config::{self, Log};
use rollcall_agent::exit::Exit;
use rollcall_agent::log::{self, Reader};
use rollcall_agent::platform::service::{self, Stop};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if matches!(arguments.command, Command::Service) {
        // Windows calls back on another thread, which reads the command line again.
        return service::serve(|stop| carry_out(&Arguments::parse(), Reader::Service, stop)).into();
    }
    carry_out(&arguments, Reader::Terminal, Box::pin(service::told_to_stop())).into()
}

fn carry_out(arguments: &Arguments, reader: Reader, stop: Stop) -> Exit {
    let config = cli::read_config(arguments);
    match &config {
        Ok(config) => log::start(&config.log, &config.data_dir, reader),
        Err(_) => log::start(&Log::default(), &config::default_data_dir(), reader),
    }
    let Some(chance) = Chance::system() else { return Exit::Failed };
    // Two threads: one reads the network while the other compares.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let Ok(runtime) = runtime else { return Exit::Failed };
    let exit = runtime.block_on(cli::run(arguments, config, &Clock::system(), &chance, stop));
    runtime.shutdown_background();
    exit
}
