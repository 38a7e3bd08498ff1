//! Keeps what the agent must not lose: the acknowledged snapshot, the one cycle on its way, and the ledger of what left.
//!
//! One SQLite file, WAL and `synchronous=FULL`. A directory can always be read again, so a damaged file is put aside and
//! the agent begins a new epoch instead of repairing anything.

pub mod state;
pub mod memberships;
pub mod snapshot;
pub mod reading;
pub mod commit;
pub mod outgoing;
pub mod ledger;

use std::fs;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use rusqlite::{Connection, OpenFlags};

/// The file's name in the data folder.
pub const FILE: &str = "spool.sqlite";

/// Why the spool could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    #[error("the spool cannot be written: {0}")]
    Unwritable(String),
    #[error("the spool is damaged: {0}")]
    Damaged(String),
    #[error("the spool holds something that this version cannot read")]
    Unreadable,
}

impl From<rusqlite::Error> for SpoolError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode;
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Damaged(error.to_string()),
            _ => Self::Unwritable(error.to_string()),
        }
    }
}

impl From<serde_json::Error> for SpoolError {
    fn from(_: serde_json::Error) -> Self {
        Self::Unreadable
    }
}

/// The open spool. One process at a time writes it; others may look.
#[derive(Debug)]
pub struct Spool {
    db: Connection,
    folder: PathBuf,
}

/// How the spool was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    Sound,
    /// It was damaged and is now beside the new, empty one.
    SetAside,
}

impl Spool {
    /// Opens or makes the spool in the agent's data folder. A damaged one is put aside.
    pub fn open(folder: &Path, now: DateTime<Utc>) -> Result<(Self, Found), SpoolError> {
        match Self::open_sound(folder) {
            Ok(spool) => Ok((spool, Found::Sound)),
            Err(SpoolError::Damaged(_) | SpoolError::Unreadable) => {
                set_aside(folder, now)?;
                Ok((Self::open_sound(folder)?, Found::SetAside))
            }
            Err(unwritable @ SpoolError::Unwritable(_)) => Err(unwritable),
        }
    }

    /// Opens the spool only to look at it, beside a running service. `None` when there is none yet.
    pub fn open_to_look(folder: &Path) -> Result<Option<Self>, SpoolError> {
        let path = folder.join(FILE);
        if !path.exists() {
            return Ok(None);
        }
        let db = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        db.busy_timeout(BUSY)?;
        Ok(Some(Self { db, folder: folder.to_owned() }))
    }

    fn open_sound(folder: &Path) -> Result<Self, SpoolError> {
        let db = Connection::open(folder.join(FILE))?;
        db.busy_timeout(BUSY)?;
        db.execute_batch(
            "pragma journal_mode = wal;
             pragma synchronous = full;
             pragma cache_size = -4096;
             pragma journal_size_limit = 16777216;",
        )?;
        let verdict: String = db.query_row("pragma quick_check(1)", [], |row| row.get(0))?;
        if verdict != "ok" {
            return Err(SpoolError::Damaged(verdict));
        }
        db.execute_batch(SCHEMA)?;
        let spool = Self { db, folder: folder.to_owned() };
        spool.state()?;
        Ok(spool)
    }
}

const BUSY: std::time::Duration = std::time::Duration::from_secs(5);

const SCHEMA: &str = "
create table if not exists state (id integer primary key check (id = 1), json text not null);
create table if not exists person (
    id integer primary key,
    guid blob not null unique,
    hash blob not null,
    imports blob not null,
    json text not null
);
create index if not exists person_in_order on person (guid, hash, imports);
create table if not exists staged (
    id integer primary key,
    guid blob not null unique,
    hash blob,
    imports blob,
    json text
);
create table if not exists missed (
    guid blob primary key,
    first_missed_at text not null,
    ntds_guid blob not null,
    invocation_id blob not null
) without rowid;
create table if not exists batch (
    seq integer primary key,
    jws text not null,
    body blob not null,
    items integer not null,
    place text not null
);
create table if not exists sent (
    id integer primary key,
    epoch integer not null,
    seq integer not null,
    cycle blob not null,
    items integer not null,
    sent_at text not null,
    jws text not null,
    body blob not null,
    unique (epoch, seq)
);
";

/// Keeps the damaged file for whoever wants to know; only the last one, so that it cannot fill the disk.
fn set_aside(folder: &Path, now: DateTime<Utc>) -> Result<(), SpoolError> {
    let unwritable = |error: std::io::Error| SpoolError::Unwritable(error.to_string());
    tracing::warn!(at = %now, "the spool was damaged and is put aside");
    fs::rename(folder.join(FILE), folder.join("spool.damaged.sqlite")).map_err(unwritable)?;
    for rest in ["spool.sqlite-wal", "spool.sqlite-shm"] {
        match fs::remove_file(folder.join(rest)) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(unwritable(error)),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_spool_is_put_aside_and_a_new_one_begins() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(FILE), vec![0x55; 8192]).unwrap();

        let (spool, found) = Spool::open(folder.path(), DateTime::UNIX_EPOCH).unwrap();

        assert_eq!(found, Found::SetAside);
        assert!(spool.state().unwrap().chain.is_none());
        assert!(folder.path().join("spool.damaged.sqlite").exists());
    }

    #[test]
    fn a_folder_that_is_not_there_is_told_as_unwritable() {
        let seen = Spool::open(Path::new("/nonexistent/rollcall"), DateTime::UNIX_EPOCH);

        assert!(matches!(seen, Err(SpoolError::Unwritable(_))), "{seen:?}");
    }
}
