//! The machine of one agent: a folder, a configuration, a directory to read, and the program itself.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::{Output, Stdio};
use std::time::Duration;

use rollcall_lab::directory::{Directory, Plan, Setup, Standing};
use rollcall_lab::witness;
use rollcall_protocol::desired::{DesiredImport, Nesting, Selection, SelectionKind};
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::{Child, Command};
use uuid::Uuid;

use crate::cloud::Cloud;

pub struct Home {
    pub folder: TempDir,
    pub directory: Directory,
    pub cloud: Cloud,
}

impl Home {
    pub async fn new(users: usize) -> Self {
        let directory = Directory::start(&Plan::new(users, 11), Setup::default()).unwrap();
        let home = Self { folder: tempfile::tempdir().unwrap(), directory, cloud: Cloud::start().await };
        home.directory.authority().write_pem(&home.path("ca.pem")).unwrap();
        home.write_secret(home.directory.password());
        home.configure("");
        home
    }

    /// Enrolled, with an import of everybody under `OU=Staff`.
    pub async fn enrolled(users: usize) -> Self {
        let home = Self::new(users).await;
        let token = home.cloud.token();
        let done = home.agent(&["enroll", "--token", &token]).await;
        assert!(done.status.success(), "{done:?}");
        home.cloud.select(home.staff());
        home
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write_secret(&self, password: &str) {
        self.write_secret_file("password", password);
    }

    pub fn write_secret_file(&self, name: &str, password: &str) {
        use std::os::unix::fs::PermissionsExt;
        witness::secret(name, password);
        std::fs::write(self.path(name), password).unwrap();
        std::fs::set_permissions(self.path(name), std::fs::Permissions::from_mode(0o600)).unwrap();
    }

    /// Writes the configuration, with further lines at its end.
    pub fn configure(&self, more: &str) {
        let text = format!(
            "data_dir = {data:?}\n[ldap]\nhost = {host:?}\naddress = {address:?}\nport = {port}\nca_file = {ca:?}\n\
             bind_user = {user:?}\npassword_file = {password:?}\nconnect_seconds = 3\nentry_seconds = 3\n\
             [cycle]\nsecond_reading_seconds = 1\n{more}",
            data = self.path("data").display().to_string(),
            host = self.directory.host_name(),
            address = self.directory.ldaps().ip().to_string(),
            port = self.directory.ldaps().port(),
            ca = self.path("ca.pem").display().to_string(),
            user = self.directory.bind_name(),
            password = self.path("password").display().to_string(),
        );
        std::fs::write(self.path("agent.toml"), text).unwrap();
    }

    pub fn staff(&self) -> DesiredImport {
        DesiredImport {
            import: Uuid::from_u128(0x1001),
            pause: None,
            include: vec![Selection { guid: self.directory.at("OU=Staff").unwrap(), kind: SelectionKind::Ou }],
            exclude: Vec::new(),
            interval_minutes: 180,
            nesting: Nesting::Direct,
        }
    }

    pub fn expected(&self) -> BTreeSet<Uuid> {
        let staff = self.directory.at("OU=Staff").unwrap();
        let people = self.directory.people().into_iter();
        let people = people.filter(|person| person.standing == Standing::Ordinary);
        people.filter(|person| person.containers.contains(&staff)).map(|person| person.guid).collect()
    }

    pub fn seen(&self) -> BTreeSet<Uuid> {
        self.cloud.books(|books| books.people.keys().copied().collect())
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rollcall-agent"));
        command.env_clear().arg("--config").arg(self.path("agent.toml")).args(arguments).kill_on_drop(true);
        command
    }

    /// Runs one command to its end.
    pub async fn agent(&self, arguments: &[&str]) -> Output {
        let run = self.command(arguments).stdin(Stdio::null()).output();
        heard(tokio::time::timeout(Duration::from_mins(1), run).await.unwrap().unwrap())
    }

    /// Runs one command and reads the JSON it prints.
    pub async fn agent_json(&self, arguments: &[&str]) -> (i32, Value) {
        let done = self.agent(&[&["--json"], arguments].concat()).await;
        let json = serde_json::from_slice(&done.stdout).unwrap_or(Value::Null);
        (done.status.code().unwrap(), json)
    }

    /// The same with these variables in its environment.
    pub async fn agent_json_in(&self, arguments: &[&str], environment: &[(&str, &str)]) -> (i32, Value) {
        let mut command = self.command(&[&["--json"], arguments].concat());
        let run = command.envs(environment.iter().copied()).stdin(Stdio::null()).output();
        let done = heard(tokio::time::timeout(Duration::from_mins(1), run).await.unwrap().unwrap());
        (done.status.code().unwrap(), serde_json::from_slice(&done.stdout).unwrap_or(Value::Null))
    }

    /// Starts a command and leaves it running; what it says is kept in `agent.log`.
    pub fn start(&self, arguments: &[&str]) -> Child {
        let log = std::fs::File::options().append(true).create(true).open(self.path("agent.log")).unwrap();
        let errors = log.try_clone().unwrap();
        self.command(arguments).stdin(Stdio::null()).stdout(log).stderr(errors).spawn().unwrap()
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.path("agent.log")).unwrap_or_default()
    }
}

/// Kept for the search of the whole run.
fn heard(output: Output) -> Output {
    for said in [&output.stdout, &output.stderr] {
        witness::said("agent", said);
    }
    output
}

impl Drop for Home {
    fn drop(&mut self) {
        witness::said("agent", self.log().as_bytes());
        let identity = std::fs::read(self.path("data/identity.json")).unwrap_or_default();
        let identity: Value = serde_json::from_slice(&identity).unwrap_or_default();
        witness::secret("an agent's key", identity["key"].as_str().unwrap_or_default());
    }
}
