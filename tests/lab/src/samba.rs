//! A real Active Directory domain controller: Samba, provisioned for one test on an address of its own, stopped when dropped.

mod desk;
mod provision;
mod filling;
mod admin;
mod kerberos;

pub use filling::{Filling, SambaPerson};

use crate::{
    authority::{Authority, AuthorityError},
    ldapsearch::{LdapSearch, LdapSearchError},
    oracle::{self, OraclePerson},
};
use desk::Desk;
use provision::Seat;
use std::{
    io,
    net::{Ipv4Addr, SocketAddr, TcpStream},
    path::PathBuf,
    process::{Child, Command},
    sync::{Mutex, PoisonError},
    thread::sleep,
    time::Duration,
};
use tempfile::TempDir;
use thiserror::Error;
use uuid::Uuid;

#[derive(Debug, Error)]
pub enum SambaError {
    #[error("{program} is missing: install the Debian package {package}")]
    Missing { program: &'static str, package: &'static str },
    #[error("a Samba domain controller needs the ports 88, 389 and 636: run the tests as root")]
    NotRoot,
    #[error("no address from 127.0.0.10 to 127.0.0.250 is free")]
    NoAddress,
    #[error("{program} failed:\n{output}")]
    Failed { program: &'static str, output: String },
    #[error("the domain controller did not open port {port} within a minute; it said:\n{log}")]
    Silent { port: u16, log: String },
    #[error("the domain refused: {0}")]
    Refused(String),
    #[error("{context}: {source}")]
    Io { context: String, source: io::Error },
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    #[error(transparent)]
    Oracle(#[from] LdapSearchError),
}

impl SambaError {
    fn io(context: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let context = context.into();
        move |source| Self::Io { context, source }
    }
}

/// Which domain, and where.
#[derive(Debug, Clone)]
pub struct SambaSetup {
    pub domain_name: String,
    /// A loopback address of its own; without one a free one is taken.
    pub address: Option<Ipv4Addr>,
}

impl Default for SambaSetup {
    fn default() -> Self {
        Self { domain_name: "lab.example".to_owned(), address: None }
    }
}

const ADMINISTRATOR: &str = "Administrator";
const ADMINISTRATOR_PASSWORD: &str = "Lab-Admin-1!";
const SERVICE_ACCOUNT: &str = "svc-rollcall";
const SERVICE_PASSWORD: &str = "Lab-Reader-1!";

/// The running controller.
#[derive(Debug)]
pub struct Samba {
    server: Option<Child>,
    desk: Mutex<Desk>,
    seat: Seat,
    authority: Authority,
    domain_name: String,
    service_account: Uuid,
    folder: TempDir,
}

impl Samba {
    /// Provisions a domain (or copies a provisioned one), starts its controller and waits until LDAPS answers.
    pub fn start(setup: &SambaSetup) -> Result<Self, SambaError> {
        provision::require_parts()?;
        for password in [ADMINISTRATOR_PASSWORD, SERVICE_PASSWORD] {
            crate::witness::secret("a domain's password", password);
        }
        let folder = TempDir::new().map_err(SambaError::io("temporary folder"))?;
        let seat = Seat::take(setup.address)?;
        let authority = Authority::new()?;
        provision::prepare(folder.path(), &setup.domain_name, &seat, &authority)?;
        let mut desk = Desk::open(folder.path())?;
        let command = serde_json::json!({
            "do": "service_account", "account_name": SERVICE_ACCOUNT, "password": SERVICE_PASSWORD,
        });
        let service_account = desk.guid(&command)?;
        let name = format!("ldap/dc1.{}", setup.domain_name);
        desk.ask(&serde_json::json!({ "do": "register_service", "name": name }))?;
        let mut samba = Self {
            server: None,
            desk: Mutex::new(desk),
            seat,
            authority,
            domain_name: setup.domain_name.clone(),
            service_account,
            folder,
        };
        samba.start_server()?;
        Ok(samba)
    }

    /// Starts the controller again after `stop`.
    pub fn start_server(&mut self) -> Result<(), SambaError> {
        self.server = Some(provision::start(self.folder.path())?);
        self.wait_for(636)
    }

    /// The controller goes away; the domain stays on disk.
    pub fn stop(&mut self) {
        if let Some(mut server) = self.server.take() {
            // The whole process group: a controller may have children.
            let group = format!("kill -KILL -- -{}", server.id());
            let _ = Command::new("sh").args(["-c", &group]).output();
            let _ = server.kill();
            let _ = server.wait();
        }
    }

    fn wait_for(&self, port: u16) -> Result<(), SambaError> {
        let address = SocketAddr::new(self.seat.address.into(), port);
        for _ in 0..600 {
            if TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_ok() {
                return Ok(());
            }
            sleep(Duration::from_millis(100));
        }
        Err(SambaError::Silent { port, log: self.log() })
    }

    pub fn address(&self) -> Ipv4Addr {
        self.seat.address
    }

    pub fn ldaps(&self) -> SocketAddr {
        SocketAddr::new(self.seat.address.into(), 636)
    }

    /// Plain LDAP: StartTLS, or Kerberos with sealing.
    pub fn ldap(&self) -> SocketAddr {
        SocketAddr::new(self.seat.address.into(), 389)
    }

    /// The name in the certificate; the address is in it too.
    pub fn host_name(&self) -> String {
        format!("dc1.{}", self.domain_name)
    }

    pub fn base_dn(&self) -> String {
        self.domain_name.split('.').map(|part| format!("DC={part}")).collect::<Vec<_>>().join(",")
    }

    /// The certificate of the authority that issued the controller's.
    pub fn ca_file(&self) -> PathBuf {
        self.folder.path().join("tls/ca.pem")
    }

    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// The account the agent binds with: an ordinary user without further rights.
    pub fn bind_name(&self) -> String {
        format!("{SERVICE_ACCOUNT}@{}", self.domain_name)
    }

    pub fn password(&self) -> &'static str {
        SERVICE_PASSWORD
    }

    pub fn service_account(&self) -> Uuid {
        self.service_account
    }

    /// What the controller wrote to its log.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("samba.log")).unwrap_or_default()
    }

    /// Every change that was made over the network, as the controller's audit log tells it. What was refused is not in it.
    pub fn remote_changes(&self) -> Vec<String> {
        let is_remote = |line: &&str| line.contains("\"dsdbChange\"") && line.contains("\"remoteAddress\": \"ip");
        self.log().lines().filter(is_remote).map(str::to_owned).collect()
    }

    pub fn administrator(&self) -> (String, &'static str) {
        (format!("{ADMINISTRATOR}@{}", self.domain_name), ADMINISTRATOR_PASSWORD)
    }

    /// A client with the administrator's rights.
    pub fn client(&self) -> LdapSearch {
        let (name, password) = self.administrator();
        LdapSearch::new(format!("ldaps://{}", self.seat.address), &self.ca_file()).bind(&name, password)
    }

    /// A client with the rights of the service account.
    pub fn reader(&self) -> LdapSearch {
        LdapSearch::new(format!("ldaps://{}", self.seat.address), &self.ca_file())
            .bind(&self.bind_name(), SERVICE_PASSWORD)
    }

    /// All user objects, read by a client that is not ours: what the product's picture is compared with.
    pub fn people(&self) -> Result<Vec<OraclePerson>, SambaError> {
        Ok(oracle::read_people(&self.client(), &self.base_dn())?)
    }

    fn desk(&self) -> std::sync::MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Samba {
    fn drop(&mut self) {
        self.stop();
    }
}
