//! The commands: `serve`, `init`, `migrate`, `doctor`. Each ends with what was done, or with a code, its cause and the fix.

mod open;
mod serve;
mod init;
mod doctor;

use std::io::Write as _;
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};
use rollcall_protocol::catalogue;

use crate::{
    clock::{Clock, Entropy},
    config::Config,
    start::StartError,
    telemetry,
};

#[derive(Debug, Parser)]
#[command(name = "rollcall", version, about = "Rollcall's cloud: takes what agents read, and shows it to the MSP.")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve agents, portal and API, and do the work behind them.
    Serve {
        /// What this process does.
        #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Role::Web, Role::Worker])]
        roles: Vec<Role>,
    },
    /// Make an MSP with its owner; prints a one-time sign-in link.
    Init(init::Arguments),
    /// Bring the database's tables up to this version.
    Migrate,
    /// Check everything this program needs, and say what is wrong and how to mend it.
    Doctor,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Role {
    Web,
    Worker,
}

/// Everything until the exit status.
pub fn run() -> ExitCode {
    let arguments = Arguments::parse();
    let ended = Config::from_environment().and_then(|config| {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .map_err(|error| StartError::new(&catalogue::UNEXPECTED, error.to_string()))?;
        runtime.block_on(dispatch(arguments.command, config))
    });
    match ended {
        Ok(code) => code,
        Err(error) => {
            say_error(&error);
            ExitCode::FAILURE
        }
    }
}

async fn dispatch(command: Command, config: Config) -> Result<ExitCode, StartError> {
    let (clock, entropy) = (Clock::system(), Entropy::system());
    match command {
        Command::Serve { roles } => {
            telemetry::start_log(&config.log)?;
            serve::run(&config, &roles, clock, entropy).await?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Init(arguments) => {
            init::run(&config, &arguments, clock, entropy).await?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Migrate => {
            let db = open::open_database(&config).await?;
            open::migrate(&config, &db).await?;
            say(&format!("The tables of {} are up to date.", config.database.describe()));
            Ok(ExitCode::SUCCESS)
        }
        Command::Doctor => Ok(doctor::run(&config, clock, entropy).await),
    }
}

/// For people at a terminal; a closed one is not our affair.
fn say(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

fn say_error(error: &StartError) {
    let _ = writeln!(std::io::stderr(), "{error}");
}
