//! The program: reads the command line, makes the real clock and chance, and runs one command.

use std::fmt::Display;
use std::process::ExitCode;

use clap::Parser;
use rollcall_agent::cli::{self, arguments::Arguments, arguments::Command, output::Output};
use rollcall_agent::clock::{Chance, Clock};
use rollcall_agent::config::{self, Log};
use rollcall_agent::diagnostic::Diagnostic;
use rollcall_agent::exit::Exit;
use rollcall_agent::log::{self, Reader};
use rollcall_agent::platform::service::{self, Stop};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if matches!(arguments.command, Command::Service) {
        // Windows calls back on another thread, which reads the command line again.
        return service::serve(|stop| carry_out(&Arguments::parse(), Reader::Service, stop)).into();
    }
    let is_below_service = matches!(arguments.command, Command::Work { for_service: true });
    let reader = if is_below_service { Reader::Fetched } else { Reader::Terminal };
    carry_out(&arguments, reader, Box::pin(service::told_to_stop())).into()
}

fn carry_out(arguments: &Arguments, reader: Reader, stop: Stop) -> Exit {
    let config = cli::read_config(arguments);
    match &config {
        Ok(config) => log::start(&config.log, &config.data_dir, reader),
        Err(_) => log::start(&Log::default(), &config::default_data_dir(), reader),
    }
    let Some(chance) = Chance::system() else { return not_started(arguments, "the system gives no randomness") };
    // Two threads: one reads the network while the other compares.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return not_started(arguments, error),
    };
    let exit = runtime.block_on(cli::run(arguments, config, &Clock::system(), &chance, stop));
    runtime.shutdown_background();
    exit
}

fn not_started(arguments: &Arguments, why: impl Display) -> Exit {
    let told = Diagnostic::unexpected(why);
    tracing::error!(code = told.fault.code, detail = %told.detail, "not started");
    Output::new(arguments.form()).diagnostic(&told);
    told.exit
}
