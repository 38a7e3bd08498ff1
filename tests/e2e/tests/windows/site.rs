//! A customer whose agent is installed on a Windows (Wine), and everything around it.

use rollcall_e2e::Customer;
use rollcall_lab::wine::Wine;
use rollcall_lab::world::{Agent, AgentSetup, Binding, Cloud, CloudSetup, find, finish};
use serde_json::{Value, json};
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tokio::process::Command;

pub const MSI: &str = "rollcall-agent-x64.msi";
pub const HOME: &str = r"ProgramData\Rollcall";
pub const EXE: &str = r"Program Files\Rollcall Agent\rollcall-agent.exe";
pub const SERVICE: &str = r"HKLM\SYSTEM\CurrentControlSet\Services\RollcallAgent";
pub const SOURCE: &str = r"HKLM\SYSTEM\CurrentControlSet\Services\EventLog\Application\Rollcall Agent";

/// Builds the MSI; the program in it is built first, unless it lies where the other programs lie.
pub async fn build(out: &Path, arguments: &[OsString]) -> PathBuf {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["xtask", "windows"]).args(arguments).arg("--out").arg(out);
    if let Ok(exe) = find("rollcall-agent.exe") {
        cargo.arg("--exe").arg(exe);
    }
    let done = finish(&mut cargo, Duration::from_mins(30)).await.unwrap();
    assert_eq!(done.code, Some(0), "{}{}", done.stdout, done.stderr);
    out.join(MSI)
}

pub fn with_version(version: &str) -> [OsString; 2] {
    ["--msi-version".into(), version.into()]
}

pub struct Site {
    pub wine: Wine,
    pub cloud: Cloud,
    pub customer: Customer,
}

impl Site {
    /// `extra` is added to the configuration.
    pub async fn found(binding: &Binding, setup: &CloudSetup, extra: &str) -> Self {
        let cloud = Cloud::start(setup).await.unwrap();
        let api = cloud.api();
        let made = api.post("/customers", &json!({"name": "Alder & Finch"})).await.unwrap();
        let id = made["id"].as_str().unwrap().to_owned();
        // Prepared for its helpers; the agent that runs is the one in Wine.
        let agent = Agent::prepare(&AgentSetup::new(binding.clone())).unwrap();
        let wine = Wine::install().await.unwrap();
        let site = Self { wine, customer: Customer { id, api, agent }, cloud };
        site.prepare_configuration(binding, extra);
        site
    }

    /// What an administrator writes before a silent installation.
    fn prepare_configuration(&self, binding: &Binding, extra: &str) {
        let home = self.wine.at(HOME);
        fs::create_dir_all(&home).unwrap();
        fs::copy(&binding.ca_file, home.join("ca.pem")).unwrap();
        fs::write(home.join("password"), &binding.password).unwrap();
        let way = match binding.transport.as_str() {
            "" => String::new(),
            transport => format!("port = {}\ntransport = '{transport}'\n", binding.port),
        };
        let text = format!(
            "[ldap]\nhost = '{}'\naddress = '{}'\n{way}ca_file = 'C:\\ProgramData\\Rollcall\\ca.pem'\nbind_user = '{}'\n\
             password_file = 'C:\\ProgramData\\Rollcall\\password'\n\n[cycle]\nsecond_reading_seconds = 1\n{extra}\n",
            binding.host, binding.address, binding.user
        );
        fs::write(home.join("agent.toml"), text).unwrap();
        for file in ["password", "agent.toml", "ca.pem"] {
            fs::set_permissions(home.join(file), fs::Permissions::from_mode(0o600)).unwrap();
        }
    }

    pub async fn install(&self, msi: &Path, properties: &[&str]) {
        let log = self.wine.at(r"install.log");
        let (msi, log_seen) = (self.wine.seen(msi), self.wine.seen(&log));
        let arguments = [&["/i", &msi, "/qn", "/norestart", "/l*v", &log_seen], properties].concat();
        let done = self.wine.msiexec(&arguments).await.unwrap();
        assert_eq!(done.code, Some(0), "{}\n{}", self.log(), fs::read_to_string(log).unwrap_or_default());
    }

    /// What the service wrote, and what a fetched version below it did.
    pub fn log(&self) -> String {
        let logs = self.wine.at(HOME).join("logs");
        let files = ["rollcall-agent.log", "fetched/rollcall-agent.log"];
        files.map(|file| fs::read_to_string(logs.join(file)).unwrap_or_default()).concat()
    }

    pub async fn agent(&self, wanted: impl Fn(&Value) -> bool) -> Value {
        let found = self.customer.until("the agent", async || {
            let agents = self.customer.api.list(&format!("/customers/{}/agents", self.customer.id)).await?;
            Ok(agents.into_iter().find(&wanted))
        });
        let found = found.await;
        found.unwrap_or_else(|missing| panic!("{missing}\n{}", self.log()))
    }

    pub async fn ask_agent(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let exe = format!(r"C:\{EXE}");
        let done = self.wine.run(&[&[exe.as_str()], arguments].concat()).await.unwrap();
        (done.code, done.stdout + &done.stderr)
    }

    pub fn identity(&self) -> Option<Value> {
        serde_json::from_slice(&fs::read(self.wine.at(HOME).join("identity.json")).ok()?).ok()
    }

    /// The service ends by itself after four seconds whatever it is at; the rest is the busy machine's. How long it took.
    pub async fn stop_quickly(&self) -> Duration {
        let begun = Instant::now();
        let done = self.wine.run(&["net", "stop", "RollcallAgent"]).await.unwrap();
        assert_eq!(done.code, Some(0), "{}", done.stdout);
        // Wine's `net` does not wait for the end.
        while !self.wine.run(&["sc", "query", "RollcallAgent"]).await.unwrap().stdout.contains("STOPPED") {
            assert!(begun.elapsed() < Duration::from_secs(15), "not stopped\n{}", self.log());
        }
        begun.elapsed()
    }

    pub async fn start(&self) {
        let done = self.wine.run(&["net", "start", "RollcallAgent"]).await.unwrap();
        assert_eq!(done.code, Some(0), "{}", done.stdout);
    }
}
