//! Where fetched versions and what is known of them lie: the folder `versions` of the data folder.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use rollcall_protocol::update::Version;
use rollcall_protocol::update::arriving::Arriving;
use rollcall_protocol::update::metadata::{Platform, Release};
use rollcall_protocol::update::trust::Remembered;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::files::{self, Files};
use super::ledger::{Installed, Ledger};
use crate::belongings;

const PROGRAM: &str = if cfg!(windows) { "rollcall-agent.exe" } else { "rollcall-agent" };
const INCOMING: &str = "incoming";
const MARK: &str = "reached-the-cloud";
const LEDGER: &str = "ledger.json";
const STAGED: &str = "staged.json";
const TRUSTED: &str = "trusted.json";

/// The folder `versions`.
#[derive(Debug, Clone)]
pub struct Store {
    folder: PathBuf,
}

impl Store {
    pub fn new(data: &Path) -> Self {
        Self { folder: data.join(belongings::VERSIONS) }
    }

    fn of(&self, version: &Version) -> PathBuf {
        self.folder.join(version.to_string())
    }

    pub fn program(&self, version: &Version) -> PathBuf {
        self.of(version).join(PROGRAM)
    }

    /// Whether this version has reached the cloud since it was installed.
    pub fn has_mark(&self, version: &Version) -> bool {
        self.of(version).join(MARK).exists()
    }

    /// Leaves the mark, if this version was fetched; the installer's needs none.
    pub fn leave_mark(&self, files: &mut impl Files, version: &Version) -> io::Result<()> {
        let folder = self.of(version);
        if !folder.is_dir() || self.has_mark(version) {
            return Ok(());
        }
        files::replace(files, &folder.join(MARK), b"")
    }

    /// The ledger, with a freshly fetched program admitted to its trial. A damaged one is as good as none.
    pub fn open(&self, now: DateTime<Utc>) -> Ledger {
        let mut ledger: Ledger = self.read(LEDGER).unwrap_or_default();
        if let Some(staged) = self.read::<Installed>(STAGED) {
            ledger.admit(staged, now);
        }
        ledger
    }

    /// Keeps the ledger; only then is what was staged forgotten, so that a cut between the two loses nothing.
    pub fn write(&self, files: &mut impl Files, ledger: &Ledger) -> io::Result<()> {
        if *ledger == Ledger::default() && !self.folder.exists() {
            return Ok(());
        }
        self.replace(files, LEDGER, ledger)?;
        files.remove(&self.folder.join(STAGED))
    }

    pub fn remembered(&self) -> Option<Remembered> {
        self.read(TRUSTED)
    }

    pub fn remember(&self, files: &mut impl Files, remembered: &Remembered) -> io::Result<()> {
        files.make_folder(&self.folder)?;
        self.replace(files, TRUSTED, remembered)
    }

    /// Whether the program on the disk is, byte for byte, the verified one.
    pub fn is_sound(&self, installed: &Installed) -> bool {
        self.check(installed).unwrap_or(false)
    }

    fn check(&self, installed: &Installed) -> io::Result<bool> {
        let mut file = File::open(self.program(&installed.version))?;
        let mut arriving = Arriving::new(&Release {
            version: installed.version.clone(),
            platform: Platform::here(),
            length: installed.length,
            sha256: installed.sha256,
            published_at: None,
        });
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let read = file.read(&mut buffer)?;
            if read == 0 {
                return Ok(arriving.finish().is_ok());
            }
            if arriving.take(&buffer[..read]).is_err() {
                return Ok(false);
            }
        }
    }

    /// Makes room for a program that comes now.
    pub fn receive<'a, F: Files>(&self, files: &'a mut F, version: &Version) -> io::Result<Incoming<'a, F>> {
        let folder = self.of(version);
        files.make_folder(&folder)?;
        files.remove(&folder.join(MARK))?;
        files.create(&folder.join(INCOMING))?;
        Ok(Incoming { files, folder })
    }

    /// Puts a whole and verified program in line for its trial.
    pub fn stage(&self, files: &mut impl Files, installed: &Installed) -> io::Result<()> {
        files.sync_folder(&self.folder)?;
        self.replace(files, STAGED, installed)
    }

    /// Removes the versions that nobody will start again.
    pub fn tidy(&self, files: &mut impl Files, ledger: &Ledger) -> io::Result<()> {
        let kept: Vec<PathBuf> = ledger.kept().map(|program| self.of(&program.version)).collect();
        let Ok(entries) = fs::read_dir(&self.folder) else { return Ok(()) };
        for entry in entries {
            let path = entry?.path();
            if path.is_dir() && !kept.contains(&path) {
                files.remove(&path)?;
            }
        }
        Ok(())
    }

    fn read<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        serde_json::from_slice(&fs::read(self.folder.join(name)).ok()?).ok()
    }

    fn replace(&self, files: &mut impl Files, name: &str, value: &impl Serialize) -> io::Result<()> {
        files::replace(files, &self.folder.join(name), &serde_json::to_vec_pretty(value)?)
    }
}

/// A program on its way to the disk.
#[derive(Debug)]
pub struct Incoming<'a, F> {
    files: &'a mut F,
    folder: PathBuf,
}

impl<F: Files> Incoming<'_, F> {
    pub fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.files.append(&self.folder.join(INCOMING), bytes)
    }

    /// Gives the whole program its name.
    pub fn finish(self) -> io::Result<()> {
        let incoming = self.folder.join(INCOMING);
        self.files.make_executable(&incoming)?;
        self.files.sync(&incoming)?;
        self.files.rename(&incoming, &self.folder.join(PROGRAM))?;
        self.files.sync_folder(&self.folder)
    }

    pub fn abandon(self) {
        let _ = self.files.remove(&self.folder.join(INCOMING));
    }
}

#[cfg(test)]
mod tests;
