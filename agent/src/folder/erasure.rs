//! Decides in which order an agent that has ended forgets: first it is an agent no more, then the people go, and the key
//! last. What could not be removed stays owed, and the next start pays it.

use std::io;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use rollcall_protocol::catalogue;

use crate::belongings;
use crate::diagnostic::Diagnostic;
use crate::exit::Exit;
use crate::identity::Identity;
use crate::platform::reason;
use crate::spool::{self, Spool, SpoolError};

/// An identity that has ended, under another name until everything else is gone: even a full disk lets a file be renamed.
fn mark(folder: &Path) -> PathBuf {
    folder.join(belongings::ENDED)
}

/// Whether an earlier erasure did not come to its end.
pub fn is_owed(folder: &Path) -> bool {
    mark(folder).exists()
}

/// Erases everything of the customer. On `Err` it stays owed.
pub fn erase(folder: &Path, now: DateTime<Utc>) -> Result<(), Diagnostic> {
    end_identity(folder).map_err(|error| not_erased(folder, &error))?;
    erase_people(folder, now).map_err(|error| not_erased(folder, &error))?;
    belongings::forget_agent(folder);
    std::fs::remove_file(mark(folder)).or_else(belongings::absent).map_err(|error| not_erased(folder, &error))
}

fn end_identity(folder: &Path) -> io::Result<()> {
    std::fs::rename(Identity::path(folder), mark(folder)).or_else(belongings::absent)
}

/// Overwritten where that can be; a file in which nothing can be written any more is removed whole.
fn erase_people(folder: &Path, now: DateTime<Utc>) -> io::Result<()> {
    if let Err(error) = overwrite(folder, now) {
        tracing::warn!(%error, "the spool cannot be emptied; its files are removed");
        return spool::remove_files(folder);
    }
    Ok(())
}

fn overwrite(folder: &Path, now: DateTime<Utc>) -> Result<(), SpoolError> {
    let (mut spool, _) = Spool::open(folder, now)?;
    spool.wipe()
}

fn not_erased(folder: &Path, error: &io::Error) -> Diagnostic {
    let detail = format!("{}: {}; what this agent kept is not erased yet", folder.display(), reason::of(error));
    Diagnostic::new(catalogue::NOT_WRITABLE, detail, Exit::Failed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn agent() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::write(Identity::path(folder.path()), b"{}").unwrap();
        drop(Spool::open(folder.path(), DateTime::UNIX_EPOCH).unwrap());
        folder
    }

    #[test]
    fn an_agent_that_has_ended_keeps_neither_key_nor_people() {
        let folder = agent();

        erase(folder.path(), DateTime::UNIX_EPOCH).unwrap();

        assert!(!Identity::path(folder.path()).exists() && !is_owed(folder.path()));
    }

    #[test]
    fn a_spool_that_cannot_be_emptied_is_removed() {
        let folder = agent();
        let path = folder.path().join(spool::FILE);
        let locked = rusqlite::Connection::open(&path).unwrap();
        locked.execute_batch("begin immediate").unwrap();

        let erased = erase(folder.path(), DateTime::UNIX_EPOCH);

        assert!(!Identity::path(folder.path()).exists());
        if cfg!(windows) {
            // Windows removes no file that somebody holds open: it stays owed until they let go.
            let told = erased.unwrap_err();
            assert!(told.detail.contains("another program holds it"), "{}", told.detail);
            assert!(is_owed(folder.path()));
            drop(locked);
            erase(folder.path(), DateTime::UNIX_EPOCH).unwrap();
        } else {
            erased.unwrap();
            assert!(!path.exists());
        }
        assert!(!is_owed(folder.path()));
    }

    #[test]
    fn what_cannot_be_removed_stays_owed_and_the_agent_is_none_all_the_same() {
        let folder = agent();
        let path = folder.path().join(spool::FILE);
        fs::remove_file(&path).unwrap();
        // Neither a database nor a file that could be removed.
        fs::create_dir(&path).unwrap();

        let told = erase(folder.path(), DateTime::UNIX_EPOCH).unwrap_err();

        assert_eq!(told.fault, catalogue::NOT_WRITABLE);
        assert!(is_owed(folder.path()) && !Identity::path(folder.path()).exists());
        fs::remove_dir(&path).unwrap();
        erase(folder.path(), DateTime::UNIX_EPOCH).unwrap();
        assert!(!is_owed(folder.path()));
    }
}
