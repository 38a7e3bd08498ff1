//! A scripted directory: an LDAP server over a synthetic domain, which a test changes and breaks while clients are connected.
//!
//! Written from RFC 4511 and Microsoft's documents alone, so that a mistake of the product cannot hide by being shared.

pub mod wire;
pub mod attribute;
pub mod sid;
pub mod dn;
pub mod entry;
pub mod forest;
pub mod seeding;
pub mod view;
mod reading;
mod index;
mod filter;
mod searching;
mod rendering;
mod root_dse;
pub mod rules;
pub mod fault;
mod trouble;
pub mod ledger;
mod session;
mod connection;
mod admin;
mod mishaps;
mod meanwhile;
mod controllers;

pub use attribute::Attr;
pub use entry::Values;
pub use fault::{Fault, Trouble, When};
pub use forest::{
    Forest, ForestError,
    admin::{GroupKind, NewPerson},
    census::{AccountState, Person, Place, Standing},
};
pub use ledger::Tally;
pub use seeding::Plan;
pub use wire::answer::Code;

use crate::authority::{Authority, AuthorityError, Flavour, ServerNames};
use connection::Entrance;
use ledger::Ledger;
use meanwhile::Meanwhile;
use rules::Rules;
use rustls::ServerConfig;
use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
        atomic::{AtomicU64, Ordering},
    },
};
use thiserror::Error;
use tokio::{net::TcpListener, runtime::Runtime, sync::watch};
use tokio_rustls::TlsAcceptor;

#[derive(Debug, Error)]
pub enum DirectoryError {
    #[error("cannot listen on {address}: {source}")]
    Listen { address: SocketAddr, source: io::Error },
    #[error("cannot start the server's threads: {0}")]
    Threads(io::Error),
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    #[error(transparent)]
    Forest(#[from] ForestError),
}

/// Where the server listens and what it shows of itself. Port 0 takes a free one.
#[derive(Debug, Clone)]
pub struct Setup {
    pub address: IpAddr,
    pub ldaps_port: u16,
    pub ldap_port: u16,
    pub flavour: Flavour,
    /// Issues the certificate; without one the directory makes its own.
    pub authority: Option<Arc<Authority>>,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            address: Ipv4Addr::LOCALHOST.into(),
            ldaps_port: 0,
            ldap_port: 0,
            flavour: Flavour::Good,
            authority: None,
        }
    }
}

/// The running server. It has threads of its own, so tests may block; it ends when this is dropped.
#[derive(Debug)]
pub struct Directory {
    shared: Arc<Shared>,
    authority: Arc<Authority>,
    address: IpAddr,
    ldaps_port: u16,
    ldap_port: u16,
    password: String,
    threads: Option<Runtime>,
}

/// What connections and handle have in common.
pub(crate) struct Shared {
    forest: RwLock<Forest>,
    rules: Mutex<Rules>,
    ledger: Ledger,
    meanwhile: Meanwhile,
    tls: RwLock<Arc<ServerConfig>>,
    connections: AtomicU64,
    /// Each new number cuts the connections that were made before it.
    cut: watch::Sender<u64>,
}

impl Directory {
    /// Grows a domain from a plan and serves it.
    pub fn start(plan: &Plan, setup: Setup) -> Result<Self, DirectoryError> {
        let forest = seeding::grow(plan)?;
        Self::serve(forest, setup, &seeding::service_password(plan))
    }

    /// Serves a domain; `password` becomes the service account's.
    pub fn serve(forest: Forest, setup: Setup, password: &str) -> Result<Self, DirectoryError> {
        crate::witness::secret("a directory's password", password);
        let authority = setup.authority.map_or_else(|| Authority::new().map(Arc::new), Ok)?;
        let names = server_names(&forest, setup.address);
        let tls = authority.issue(&names, setup.flavour)?.server_config()?;
        let mut rules = Rules::default();
        if let Some(account) = forest.find_account(seeding::SERVICE_ACCOUNT) {
            rules.passwords.insert(forest.entry(account).guid, password.to_owned());
        }
        let shared = Arc::new(Shared {
            forest: RwLock::new(forest),
            rules: Mutex::new(rules),
            ledger: Ledger::default(),
            meanwhile: Meanwhile::default(),
            tls: RwLock::new(tls),
            connections: AtomicU64::new(0),
            cut: watch::Sender::new(0),
        });
        let threads = threads().map_err(DirectoryError::Threads)?;
        let ldaps_port = listen(&threads, &shared, SocketAddr::new(setup.address, setup.ldaps_port), Entrance::Ldaps)?;
        let ldap_port = listen(&threads, &shared, SocketAddr::new(setup.address, setup.ldap_port), Entrance::Ldap)?;
        let (address, password, threads) = (setup.address, password.to_owned(), Some(threads));
        Ok(Self { shared, authority, address, ldaps_port, ldap_port, password, threads })
    }

    pub fn ldaps(&self) -> SocketAddr {
        SocketAddr::new(self.address, self.ldaps_port)
    }

    /// The port where TLS begins with StartTLS.
    pub fn ldap(&self) -> SocketAddr {
        SocketAddr::new(self.address, self.ldap_port)
    }

    /// The name in the certificate; `localhost` and the address are in it too, unless the flavour says otherwise.
    pub fn host_name(&self) -> String {
        self.shared.forest().host_name()
    }

    pub fn base_dn(&self) -> String {
        let forest = self.shared.forest();
        forest.dn(forest.landmarks.domain)
    }

    /// The service account as `user@domain`.
    pub fn bind_name(&self) -> String {
        format!("{}@{}", seeding::SERVICE_ACCOUNT, self.shared.forest().domain_name)
    }

    pub fn password(&self) -> &str {
        &self.password
    }

    pub fn authority(&self) -> &Arc<Authority> {
        &self.authority
    }

    /// Everything that clients did so far.
    pub fn tally(&self) -> Tally {
        self.shared.ledger.tally()
    }

    pub fn reset_tally(&self) {
        self.shared.ledger.reset();
    }

    /// Looks at the domain as it is now.
    pub fn read<T>(&self, look: impl FnOnce(&Forest) -> T) -> T {
        look(&self.shared.forest())
    }

    /// Changes limits, permissions or passwords.
    pub fn set_rules(&self, change: impl FnOnce(&mut Rules)) {
        change(&mut self.shared.rules());
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        if let Some(threads) = self.threads.take() {
            // A runtime may not wait for its end inside another one, where tests live.
            threads.shutdown_background();
        }
    }
}

impl Shared {
    pub(crate) fn forest(&self) -> RwLockReadGuard<'_, Forest> {
        self.forest.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn forest_mut(&self) -> RwLockWriteGuard<'_, Forest> {
        self.forest.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn rules(&self) -> MutexGuard<'_, Rules> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next_connection(&self) -> u64 {
        self.connections.fetch_add(1, Ordering::Relaxed)
    }

    fn tls_acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.tls.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Shared")
    }
}

/// The controller's own name, and for clients on this machine the ways they write it.
fn server_names(forest: &Forest, address: IpAddr) -> ServerNames {
    ServerNames { dns: vec![forest.host_name(), "localhost".to_owned()], addresses: vec![address] }
}

fn threads() -> io::Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).thread_name("directory").enable_all().build()
}

/// Opens the port and accepts until the runtime ends; returns the port.
fn listen(
    threads: &Runtime,
    shared: &Arc<Shared>,
    address: SocketAddr,
    entrance: Entrance,
) -> Result<u16, DirectoryError> {
    let failed = |source| DirectoryError::Listen { address, source };
    let listener = open(threads, address).map_err(failed)?;
    let port = listener.local_addr().map_err(failed)?.port();
    threads.spawn(accept(Arc::clone(shared), listener, entrance));
    Ok(port)
}

/// Needs the context of the server's runtime, but must not wait, since the caller may be inside another one.
fn open(threads: &Runtime, address: SocketAddr) -> io::Result<TcpListener> {
    let listener = std::net::TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    let _context = threads.enter();
    TcpListener::from_std(listener)
}

async fn accept(shared: Arc<Shared>, listener: TcpListener, entrance: Entrance) {
    loop {
        let Ok((socket, _)) = listener.accept().await else { continue };
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            let mut cut = shared.cut.subscribe();
            let conversation = connection::serve(Arc::clone(&shared), socket, entrance);
            tokio::select! {
                // A client that goes away in the middle is its own affair.
                _ = conversation => {}
                _ = cut.changed() => {}
            }
        });
    }
}
