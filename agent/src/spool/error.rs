//! Decides what a failure of the spool means: nothing can be written now, or what is written cannot be trusted.

use rusqlite::{ErrorCode, ffi};

use crate::platform::reason;

/// Why the spool could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// The disk is full or read-only, or another program holds the file: the same file may do again later.
    #[error("the spool cannot be written: {0}")]
    Unwritable(String),
    /// What is there is not what was written.
    #[error("the spool is damaged: {0}")]
    Damaged(String),
    #[error("the spool holds something that this version cannot read")]
    Unreadable,
    /// Somebody removed the file while it was open, or put another one in its place.
    #[error("the spool's file was removed or replaced")]
    Gone,
}

impl From<rusqlite::Error> for SpoolError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error() {
            Some(sqlite) if is_of_the_disk(*sqlite) => Self::Unwritable(error.to_string()),
            // Neither a broken rule of the tables nor a value of the wrong kind comes from what we wrote.
            Some(_) | None => Self::Damaged(error.to_string()),
        }
    }
}

/// A disk that does not give back what it holds has lost it; every other trouble of the disk may pass.
fn is_of_the_disk(error: ffi::Error) -> bool {
    let is_lost = matches!(error.extended_code, ffi::SQLITE_IOERR_READ | ffi::SQLITE_IOERR_SHORT_READ);
    let may_pass = matches!(
        error.code,
        ErrorCode::SystemIoFailure
            | ErrorCode::PermissionDenied
            | ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::OutOfMemory
            | ErrorCode::ReadOnly
            | ErrorCode::OperationInterrupted
            | ErrorCode::DiskFull
            | ErrorCode::CannotOpen
            | ErrorCode::FileLockingProtocolFailed
            | ErrorCode::NoLargeFileSupport
    );
    may_pass && !is_lost
}

impl From<std::io::Error> for SpoolError {
    fn from(error: std::io::Error) -> Self {
        Self::Unwritable(reason::of(&error))
    }
}

impl From<serde_json::Error> for SpoolError {
    fn from(_: serde_json::Error) -> Self {
        Self::Unreadable
    }
}
