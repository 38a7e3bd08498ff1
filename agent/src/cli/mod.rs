//! The commands of `rollcall-agent`: what each does, what it prints, and how the program ends.

pub mod arguments;
pub mod output;
pub mod enrol;
pub mod sync;
pub mod check;
pub mod status;
pub mod show;
pub mod bundle;
pub mod unenroll;
pub mod setup;

use std::path::Path;

use self::arguments::{Arguments, Command};
use self::output::Output;
use crate::clock::{Chance, Clock};
use crate::config::{self, Config};
use crate::diagnostic::Diagnostic;
use crate::exit::Exit;
use crate::log::Reader;
use crate::platform::service::Stop;
use crate::service::launcher::{self, Launch, Times};
use crate::service::{standby, supervisor};
use crate::update::child;

/// Carries a command out and says how it ended.
pub async fn run(
    arguments: &Arguments,
    config: Result<Config, Diagnostic>,
    clock: &Clock,
    chance: &Chance,
    stop: Stop,
) -> Exit {
    let output = Output::new(arguments.form());
    match command(arguments, config, clock, chance, stop, &output).await {
        Ok(exit) => exit,
        Err(diagnostic) => {
            output.diagnostic(&diagnostic);
            diagnostic.exit
        }
    }
}

async fn command(
    arguments: &Arguments,
    config: Result<Config, Diagnostic>,
    clock: &Clock,
    chance: &Chance,
    stop: Stop,
    output: &Output,
) -> Result<Exit, Diagnostic> {
    match &arguments.command {
        Command::Check => Ok(Box::pin(check::run(config, clock, chance, output)).await),
        Command::Enroll { token } => enrol::run(token, &arguments.path(), config, clock, chance, output).await,
        Command::Run => Box::pin(run_launched(arguments, &config?, clock, chance, stop)).await,
        Command::Work { .. } => Box::pin(supervisor::run(&config?, clock, chance, told_by_anybody(stop))).await,
        Command::Service => {
            let config = told(config)?;
            Box::pin(standby::run(&config, &launch(arguments, &config), clock, chance, stop)).await
        }
        Command::Setup { step } => setup::run(step, &arguments.path(), &config, clock, output),
        Command::Sync { dry_run } => {
            Box::pin(sync::run(&config?, clock, chance, sync::purpose(*dry_run), output)).await
        }
        Command::Status => status::run(&config?, output).await,
        Command::Show { cycle, last } => show::run(&config?, &show::Wanted::read(cycle.as_deref(), *last), output),
        Command::Unenroll { even_unheard } => {
            unenroll::run(&config?, unenroll::Manner::of(*even_unheard), clock, chance, output).await
        }
        Command::Bundle { output: file } => Box::pin(bundle::run(config, file.as_deref(), clock, chance, output)).await,
    }
}

/// Starts the version that should run: this one, or a newer one that was fetched.
async fn run_launched(
    arguments: &Arguments,
    config: &Config,
    clock: &Clock,
    chance: &Chance,
    stop: Stop,
) -> Result<Exit, Diagnostic> {
    launcher::wait_for_lock(config).await;
    Box::pin(launcher::run(config, &launch(arguments, config), clock, chance, stop)).await
}

fn launch(arguments: &Arguments, config: &Config) -> Launch {
    let reader = match arguments.command {
        Command::Service => Reader::Service,
        Command::Run
        | Command::Work { .. }
        | Command::Check
        | Command::Enroll { .. }
        | Command::Setup { .. }
        | Command::Sync { .. }
        | Command::Status
        | Command::Bundle { .. }
        | Command::Unenroll { .. }
        | Command::Show { .. } => Reader::Terminal,
    };
    Launch { config_file: arguments.config.clone(), reader, times: Times::of(config) }
}

async fn told_by_anybody(stop: Stop) {
    tokio::select! {
        () = stop => {}
        () = child::told_by_parent() => {}
    }
}

/// A service has no terminal: what is wrong with the configuration goes into its log.
fn told(config: Result<Config, Diagnostic>) -> Result<Config, Diagnostic> {
    config.inspect_err(|wrong| tracing::error!(code = wrong.fault.code, detail = %wrong.detail, "not started"))
}

/// Reads the configuration; without `--config` a file that is not there is as good as an empty one.
pub fn read_config(arguments: &Arguments) -> Result<Config, Diagnostic> {
    let path = arguments.path();
    match &arguments.config {
        Some(_) => Config::read(&path),
        None => read_if_there(&path),
    }
}

/// A file that may not be looked at is not an absent one: what it keeps back would be read, and its proxy passed by.
fn read_if_there(path: &Path) -> Result<Config, Diagnostic> {
    match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Config::parse("").map_err(Diagnostic::unexpected),
        Ok(_) | Err(_) => Config::read(path),
    }
}

impl Arguments {
    pub fn path(&self) -> std::path::PathBuf {
        self.config.clone().unwrap_or_else(config::default_path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rollcall_protocol::catalogue;

    #[test]
    fn only_a_configuration_that_is_not_there_is_an_empty_one() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("agent.toml");
        std::fs::write(&file, "").unwrap();

        assert!(read_if_there(&folder.path().join("none.toml")).is_ok());
        assert_eq!(read_if_there(folder.path()).unwrap_err().fault, catalogue::CONFIG_UNREADABLE);
        // Below a file there is nothing; asking for it is an error of another kind, but on Windows.
        assert_eq!(read_if_there(&file.join("agent.toml")).is_ok(), cfg!(windows));
    }
}
