//! Other programs that read the same people with the same attributes: the yardsticks.

use super::BenchError;
use crate::world::Binding;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// What the agent asks for of each person, `memberOf` for the counts of the groups.
pub const ATTRIBUTES: [&str; 25] = [
    "objectGUID",
    "objectSid",
    "sAMAccountName",
    "userAccountControl",
    "isCriticalSystemObject",
    "primaryGroupID",
    "userPrincipalName",
    "displayName",
    "givenName",
    "sn",
    "mail",
    "telephoneNumber",
    "mobile",
    "title",
    "department",
    "company",
    "physicalDeliveryOfficeName",
    "employeeID",
    "manager",
    "description",
    "accountExpires",
    "lockoutTime",
    "pwdLastSet",
    "adminCount",
    "memberOf",
];
const PEOPLE: &str = "(sAMAccountType=805306368)";
const PAGE: &str = "1000";

/// Where to read, and everybody below which name.
#[derive(Debug, Clone)]
pub struct Source {
    pub binding: Binding,
    pub base: String,
}

impl Source {
    fn url(&self) -> String {
        let host = if self.binding.address.is_empty() { &self.binding.host } else { &self.binding.address };
        format!("ldaps://{host}:{}", self.binding.port)
    }

    /// OpenLDAP's client. It need not check the certificate; that costs it less.
    pub fn ldapsearch(&self) -> Command {
        let mut command = Command::new("ldapsearch");
        command.env("LDAPTLS_REQCERT", "never").env("LDAPRC", "/nonexistent");
        command.args(["-x", "-LLL", "-H", &self.url(), "-D", &self.binding.user, "-w", &self.binding.password]);
        command.args(["-b", &self.base, "-E", &format!("pr={PAGE}/noprompt"), PEOPLE]).args(ATTRIBUTES);
        command
    }

    fn told(&self, command: &mut Command) {
        command.env("NODE_TLS_REJECT_UNAUTHORIZED", "0").env("URL", self.url()).env("BASE", &self.base);
        command.env("BIND_USER", &self.binding.user).env("BIND_PASSWORD", &self.binding.password);
        command.env("FILTER", PEOPLE).env("ATTRIBUTES", ATTRIBUTES.join(",")).env("PAGE", PAGE);
    }
}

/// A client library in another language, installed for this run.
#[derive(Debug)]
pub struct Library {
    pub name: &'static str,
    folder: TempDir,
    program: PathBuf,
    script: &'static str,
}

const LDAPTS: &str = include_str!("ldapts.mjs");
const PYTHON_LDAP3: &str = include_str!("python_ldap3.py");

impl Library {
    /// ldapts for Node, from npm. `None` where it cannot be had.
    pub fn ldapts() -> Result<Option<Self>, BenchError> {
        let folder = tempfile::tempdir()?;
        fs::write(folder.path().join("read.mjs"), LDAPTS)?;
        let install = ["install", "--silent", "--no-audit", "--no-fund", "ldapts"];
        let is_there = succeeds(Command::new("npm").args(install).current_dir(folder.path()));
        let library = Self { name: "ldapts (Node)", folder, program: "node".into(), script: "read.mjs" };
        Ok(is_there.then_some(library))
    }

    /// ldap3 for Python, from PyPI. `None` where it cannot be had.
    pub fn python_ldap3() -> Result<Option<Self>, BenchError> {
        let folder = tempfile::tempdir()?;
        fs::write(folder.path().join("read.py"), PYTHON_LDAP3)?;
        let program = folder.path().join("venv/bin/python");
        let is_there = succeeds(Command::new("python3").args(["-m", "venv", "venv"]).current_dir(folder.path()))
            && succeeds(Command::new(&program).args(["-m", "pip", "install", "--quiet", "ldap3"]));
        Ok(is_there.then_some(Self { name: "ldap3 (Python)", folder, program, script: "read.py" }))
    }

    pub fn read(&self, source: &Source) -> Command {
        let mut command = Command::new(&self.program);
        source.told(command.arg(self.script).current_dir(self.folder()));
        command
    }

    fn folder(&self) -> &Path {
        self.folder.path()
    }
}

fn succeeds(command: &mut Command) -> bool {
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}
