//! A customer whose agent is the Windows program, run in Wine against a real domain controller and a real cloud.

use crate::customer::{Customer, Missing};
use crate::scope::SambaScope;
use rollcall_lab::samba::{Filling, Samba, SambaError, SambaSetup};
use rollcall_lab::wine::Wine;
use rollcall_lab::world::{
    Agent, AgentSetup, Binding, Cloud, CloudSetup, Finished, Problem, Program, ProgramError, find, finish,
};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;
use tokio::process::Command;

const HOME: &str = r"ProgramData\Rollcall";
const EXE: &str = r"windows\rollcall-agent.exe";
const RELEASE_BUILD: Duration = Duration::from_mins(30);

/// What the customer's side could not do.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    #[error(transparent)]
    Samba(#[from] SambaError),
    #[error(transparent)]
    Program(#[from] ProgramError),
    #[error(transparent)]
    Cloud(#[from] Problem),
    #[error(transparent)]
    Missing(#[from] Missing),
    #[error(transparent)]
    Io(#[from] std::io::Error),
    #[error("the agent ended with {code:?}:\n{said}")]
    Agent { code: Option<i32>, said: String },
}

/// The Windows machine, its domain and its MSP.
#[derive(Debug)]
pub struct WindowsSite {
    pub wine: Wine,
    pub samba: Samba,
    pub cloud: Cloud,
    /// Its agent is prepared for the helpers alone; the one that runs is in Wine.
    pub customer: Customer,
    scope: SambaScope,
}

impl WindowsSite {
    /// Nothing is configured and nobody enrolled yet.
    pub async fn found(people: usize) -> Result<Self, Broken> {
        let samba = Samba::start(&SambaSetup::default())?;
        samba.fill(&Filling::company(people, 11))?;
        let cloud = Cloud::start(&CloudSetup::default()).await?;
        let api = cloud.api();
        let made = api.post("/customers", &json!({"name": "Alder & Finch"})).await?;
        let id = made["id"].as_str().unwrap_or_default().to_owned();
        let agent = Agent::prepare(&AgentSetup::new(Binding::to_samba(&samba)))?;
        let wine = Wine::install().await?;
        place_program(&wine.at(EXE)).await?;
        let home = wine.at(HOME);
        fs::create_dir_all(&home)?;
        fs::copy(samba.ca_file(), home.join("ca.pem"))?;
        let scope = SambaScope { ous: vec![samba.at("OU=Staff")?], groups: Vec::new() };
        Ok(Self { wine, customer: Customer { id, api, agent }, samba, cloud, scope })
    }

    /// Writes the whole configuration. `ldap` says how the directory is reached, `rest` begins other sections.
    pub fn configure(&self, ldap: &str, rest: &str) -> Result<(), Broken> {
        let file = self.wine.at(HOME).join("agent.toml");
        let text = format!(
            "[ldap]\nca_file = 'C:\\ProgramData\\Rollcall\\ca.pem'\nconnect_seconds = 20\nentry_seconds = 20\n{ldap}\n\
             [cycle]\nsecond_reading_seconds = 1\n{rest}"
        );
        fs::write(&file, text)?;
        Ok(fs::set_permissions(file, fs::Permissions::from_mode(0o600))?)
    }

    /// The one controller, by name and address.
    pub fn controller(&self) -> String {
        format!("host = '{}'\naddress = '{}'", self.samba.host_name(), self.samba.address())
    }

    pub async fn ask(&self, arguments: &[&str]) -> Result<Finished, Broken> {
        let exe = format!(r"C:\{EXE}");
        Ok(self.wine.run(&[&[exe.as_str()], arguments].concat()).await?)
    }

    /// Lets the agent work on, as the service does, until what comes back is dropped.
    pub fn run(&self) -> Result<Program, Broken> {
        Ok(self.wine.start(&[&format!(r"C:\{EXE}"), "run"], &self.wine.at("run.log"))?)
    }

    pub async fn enrol(&self) -> Result<(), Broken> {
        let token = self.customer.token().await?;
        must(self.ask(&["enroll", "--token", &token]).await?).map(drop)
    }

    /// One cycle from the command line, and its run at the cloud.
    pub async fn sync(&self) -> Result<Value, Broken> {
        let said = must(self.ask(&["sync", "--json"]).await?)?;
        let summary: Value = serde_json::from_str(&said.stdout).unwrap_or_default();
        let cycle = summary["cycle"].as_str().ok_or(Missing::Field("cycle"))?.to_owned();
        let run = self.customer.until("the run of the cycle", async || {
            Ok(self.customer.runs().await?.into_iter().find(|run| run["cycle"].as_str() == Some(&cycle)))
        });
        Ok(run.await?)
    }

    /// Imports the whole staff.
    pub async fn import(&self) -> Result<(), Broken> {
        self.customer.import("Staff", &[("ou", self.scope.ous[0])], &[]).await?;
        Ok(())
    }

    /// How the cloud's picture differs from what `ldapsearch` sees over LDAPS.
    pub async fn differences(&self) -> Result<Vec<String>, Broken> {
        Ok(self.customer.picture().await?.differences(&self.scope.people(&self.samba)?))
    }

    pub async fn status(&self) -> Result<Value, Broken> {
        let said = self.ask(&["status", "--json"]).await?;
        Ok(serde_json::from_str(&said.stdout).unwrap_or_default())
    }
}

fn must(done: Finished) -> Result<Finished, Broken> {
    // 10: it went well, and something waits for a human.
    match done.code {
        Some(0 | 10) => Ok(done),
        code => Err(Broken::Agent { code, said: done.stdout + &done.stderr }),
    }
}

/// The program that lies where the other programs lie, or one that is built now.
async fn place_program(place: &Path) -> Result<(), Broken> {
    if let Ok(exe) = find("rollcall-agent.exe") {
        fs::copy(exe, place)?;
        return Ok(());
    }
    let out = tempfile::tempdir()?;
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["xtask", "windows", "--out"]).arg(out.path());
    must(finish(&mut cargo, RELEASE_BUILD).await?)?;
    fs::copy(out.path().join("rollcall-agent.exe"), place)?;
    Ok(())
}
