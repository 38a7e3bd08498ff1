//! Which releases of the agent this cloud has to offer. The folder is read like an agent would read it: what is not
//! signed and current is not offered, because no agent would take it.

mod supply;
mod looks;

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use rollcall_protocol::limits;
use rollcall_protocol::update::metadata::{Platform, Release};
use rollcall_protocol::update::trust::{Current, Trust};
use rollcall_protocol::update::{Refused, Version, name};
use tokio::sync::Semaphore;

pub use looks::{LOOK_EVERY, Looks};
pub use supply::{Supply, Upcoming};

/// The folder, and what was last read in it.
#[derive(Debug, Clone)]
pub struct Releases {
    folder: Option<Arc<Path>>,
    read: Arc<Mutex<Option<Look>>>,
    /// Held by the one who reads, also past the deadline: a share that hangs costs one thread.
    reading: Arc<tokio::sync::Mutex<()>>,
    /// Held by whoever opens a file, also past the deadline: such a share costs no more threads than there are of these.
    opening: Arc<Semaphore>,
}

/// Whether a file is there, as far as the folder says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    File(PathBuf),
    Nothing,
    /// The folder does not answer, or too many ask at once.
    Silent,
}

/// Files that are opened at the same time.
const OPENING: usize = 16;

/// When the folder was last read, and what was in it.
type Look = (DateTime<Utc>, Arc<Shelf>);

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
/// A few small files. A folder that takes longer lies on a share that does not answer.
const DEADLINE: Duration = Duration::from_secs(5);

impl Releases {
    pub fn of(folder: Option<PathBuf>) -> Self {
        Self {
            folder: folder.map(Arc::from),
            read: Arc::default(),
            reading: Arc::default(),
            opening: Arc::new(Semaphore::new(OPENING)),
        }
    }

    /// The file of this name, if a publication can have one. A first byte is read of it: a share that answers so far will
    /// most likely give the rest.
    pub async fn find(&self, name: &str) -> Found {
        let Some(folder) = self.folder.as_ref().filter(|_| name::is_of_publication(name)) else {
            return Found::Nothing;
        };
        let Ok(turn) = Arc::clone(&self.opening).try_acquire_owned() else { return Found::Silent };
        let path = folder.join(name);
        let tried = path.clone();
        let opening = tokio::task::spawn_blocking(move || {
            let begins = begins(&tried);
            drop(turn);
            begins
        });
        match tokio::time::timeout(DEADLINE, opening).await {
            Ok(Ok(true)) => Found::File(path),
            Ok(Ok(false) | Err(_)) => Found::Nothing,
            Err(_) => Found::Silent,
        }
    }

    /// What the folder holds, read again every now and then. Not to be asked inside a transaction: it may wait.
    pub async fn shelf(&self, now: DateTime<Utc>) -> Arc<Shelf> {
        let Some(folder) = &self.folder else { return Arc::new(Shelf::None) };
        match self.last() {
            Some((at, shelf)) if now - at < KEPT && now >= at => shelf,
            last => self.read_again(folder, last.map(|(_, shelf)| shelf), now).await,
        }
    }

    fn last(&self) -> Option<Look> {
        self.read.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// One reads; who comes meanwhile takes what was known before, or waits when nothing was.
    async fn read_again(&self, folder: &Arc<Path>, before: Option<Arc<Shelf>>, now: DateTime<Utc>) -> Arc<Shelf> {
        let turn = match (Arc::clone(&self.reading).try_lock_owned(), before) {
            (Ok(turn), _) => turn,
            (Err(_), Some(before)) => return before,
            (Err(_), None) => match tokio::time::timeout(DEADLINE, Arc::clone(&self.reading).lock_owned()).await {
                Ok(turn) => turn,
                Err(_) => return Arc::new(silent()),
            },
        };
        let folder = Arc::clone(folder);
        let reading = tokio::task::spawn_blocking(move || {
            let shelf = open(&folder, now);
            drop(turn);
            shelf
        });
        let shelf = match tokio::time::timeout(DEADLINE, reading).await {
            Ok(Ok(shelf)) => shelf,
            Ok(Err(_)) | Err(_) => silent(),
        };
        let shelf = Arc::new(shelf);
        *self.read.lock().unwrap_or_else(PoisonError::into_inner) = Some((now, Arc::clone(&shelf)));
        shelf
    }
}

fn begins(path: &Path) -> bool {
    let Ok(mut file) = File::open(path) else { return false };
    file.metadata().is_ok_and(|found| found.is_file()) && file.read(&mut [0]).is_ok()
}

fn silent() -> Shelf {
    Shelf::Unusable("the folder does not answer".to_owned())
}

fn open(folder: &Path, now: DateTime<Utc>) -> Shelf {
    match believe(folder, now) {
        Ok(current) => Shelf::Open(Stock { releases: current.releases, expires: current.expires }),
        Err(Unusable::Missing(name)) => Shelf::Unusable(format!("{name} is missing")),
        Err(Unusable::TooLong(name)) => Shelf::Unusable(format!("{name} is longer than any document")),
        Err(Unusable::Refused(refused)) => Shelf::Unusable(refused.to_string()),
    }
}

enum Unusable {
    Missing(String),
    TooLong(String),
    Refused(Refused),
}

impl From<Refused> for Unusable {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

/// It begins with the folder's own first root: whose releases are believed is for the agents to say.
fn believe(folder: &Path, now: DateTime<Utc>) -> Result<Current, Unusable> {
    let find = |name| read(folder, name);
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

/// No more of a file than a document may have.
fn read(folder: &Path, name: String) -> Result<String, Unusable> {
    let Ok(file) = File::open(folder.join(&name)) else { return Err(Unusable::Missing(name)) };
    let mut text = String::new();
    let longest = limits::UPDATE_DOCUMENT as u64;
    match file.take(longest + 1).read_to_string(&mut text) {
        Ok(length) if length as u64 > longest => Err(Unusable::TooLong(name)),
        Ok(_) => Ok(text),
        Err(_) => Err(Unusable::Missing(name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_document_without_end_is_not_read_to_its_end() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(name::root(1)), vec![b'x'; limits::UPDATE_DOCUMENT + 1]).unwrap();
        let releases = Releases::of(Some(folder.path().to_path_buf()));

        let shelf = releases.shelf(DateTime::UNIX_EPOCH).await;

        assert!(
            matches!(&*shelf, Shelf::Unusable(why) if why == "1.root.json is longer than any document"),
            "{shelf:?}"
        );
    }

    /// A named pipe that nobody writes to hangs whoever opens it, as a share does whose server is away.
    #[tokio::test]
    async fn a_folder_that_hangs_holds_up_nobody_and_costs_one_thread() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join(name::root(1));
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
        assert!(made.success());
        let releases = Releases::of(Some(folder.path().to_path_buf()));
        let at = |minutes| DateTime::UNIX_EPOCH + TimeDelta::minutes(minutes);

        let first = releases.shelf(at(0)).await;
        let begun = std::time::Instant::now();
        let later = releases.shelf(at(1)).await;

        for shelf in [first, later] {
            assert!(matches!(&*shelf, Shelf::Unusable(why) if why == "the folder does not answer"), "{shelf:?}");
        }
        assert!(begun.elapsed() < DEADLINE, "nobody waits for it twice");
        // The reader ends with the pipe.
        drop(File::options().write(true).open(&pipe).unwrap());
    }

    #[tokio::test]
    async fn a_file_that_hangs_costs_no_more_threads_than_may_open_one() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join(name::root(1));
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
        assert!(made.success());
        std::fs::write(folder.path().join(name::root(2)), "a document").unwrap();
        let releases = Releases::of(Some(folder.path().to_path_buf()));

        let hanging: Vec<_> = (0..OPENING).map(|_| releases.clone()).collect();
        let asked = hanging.iter().map(|releases| async move { releases.find(&name::root(1)).await });
        let found = futures_util::future::join_all(asked).await;
        let refused = releases.find(&name::root(1)).await;

        assert!(found.iter().chain([&refused]).all(|found| *found == Found::Silent), "{found:?}");
        assert_eq!(releases.opening.available_permits(), 0, "each is held until its thread is free");
        // They end with the pipe.
        let end = File::options().write(true).open(&pipe).unwrap();
        drop(end);
        while releases.opening.available_permits() < OPENING {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert!(matches!(releases.find(&name::root(2)).await, Found::File(_)));
    }
}
