//! Which releases of the agent this cloud has to offer. The folder is read like an agent would read it: what is not
//! signed and current is not offered, because no agent would take it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use rollcall_protocol::update::metadata::{Platform, Release};
use rollcall_protocol::update::trust::{Current, Trust};
use rollcall_protocol::update::{Refused, Version, name};

/// The folder, and what was last read in it.
#[derive(Debug, Clone)]
pub struct Releases {
    folder: Option<Arc<Path>>,
    read: Arc<Mutex<Option<(DateTime<Utc>, Arc<Shelf>)>>>,
}

/// What the folder holds.
#[derive(Debug, Clone)]
pub enum Shelf {
    /// No folder is set: agents are updated by other means.
    None,
    /// Nothing in it can be believed now.
    Unusable(String),
    Open(Stock),
}

/// Releases that agents would take.
#[derive(Debug, Clone)]
pub struct Stock {
    pub releases: Vec<Release>,
    /// When agents stop taking them unless they are confirmed.
    pub expires: DateTime<Utc>,
}

impl Stock {
    pub fn newest(&self, platform: &Platform) -> Option<&Version> {
        self.releases.iter().filter(|release| release.platform == *platform).map(|release| &release.version).max()
    }

    pub fn has(&self, version: &Version, platform: &Platform) -> bool {
        self.releases.iter().any(|release| release.version == *version && release.platform == *platform)
    }

    /// Each version once, newest first.
    pub fn versions(&self) -> Vec<&Version> {
        let mut versions: Vec<&Version> = self.releases.iter().map(|release| &release.version).collect();
        versions.sort_unstable_by(|a, b| b.cmp(a));
        versions.dedup();
        versions
    }
}

/// A new publication is noticed within this time.
const KEPT: TimeDelta = TimeDelta::seconds(30);

impl Releases {
    pub fn of(folder: Option<PathBuf>) -> Self {
        Self { folder: folder.map(Arc::from), read: Arc::default() }
    }

    /// The file of this name, if a publication can have one.
    pub fn find(&self, name: &str) -> Option<PathBuf> {
        let path = self.folder.as_ref().filter(|_| name::is_of_publication(name))?.join(name);
        path.is_file().then_some(path)
    }

    /// What the folder holds, read again every now and then.
    pub fn shelf(&self, now: DateTime<Utc>) -> Arc<Shelf> {
        let Some(folder) = &self.folder else { return Arc::new(Shelf::None) };
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        match &*read {
            Some((at, shelf)) if now - *at < KEPT && now >= *at => Arc::clone(shelf),
            Some(_) | None => {
                let shelf = Arc::new(open(folder, now));
                *read = Some((now, Arc::clone(&shelf)));
                shelf
            }
        }
    }
}

fn open(folder: &Path, now: DateTime<Utc>) -> Shelf {
    match believe(folder, now) {
        Ok(current) => Shelf::Open(Stock { releases: current.releases, expires: current.expires }),
        Err(Unusable::Missing(name)) => Shelf::Unusable(format!("{name} is missing")),
        Err(Unusable::Refused(refused)) => Shelf::Unusable(refused.to_string()),
    }
}

enum Unusable {
    Missing(String),
    Refused(Refused),
}

impl From<Refused> for Unusable {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

/// It begins with the folder's own first root: whose releases are believed is for the agents to say.
fn believe(folder: &Path, now: DateTime<Utc>) -> Result<Current, Unusable> {
    let find = |name: String| fs::read_to_string(folder.join(&name)).map_err(|_| Unusable::Missing(name));
    let mut trust = Trust::begin(&find(name::root(1))?, None)?;
    while let Ok(text) = find(name::root(trust.next_root())) {
        trust = trust.follow(&text)?;
    }
    let at = trust.timestamp(&find(name::TIMESTAMP.to_owned())?, now)?;
    let snapshot = find(name::snapshot(at.wanted().version))?;
    let at = at.snapshot(&snapshot, now)?;
    let targets = find(name::targets(at.wanted().version))?;
    Ok(at.targets(&targets, now)?)
}
