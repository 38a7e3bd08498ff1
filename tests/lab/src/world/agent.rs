//! A real agent process with a configuration and a data folder of its own.

use super::program::{self, Finished, Program, ProgramError};
use crate::authority::AuthorityError;
use crate::directory::Directory;
use crate::samba::Samba;
use std::fmt::Display;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;
use tokio::process::Command;

/// How an agent reaches its directory.
#[derive(Debug, Clone)]
pub struct Binding {
    /// The name in the DC's certificate.
    pub host: String,
    /// Where that name is, in place of a resolver; empty to ask the resolver.
    pub address: String,
    pub port: u16,
    /// `ldaps` or `starttls`.
    pub transport: String,
    pub ca_file: PathBuf,
    pub user: String,
    pub password: String,
}

impl Binding {
    /// To a scripted directory, over LDAPS; its authority's certificate is written to `ca_file`.
    pub fn to_directory(directory: &Directory, ca_file: &Path) -> Result<Self, AuthorityError> {
        directory.authority().write_pem(ca_file)?;
        Ok(Self {
            host: directory.host_name(),
            address: directory.ldaps().ip().to_string(),
            port: directory.ldaps().port(),
            transport: "ldaps".into(),
            ca_file: ca_file.to_path_buf(),
            user: directory.bind_name(),
            password: directory.password().to_owned(),
        })
    }

    /// To a Samba domain, over LDAPS.
    pub fn to_samba(samba: &Samba) -> Self {
        Self {
            host: samba.host_name(),
            address: samba.address().to_string(),
            port: samba.ldaps().port(),
            transport: "ldaps".into(),
            ca_file: samba.ca_file(),
            user: samba.bind_name(),
            password: samba.password().to_owned(),
        }
    }
}

#[derive(Debug, Clone)]
pub struct AgentSetup {
    pub binding: Binding,
    /// Seconds before a person who was missed once is looked for again.
    pub second_reading_seconds: u32,
    /// How long the agent waits for a connection, and for the next entry.
    pub patience_seconds: u32,
    /// Lines added to the end of the configuration.
    pub extra: String,
}

impl AgentSetup {
    pub fn new(binding: Binding) -> Self {
        Self { binding, second_reading_seconds: 1, patience_seconds: 5, extra: String::new() }
    }
}

#[derive(Debug)]
pub struct Agent {
    folder: TempDir,
    program: Option<Program>,
}

impl Agent {
    /// Writes its configuration; nothing runs yet.
    pub fn prepare(setup: &AgentSetup) -> Result<Self, ProgramError> {
        let io = |error| ProgramError::Io { program: "rollcall-agent".into(), error };
        let folder = tempfile::tempdir().map_err(io)?;
        let password = folder.path().join("bind-password");
        write_private(&password, &setup.binding.password).map_err(io)?;
        fs::write(folder.path().join("agent.toml"), toml(setup, folder.path(), &password)).map_err(io)?;
        Ok(Self { folder, program: None })
    }

    /// A second machine with everything this one has: what a cloned virtual machine is.
    pub fn copy(&self, setup: &AgentSetup) -> Result<Self, ProgramError> {
        let io = |error| ProgramError::Io { program: "rollcall-agent".into(), error };
        let copy = Self::prepare(setup)?;
        let (from, to) = (self.folder.path().join("data"), copy.folder.path().join("data"));
        fs::create_dir(&to).map_err(io)?;
        for entry in fs::read_dir(from).map_err(io)? {
            let entry = entry.map_err(io)?;
            fs::copy(entry.path(), to.join(entry.file_name())).map_err(io)?;
        }
        Ok(copy)
    }

    pub async fn enrol(&self, token: &str) -> Result<Finished, ProgramError> {
        self.finish(&["enroll", "--token", token], Duration::from_mins(1)).await
    }

    /// One cycle from the command line, and everything it needs to be acknowledged.
    pub async fn sync(&self) -> Result<Finished, ProgramError> {
        self.finish(&["sync", "--json"], Duration::from_mins(5)).await
    }

    pub async fn finish(&self, arguments: &[&str], limit: Duration) -> Result<Finished, ProgramError> {
        program::finish(self.command()?.args(arguments), limit).await
    }

    /// Starts `run`, as the service does.
    pub fn run(&mut self) -> Result<(), ProgramError> {
        let mut command = self.command()?;
        self.program = Some(Program::start(command.arg("run"), &self.log_file())?);
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

    pub fn is_running(&mut self) -> bool {
        self.program.as_mut().is_some_and(|program| !program.has_ended())
    }

    pub fn process_id(&self) -> Option<u32> {
        self.program.as_ref().and_then(Program::id)
    }

    pub fn said(&self) -> String {
        fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Starts a command of the agent without waiting for it, to kill it at will.
    pub fn start(&self, arguments: &[&str]) -> Result<Program, ProgramError> {
        Program::start(self.command()?.args(arguments), &self.log_file())
    }

    fn log_file(&self) -> PathBuf {
        self.folder.path().join("agent.log")
    }

    fn command(&self) -> Result<Command, ProgramError> {
        let mut command = Command::new(program::find("rollcall-agent")?);
        command.env_clear().arg("--config").arg(self.folder.path().join("agent.toml"));
        Ok(command)
    }
}

fn toml(setup: &AgentSetup, folder: &Path, password: &Path) -> String {
    let binding = &setup.binding;
    let lines = [
        format!("data_dir = {}", quoted(folder.join("data").display())),
        "[ldap]".to_owned(),
        format!("host = {}", quoted(&binding.host)),
        if binding.address.is_empty() { String::new() } else { format!("address = {}", quoted(&binding.address)) },
        format!("port = {}", binding.port),
        format!("transport = {}", quoted(&binding.transport)),
        format!("ca_file = {}", quoted(binding.ca_file.display())),
        format!("bind_user = {}", quoted(&binding.user)),
        format!("password_file = {}", quoted(password.display())),
        format!("connect_seconds = {}", setup.patience_seconds),
        format!("entry_seconds = {}", setup.patience_seconds),
        "[cycle]".to_owned(),
        format!("second_reading_seconds = {}", setup.second_reading_seconds),
        setup.extra.clone(),
    ];
    lines.join("\n")
}

/// A TOML basic string; JSON quotes what needs quoting in the same way.
fn quoted(text: impl Display) -> String {
    serde_json::Value::from(text.to_string()).to_string()
}

#[cfg(unix)]
fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut file = fs::OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())
}
