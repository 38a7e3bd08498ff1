//! A real agent process with a configuration and a data folder of its own.

use super::program::{self, Finished, Program, ProgramError};
use crate::authority::AuthorityError;
use crate::directory::Directory;
use crate::samba::{Samba, SambaError};
use crate::witness;
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
    /// `sealed`, `ldaps` or `starttls`; empty to leave port and transport out, so that every way is tried.
    pub transport: String,
    pub ca_file: PathBuf,
    /// Empty for an agent without a stored password.
    pub user: String,
    pub password: String,
    pub kerberos: Option<Kerberos>,
}

/// How an agent signs in without a password.
#[derive(Debug, Clone)]
pub struct Kerberos {
    pub tickets: Tickets,
    /// Its `krb5.conf`.
    pub config: PathBuf,
}

#[derive(Debug, Clone)]
pub enum Tickets {
    Keytab(PathBuf),
    Cache(PathBuf),
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
            kerberos: None,
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
            kerberos: None,
        }
    }

    /// To a real domain controller with a keytab and no password, sealed on the plain port.
    pub fn sealed_to_samba(samba: &Samba) -> Result<Self, SambaError> {
        let kerberos = Kerberos { tickets: Tickets::Keytab(samba.keytab()?), config: samba.kerberos_config()? };
        Ok(Self {
            port: samba.ldap().port(),
            transport: "sealed".into(),
            user: String::new(),
            password: String::new(),
            kerberos: Some(kerberos),
            ..Self::to_samba(samba)
        })
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
    kerberos_config: Option<PathBuf>,
}

impl Agent {
    /// Writes its configuration; nothing runs yet.
    pub fn prepare(setup: &AgentSetup) -> Result<Self, ProgramError> {
        let io = |error| ProgramError::Io { program: "rollcall-agent".into(), error };
        let folder = tempfile::tempdir().map_err(io)?;
        let mut agent = Self { folder, program: None, kerberos_config: None };
        agent.configure(setup)?;
        Ok(agent)
    }

    /// Writes another configuration in place of the last; a running service does not look.
    pub fn configure(&mut self, setup: &AgentSetup) -> Result<(), ProgramError> {
        let io = |error| ProgramError::Io { program: "rollcall-agent".into(), error };
        let folder = self.folder.path();
        let password = folder.join("bind-password");
        let _ = fs::remove_file(&password);
        witness::secret("a directory's password", &setup.binding.password);
        if !setup.binding.user.is_empty() {
            write_private(&password, &setup.binding.password).map_err(io)?;
        }
        fs::write(folder.join("agent.toml"), toml(setup, folder, &password)).map_err(io)?;
        self.kerberos_config = setup.binding.kerberos.as_ref().map(|kerberos| kerberos.config.clone());
        Ok(())
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
        witness::secret("an enrolment token", token);
        witness::secret("a token's signature", token.rsplit('.').next().unwrap_or_default());
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
        if let Some(config) = &self.kerberos_config {
            command.env("KRB5_CONFIG", config);
        }
        Ok(command)
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let data = self.folder.path().join("data");
        witness::logs_in("agent", &data.join("logs"));
        let identity = fs::read(data.join("identity.json")).unwrap_or_default();
        let identity: serde_json::Value = serde_json::from_slice(&identity).unwrap_or_default();
        for name in ["key", "next_key"] {
            witness::secret("an agent's key", identity[name].as_str().unwrap_or_default());
        }
    }
}

fn toml(setup: &AgentSetup, folder: &Path, password: &Path) -> String {
    let binding = &setup.binding;
    let lines = [
        format!("data_dir = {}", quoted(folder.join("data").display())),
        "[ldap]".to_owned(),
        format!("host = {}", quoted(&binding.host)),
        if binding.address.is_empty() { String::new() } else { format!("address = {}", quoted(&binding.address)) },
        transport_lines(binding),
        format!("ca_file = {}", quoted(binding.ca_file.display())),
        sign_in_lines(binding, password),
        format!("connect_seconds = {}", setup.patience_seconds),
        format!("entry_seconds = {}", setup.patience_seconds),
        "[cycle]".to_owned(),
        format!("second_reading_seconds = {}", setup.second_reading_seconds),
        setup.extra.clone(),
    ];
    lines.join("\n")
}

fn transport_lines(binding: &Binding) -> String {
    if binding.transport.is_empty() {
        return String::new();
    }
    format!("port = {}\ntransport = {}", binding.port, quoted(&binding.transport))
}

fn sign_in_lines(binding: &Binding, password: &Path) -> String {
    let tickets = binding.kerberos.as_ref().map(|kerberos| match &kerberos.tickets {
        Tickets::Keytab(file) => format!("keytab_file = {}", quoted(file.display())),
        Tickets::Cache(file) => format!("ticket_cache = {}", quoted(file.display())),
    });
    let password = (!binding.user.is_empty())
        .then(|| format!("bind_user = {}\npassword_file = {}", quoted(&binding.user), quoted(password.display())));
    [tickets, password].into_iter().flatten().collect::<Vec<_>>().join("\n")
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
