//! Fetches a version: the documents in their order, each checked before the next is asked for, then the program.

use std::io;
use std::time::Duration;

use chrono::{DateTime, Utc};
use rollcall_protocol::catalogue;
use rollcall_protocol::update::arriving::Arriving;
use rollcall_protocol::update::metadata::{Platform, Release};
use rollcall_protocol::update::trust::{Current, Trust};
use rollcall_protocol::update::{Refused, Version, name};
use rollcall_protocol::{limits, path};

use super::files::Files;
use super::ledger::{Installed, Ledger};
use super::pinned;
use super::store::Store;
use crate::cloud::link::{Link, LinkError, Pieces};
use crate::diagnostic::Diagnostic;
use crate::exit::Exit;
use crate::platform::reason;

/// Why a version was not fetched.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    #[error(transparent)]
    Link(#[from] LinkError),
    #[error("the cloud has no file {0}")]
    Missing(String),
    #[error(transparent)]
    Refused(#[from] Refused),
    #[error("version {0} was tried and taken back")]
    Barred(Version),
    #[error("{}", reason::of(.0))]
    Disk(#[from] io::Error),
}

impl From<&FetchError> for Diagnostic {
    fn from(error: &FetchError) -> Self {
        let fault = match error {
            FetchError::Link(error) => return error.into(),
            FetchError::Missing(_) => catalogue::UPDATE_UNAVAILABLE,
            FetchError::Refused(refused) => refused.fault(),
            FetchError::Barred(_) => catalogue::UPDATE_TAKEN_BACK,
            FetchError::Disk(_) => catalogue::NOT_WRITABLE,
        };
        Self::new(fault, error, Exit::Failed)
    }
}

/// Where a publication comes from.
pub trait Source {
    /// The next bytes of a file; `None` at its end.
    type File: Pieces;
    /// `None` when there is no such file.
    fn open(&self, name: &str) -> impl Future<Output = Result<Option<Self::File>, LinkError>> + Send;
}

/// The cloud, which asks for a signature of this agent.
impl Source for Link {
    type File = crate::cloud::link::Download;

    async fn open(&self, name: &str) -> Result<Option<Self::File>, LinkError> {
        self.download(&format!("{}/{name}", path::UPDATES), IDLE).await
    }
}

/// Longest wait for the next bytes.
const IDLE: Duration = Duration::from_mins(1);

/// Which version is wanted, which runs, what is known of earlier ones, and what time it is.
#[derive(Debug, Clone, Copy)]
pub struct Wish<'a> {
    pub wanted: &'a Version,
    pub running: &'a Version,
    pub ledger: &'a Ledger,
    pub now: DateTime<Utc>,
}

/// Brings the wanted version onto the disk, whole and verified; it is not in line for its trial yet.
pub async fn fetch(
    source: &impl Source,
    store: &Store,
    files: &mut impl Files,
    wish: Wish<'_>,
) -> Result<Installed, FetchError> {
    let current = read_publication(source, store, pinned::root(), wish.now).await?;
    store.remember(files, &current.remembered)?;
    let release = current.release(wish.wanted, &Platform::here(), wish.running)?;
    let installed = Installed { version: release.version.clone(), length: release.length, sha256: release.sha256 };
    if wish.ledger.is_barred(&installed, wish.now) {
        return Err(FetchError::Barred(installed.version));
    }
    // A power cut may have come after the last byte.
    if !store.is_sound(&installed) {
        receive(source, store, files, release).await?;
    }
    Ok(installed)
}

/// The publication as a whole, believed.
pub async fn read_publication(
    source: &impl Source,
    store: &Store,
    pinned: &str,
    now: DateTime<Utc>,
) -> Result<Current, FetchError> {
    let mut trust = Trust::begin(pinned, store.remembered())?;
    for _ in 0..limits::UPDATE_ROOTS {
        let Some(text) = find_text(source, &name::root(trust.next_root())).await? else { break };
        trust = trust.follow(&text)?;
    }
    let at = trust.timestamp(&get_text(source, name::TIMESTAMP).await?, now)?;
    let snapshot = get_text(source, &name::snapshot(at.wanted().version)).await?;
    let at = at.snapshot(&snapshot, now)?;
    let targets = get_text(source, &name::targets(at.wanted().version)).await?;
    Ok(at.targets(&targets, now)?)
}

async fn get_text(source: &impl Source, name: &str) -> Result<String, FetchError> {
    find_text(source, name).await?.ok_or_else(|| FetchError::Missing(name.to_owned()))
}

/// A document; one that does not end is given up at the limit.
async fn find_text(source: &impl Source, name: &str) -> Result<Option<String>, FetchError> {
    let Some(mut file) = source.open(name).await? else { return Ok(None) };
    let mut bytes = Vec::new();
    while let Some(part) = file.next().await? {
        if bytes.len() + part.len() > limits::UPDATE_DOCUMENT {
            return Err(Refused::TooLong(limits::UPDATE_DOCUMENT as u64).into());
        }
        bytes.extend_from_slice(&part);
    }
    // What is no text cannot be what was signed; the checks will say so.
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}

async fn receive(
    source: &impl Source,
    store: &Store,
    files: &mut impl Files,
    release: &Release,
) -> Result<(), FetchError> {
    if release.length > limits::UPDATE_FILE {
        return Err(Refused::TooLong(limits::UPDATE_FILE).into());
    }
    let name = name::file(&release.sha256);
    let mut file = source.open(&name).await?.ok_or(FetchError::Missing(name))?;
    let mut arriving = Arriving::new(release);
    let mut incoming = store.receive(files, &release.version)?;
    while let Some(part) = file.next().await? {
        if let Err(refused) = arriving.take(&part) {
            incoming.abandon();
            return Err(refused.into());
        }
        incoming.append(&part)?;
    }
    match arriving.finish() {
        Ok(()) => Ok(incoming.finish()?),
        Err(refused) => {
            incoming.abandon();
            Err(refused.into())
        }
    }
}

#[cfg(test)]
mod tests;
