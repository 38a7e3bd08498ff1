//! Lets one process at a time write the data folder.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;

use rollcall_protocol::catalogue;

use crate::belongings::LOCK;
use crate::diagnostic::Diagnostic;
use crate::exit::Exit;
use crate::platform::private_file;

/// Held as long as a process may write the data folder.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// Makes the data folder if need be and takes its lock.
pub fn take(folder: &Path) -> Result<Lock, Diagnostic> {
    let not_writable = |error: io::Error| Diagnostic::not_writable(folder, &error);
    private_file::make_folder(folder).map_err(not_writable)?;
    let path = folder.join(LOCK);
    // On a full or read-only disk the lock of an earlier start is as good.
    let file = File::create(&path).or_else(|error| File::open(&path).map_err(|_| error)).map_err(not_writable)?;
    match file.try_lock() {
        Ok(()) => Ok(Lock { _file: file }),
        Err(TryLockError::WouldBlock) => {
            Err(Diagnostic::new(catalogue::ALREADY_RUNNING, folder.display(), Exit::Failed))
        }
        Err(TryLockError::Error(error)) => Err(not_writable(error)),
    }
}

/// Whether a service holds the folder right now.
pub fn is_held(folder: &Path) -> bool {
    let file = File::open(folder.join(LOCK));
    file.is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_process_at_a_time_writes_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let held = take(folder.path()).unwrap();

        let second = take(folder.path()).unwrap_err();

        assert_eq!(second.fault.code, "RC-1011");
        assert!(is_held(folder.path()));
        drop(held);
        assert!(!is_held(folder.path()));
        assert!(take(folder.path()).is_ok());
    }
}
