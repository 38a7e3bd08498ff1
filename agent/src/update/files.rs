//! The few things done to files on the way to a new version, one by one, so that the power can be cut between any two.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use crate::platform::private_file;

/// A disk, or in tests one that loses power.
pub trait Files: Send {
    fn make_folder(&mut self, path: &Path) -> io::Result<()>;
    /// Empty and private; what was there before is gone.
    fn create(&mut self, path: &Path) -> io::Result<()>;
    fn append(&mut self, path: &Path, bytes: &[u8]) -> io::Result<()>;
    /// Only after this do the bytes outlast a power cut.
    fn sync(&mut self, path: &Path) -> io::Result<()>;
    fn make_executable(&mut self, path: &Path) -> io::Result<()>;
    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()>;
    /// Only after this do names in the folder outlast a power cut.
    fn sync_folder(&mut self, path: &Path) -> io::Result<()>;
    /// A file or a whole folder; one that is not there is fine.
    fn remove(&mut self, path: &Path) -> io::Result<()>;
}

/// The machine's own.
#[derive(Debug, Clone, Copy, Default)]
pub struct Disk;

impl Files for Disk {
    fn make_folder(&mut self, path: &Path) -> io::Result<()> {
        private_file::make_folder(path)
    }

    fn create(&mut self, path: &Path) -> io::Result<()> {
        self.remove(path)?;
        private_file::create(path).map(drop)
    }

    fn append(&mut self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        OpenOptions::new().append(true).open(path)?.write_all(bytes)
    }

    fn sync(&mut self, path: &Path) -> io::Result<()> {
        OpenOptions::new().append(true).open(path)?.sync_all()
    }

    fn make_executable(&mut self, path: &Path) -> io::Result<()> {
        private_file::make_executable(path)
    }

    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        private_file::rename(from, to)
    }

    fn sync_folder(&mut self, path: &Path) -> io::Result<()> {
        private_file::sync_folder(path)
    }

    fn remove(&mut self, path: &Path) -> io::Result<()> {
        let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
        match removed {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

/// Replaces a file whole: at every moment there is the old one or the new one.
pub fn replace(files: &mut impl Files, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let beside = path.with_added_extension("new");
    files.create(&beside)?;
    files.append(&beside, bytes)?;
    files.sync(&beside)?;
    files.rename(&beside, path)?;
    path.parent().map_or(Ok(()), |folder| files.sync_folder(folder))
}
