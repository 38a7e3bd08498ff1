//! A real cloud: initialised with one MSP, served on a free port, killed and started again at will.

use super::api::Api;
use super::program::{self, Finished, Program, ProgramError};
use crate::witness;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;
use tokio::process::Command;

/// How long a cloud may take to answer after its start; generous, because tests share two cores.
const READY_WITHIN: Duration = Duration::from_mins(1);

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Database {
    /// The default: one file in the data folder.
    Sqlite,
    /// A connection address.
    Postgres(String),
}

#[derive(Debug, Clone)]
pub struct CloudSetup {
    pub msp: String,
    pub owner: String,
    pub database: Database,
    /// 0 for a free one.
    pub port: u16,
    /// Folder of published releases of the agent.
    pub releases: Option<PathBuf>,
}

impl Default for CloudSetup {
    fn default() -> Self {
        Self {
            msp: "Northwind IT".into(),
            owner: "owner@northwind.example".into(),
            database: Database::Sqlite,
            port: 0,
            releases: None,
        }
    }
}

#[derive(Debug)]
pub struct Cloud {
    pub url: String,
    pub admin_url: String,
    pub api_key: String,
    pub signin_link: String,
    data: TempDir,
    environment: Vec<(String, String)>,
    program: Option<Program>,
}

impl Cloud {
    /// Initialises a new cloud and serves it.
    pub async fn start(setup: &CloudSetup) -> Result<Self, ProgramError> {
        let io = |error| ProgramError::Io { program: "rollcall".into(), error };
        let data = tempfile::tempdir().map_err(io)?;
        let port = if setup.port == 0 { program::free_port().map_err(io)? } else { setup.port };
        let admin = program::free_port().map_err(io)?;
        let url = format!("http://127.0.0.1:{port}");
        let admin_url = format!("http://127.0.0.1:{admin}");
        let environment = environment(setup, data.path(), port, admin, &url);
        let said = init(setup, &environment).await?;
        let mut cloud = Self {
            url,
            admin_url,
            api_key: text(&said, "api_key"),
            signin_link: text(&said, "signin_link"),
            data,
            environment,
            program: None,
        };
        cloud.tell_secrets();
        cloud.serve().await?;
        Ok(cloud)
    }

    /// The key and the link that `init` handed out. The link's last part is what signs in.
    fn tell_secrets(&self) {
        witness::secret("an API key", &self.api_key);
        let link = self.signin_link.rsplit('/').next().unwrap_or_default();
        witness::secret("a sign-in link", link);
        let master = fs::read_to_string(self.data.path().join("master.key")).unwrap_or_default();
        witness::secret("the master key", master.trim());
    }

    /// Starts serving, after a kill or a stop.
    pub async fn serve(&mut self) -> Result<(), ProgramError> {
        let mut command = self.command()?;
        let mut program = Program::start(command.arg("serve"), &self.log_file())?;
        let ready = format!("{}/readyz", self.url);
        let client = Api::client();
        program
            .wait_until(READY_WITHIN, async || {
                client.get(&ready).send().await.is_ok_and(|answer| answer.status() == 200)
            })
            .await?;
        self.program = Some(program);
        Ok(())
    }

    pub async fn kill(&mut self) -> Result<(), ProgramError> {
        match self.program.take() {
            Some(mut program) => program.kill().await,
            None => Ok(()),
        }
    }

    pub async fn stop(&mut self, limit: Duration) -> Result<(), ProgramError> {
        match self.program.take() {
            Some(mut program) => program.stop(limit).await,
            None => Ok(()),
        }
    }

    /// Runs one of its other commands to the end, with the same configuration.
    pub async fn run(&self, arguments: &[&str]) -> Result<Finished, ProgramError> {
        let mut command = self.command()?;
        program::finish(command.args(arguments), READY_WITHIN).await
    }

    /// As [`Cloud::run`], with some variables changed.
    pub async fn run_with(&self, arguments: &[&str], changed: &[(&str, &str)]) -> Result<Finished, ProgramError> {
        let mut command = self.command()?;
        program::finish(command.args(arguments).envs(changed.iter().copied()), READY_WITHIN).await
    }

    pub fn api(&self) -> Api {
        Api::new(&self.url, &self.api_key)
    }

    /// The folder that the cloud hands the Windows installer out from.
    pub fn installer_dir(&self) -> PathBuf {
        self.data.path().join("installer")
    }

    pub fn data_dir(&self) -> &Path {
        self.data.path()
    }

    pub fn process_id(&self) -> Option<u32> {
        self.program.as_ref().and_then(Program::id)
    }

    pub fn said(&self) -> String {
        fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    fn log_file(&self) -> PathBuf {
        self.data.path().join("serve.log")
    }

    fn command(&self) -> Result<Command, ProgramError> {
        let mut command = Command::new(program::find("rollcall")?);
        command.env_clear().envs(self.environment.iter().cloned());
        Ok(command)
    }
}

fn environment(setup: &CloudSetup, data: &Path, port: u16, admin: u16, url: &str) -> Vec<(String, String)> {
    let mut environment = vec![
        ("ROLLCALL_DATA_DIR".to_owned(), data.display().to_string()),
        ("ROLLCALL_LISTEN".to_owned(), format!("127.0.0.1:{port}")),
        ("ROLLCALL_ADMIN_LISTEN".to_owned(), format!("127.0.0.1:{admin}")),
        ("ROLLCALL_PUBLIC_URL".to_owned(), url.to_owned()),
    ];
    if let Some(folder) = &setup.releases {
        environment.push(("ROLLCALL_RELEASES_DIR".to_owned(), folder.display().to_string()));
    }
    if let Database::Postgres(address) = &setup.database {
        environment.push(("ROLLCALL_DATABASE_URL".to_owned(), address.clone()));
    }
    environment
}

async fn init(setup: &CloudSetup, environment: &[(String, String)]) -> Result<Value, ProgramError> {
    let mut command = Command::new(program::find("rollcall")?);
    command.env_clear().envs(environment.iter().cloned());
    command.args(["init", "--msp", &setup.msp, "--owner", &setup.owner, "--api-key", "--json"]);
    let done = program::finish(&mut command, READY_WITHIN).await?;
    let said = serde_json::from_str(&done.stdout).ok().filter(|_| done.code == Some(0));
    said.ok_or_else(|| ProgramError::EndedAtOnce {
        program: "rollcall init".into(),
        status: format!("{:?}", done.code),
        said: done.stdout + &done.stderr,
    })
}

fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_default().to_owned()
}
