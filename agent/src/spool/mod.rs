//! Keeps what the agent must not lose: the acknowledged snapshot, the one cycle on its way, and the ledger of what left.
//!
//! One SQLite file, WAL and `synchronous=FULL`. A directory can always be read again, so a damaged file is put aside and
//! the agent begins a new epoch instead of repairing anything.

pub mod error;
pub mod witness;
pub mod state;
pub mod memberships;
pub mod snapshot;
mod drafts;
mod ticks;
pub mod reading;
pub mod commit;
pub mod outgoing;
pub mod fold;
pub mod ledger;

use std::fs;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use rusqlite::{Connection, OpenFlags};

pub use self::error::SpoolError;
use crate::platform::private_file::{self, FileId};

/// The file's name in the data folder.
pub const FILE: &str = "spool.sqlite";

/// The open spool. One process at a time writes it; others may look.
#[derive(Debug)]
pub struct Spool {
    db: Connection,
    folder: PathBuf,
    /// Which file was opened; a file of the same name may be another one by now.
    opened: FileId,
    reading: Option<reading::OpenReading>,
    right: Right,
}

/// What may be done with an open spool. Who only looks must leave alone what the one that writes is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Right {
    Look,
    Write,
}

/// How the spool was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    Sound,
    /// There was none.
    Begun,
    /// It was damaged and is now beside the new, empty one.
    SetAside,
    /// It is older than what this machine has already sent, as after the restore of a backup.
    Older,
}

impl Spool {
    /// Opens or makes the spool in the agent's data folder. A damaged one is put aside; one that is older than what was
    /// sent keeps its people but loses its place in the chain.
    pub fn open(folder: &Path, now: DateTime<Utc>) -> Result<(Self, Found), SpoolError> {
        // A killed process could not throw its reading away, and it holds people.
        for file in reading::files(folder) {
            let _ = fs::remove_file(file);
        }
        let was_there = folder.join(FILE).exists();
        match Self::open_sound(folder) {
            Ok(mut spool) if was_there => {
                let found = spool.compare_with_witness()?;
                Ok((spool, found))
            }
            Ok(spool) => Ok((spool, Found::Begun)),
            Err(SpoolError::Damaged(_) | SpoolError::Unreadable | SpoolError::Gone) => {
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
        let opened = private_file::id(&path)?;
        let db = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        db.busy_timeout(BUSY)?;
        Ok(Some(Self { db, folder: folder.to_owned(), opened, reading: None, right: Right::Look }))
    }

    fn open_sound(folder: &Path) -> Result<Self, SpoolError> {
        let path = folder.join(FILE);
        private_file::touch(&path)?;
        let opened = private_file::id(&path)?;
        let db = Connection::open(path)?;
        db.busy_timeout(BUSY)?;
        db.execute_batch(
            "pragma journal_mode = wal;
             pragma synchronous = full;
             pragma cache_size = -12288;
             pragma cell_size_check = on;
             pragma wal_autocheckpoint = 4096;
             pragma journal_size_limit = 16777216;",
        )?;
        db.pragma_update(None, "max_page_count", MOST_PAGES)?;
        make_tables(&db)?;
        let spool = Self { db, folder: folder.to_owned(), opened, reading: None, right: Right::Write };
        spool.state()?;
        Ok(spool)
    }

    /// Whether the file that was opened still stands in its place. SQLite would go on writing into a removed one.
    pub fn check_in_place(&self) -> Result<(), SpoolError> {
        match private_file::id(&self.folder.join(FILE)) {
            Ok(id) if id == self.opened => Ok(()),
            Ok(_) => Err(SpoolError::Gone),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(SpoolError::Gone),
            Err(error) => Err(error.into()),
        }
    }

    /// Looks at the whole file, after something has gone wrong with it.
    pub fn check_sound(&self) -> Result<(), SpoolError> {
        let verdict: String = self.db.query_row("pragma integrity_check(1)", [], |row| row.get(0))?;
        if verdict == "ok" { Ok(()) } else { Err(SpoolError::Damaged(verdict)) }
    }

    /// Writes what stands there already, to learn whether anything can be written.
    pub fn check_writable(&mut self) -> Result<(), SpoolError> {
        state::write(&self.db, &self.state()?)
    }

    fn compare_with_witness(&mut self) -> Result<Found, SpoolError> {
        let witnessed = witness::find(&self.folder);
        match (witness::judge(witnessed, self.state()?.chain), self.state()?.chain) {
            (witness::Age::Older, _) => {
                tracing::warn!("the spool is older than what was sent; its place in the chain is given up");
                self.lose_place()?;
                Ok(Found::Older)
            }
            (witness::Age::Current, Some(head)) if witnessed != Some(head) => {
                witness::note(&self.folder, head)?;
                Ok(Found::Sound)
            }
            (witness::Age::Current, _) => Ok(Found::Sound),
        }
    }

    /// The newest epoch that this machine has worked in; 0 if none is known.
    pub fn last_epoch(&self) -> u64 {
        witness::find(&self.folder).map_or(0, |head| head.epoch)
    }
}

/// Whoever was read stays no longer than the one who reads. A process that ends before this is called leaves them to
/// [`remove_reading`], or to its next start.
impl Drop for Spool {
    fn drop(&mut self) {
        match self.right {
            Right::Look => {}
            Right::Write => self.drop_reading(),
        }
    }
}

/// Removes what a reading has written so far, where the system lets go of files that are open.
pub fn remove_reading(folder: &Path) {
    for file in reading::files(folder) {
        let _ = fs::remove_file(file);
    }
}

/// Removes the files themselves: for a disk on which nothing can be written, so that nothing can be deleted inside them.
pub fn remove_files(folder: &Path) -> std::io::Result<()> {
    let absent = |error: std::io::Error| if error.kind() == std::io::ErrorKind::NotFound { Ok(()) } else { Err(error) };
    let own = [FILE, "spool.sqlite-wal", "spool.sqlite-shm", "spool.damaged.sqlite"].map(|name| folder.join(name));
    let reading = reading::files(folder);
    let removed = own.iter().chain(&reading).map(|file| fs::remove_file(file).or_else(absent));
    // All of them are tried, whatever becomes of one.
    let failed: Vec<std::io::Error> = removed.filter_map(Result::err).collect();
    witness::forget(folder);
    failed.into_iter().next().map_or(Ok(()), Err)
}

/// Short, since the check-in waits meanwhile; whoever needs longer is met by trying again.
const BUSY: std::time::Duration = std::time::Duration::from_secs(2);

/// 4 GiB: a snapshot of a million people, the same once more in batches on their way, and the ledger.
const MOST_PAGES: i64 = 1_048_576;

/// The form of the tables below. A file of another form is put aside; the directory is read again.
const FORMAT: i64 = 3;

fn make_tables(db: &Connection) -> Result<(), SpoolError> {
    let format: i64 = db.query_row("pragma user_version", [], |row| row.get(0))?;
    let tables: i64 = db.query_row("select count(*) from sqlite_master", [], |row| row.get(0))?;
    match (format, tables) {
        (FORMAT, 1..) => Ok(()),
        (2, 1..) => Ok(db.execute_batch(FROM_2)?),
        (0, 0) => {
            db.execute_batch(SCHEMA)?;
            Ok(db.pragma_update(None, "user_version", FORMAT)?)
        }
        _ => Err(SpoolError::Unreadable),
    }
}

/// The form before kept those who go in a table that had room for more.
const FROM_2: &str = "
begin;
create table gone (guid blob primary key) without rowid;
insert into gone (guid) select guid from staged;
drop table staged;
pragma user_version = 3;
commit;
";

/// `sum` is a SHA-256 over the rest of its row: SQLite itself does not notice a flipped bit inside a value.
const SCHEMA: &str = "
begin;
create table state (id integer primary key check (id = 1), json text not null, sum blob not null);
create table person (
    id integer primary key,
    guid blob not null unique,
    hash blob not null,
    imports blob not null,
    json text not null
);
create index person_in_order on person (guid, hash, imports);
create table gone (guid blob primary key) without rowid;
create table missed (
    guid blob primary key,
    first_missed_at text not null,
    ntds_guid blob not null,
    invocation_id blob not null,
    sum blob not null
) without rowid;
create table batch (
    seq integer primary key,
    jws text not null,
    sum blob not null,
    body blob not null,
    tried integer not null
);
create table sent (
    id integer primary key,
    epoch integer not null,
    seq integer not null,
    sent_at text not null,
    jws text not null,
    sum blob not null,
    body blob not null,
    unique (epoch, seq)
);
commit;
";

/// Keeps the damaged file for whoever wants to know; only the last one, so that it cannot fill the disk.
pub fn set_aside(folder: &Path, now: DateTime<Utc>) -> Result<(), SpoolError> {
    tracing::warn!(at = %now, "the spool was damaged and is put aside");
    let absent = |error: std::io::Error| if error.kind() == std::io::ErrorKind::NotFound { Ok(()) } else { Err(error) };
    fs::rename(folder.join(FILE), folder.join("spool.damaged.sqlite")).or_else(absent)?;
    for rest in ["spool.sqlite-wal", "spool.sqlite-shm"] {
        fs::remove_file(folder.join(rest)).or_else(absent)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spool_of_the_form_before_goes_on_where_it_was() {
        let folder = tempfile::tempdir().unwrap();
        drop(Spool::open(folder.path(), DateTime::UNIX_EPOCH).unwrap());
        let before = "drop table gone;
            create table staged (id integer primary key, guid blob not null unique, hash blob, imports blob, json text);
            insert into staged (guid) values (x'01');
            pragma user_version = 2;";
        Connection::open(folder.path().join(FILE)).unwrap().execute_batch(before).unwrap();

        let (spool, found) = Spool::open(folder.path(), DateTime::UNIX_EPOCH).unwrap();

        assert_eq!(found, Found::Sound);
        let gone: Vec<u8> = spool.db.query_row("select guid from gone", [], |row| row.get(0)).unwrap();
        assert_eq!(gone, [1]);
        assert!(spool.db.query_row("select count(*) from staged", [], |row| row.get::<_, i64>(0)).is_err());
    }

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

    #[cfg(unix)]
    #[test]
    fn nobody_else_may_read_the_spool() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(FILE), b"").unwrap();

        let (mut spool, _) = Spool::open(folder.path(), DateTime::UNIX_EPOCH).unwrap();
        spool.begin_reading(reading::Visits::Once).unwrap();

        for file in fs::read_dir(folder.path()).unwrap().map(Result::unwrap) {
            assert!(!private_file::is_readable_by_others(&file.path()).unwrap(), "{file:?}");
        }
    }

    // Windows lets nobody do that to an open file.
    #[cfg(unix)]
    #[test]
    fn a_file_that_was_removed_or_replaced_under_us_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let (spool, _) = Spool::open(folder.path(), DateTime::UNIX_EPOCH).unwrap();
        assert!(spool.check_in_place().is_ok());

        fs::rename(folder.path().join(FILE), folder.path().join("away")).unwrap();
        assert!(matches!(spool.check_in_place(), Err(SpoolError::Gone)));

        fs::copy(folder.path().join("away"), folder.path().join(FILE)).unwrap();
        assert!(matches!(spool.check_in_place(), Err(SpoolError::Gone)));
    }

    #[test]
    fn a_locked_file_is_unwritable_and_sound_once_it_is_free() {
        let folder = tempfile::tempdir().unwrap();
        let (mut spool, _) = Spool::open(folder.path(), DateTime::UNIX_EPOCH).unwrap();
        spool.db.busy_timeout(std::time::Duration::ZERO).unwrap();
        let other = Connection::open(folder.path().join(FILE)).unwrap();
        other.execute_batch("begin immediate").unwrap();
        assert!(matches!(spool.check_writable(), Err(SpoolError::Unwritable(_))));

        other.execute_batch("rollback").unwrap();

        spool.check_writable().unwrap();
    }

    #[test]
    fn a_spool_that_may_not_grow_is_unwritable_and_keeps_what_it_has() {
        let folder = tempfile::tempdir().unwrap();
        let (spool, _) = Spool::open(folder.path(), DateTime::UNIX_EPOCH).unwrap();
        let pages: i64 = spool.db.query_row("pragma page_count", [], |row| row.get(0)).unwrap();
        spool.db.pragma_update(None, "max_page_count", pages).unwrap();
        let state = spool.state().unwrap();

        let big = vec![0_u8; 100_000];
        let seen = spool.db.execute("insert into batch values (1, '', x'', ?1, 0)", [big]).map_err(SpoolError::from);

        assert!(matches!(seen, Err(SpoolError::Unwritable(_))), "{seen:?}");
        assert_eq!(spool.state().unwrap(), state);
    }

    #[test]
    fn a_spool_of_another_form_is_put_aside() {
        let folder = tempfile::tempdir().unwrap();
        let old = Connection::open(folder.path().join(FILE)).unwrap();
        old.execute_batch("create table state (id integer primary key, json text)").unwrap();
        drop(old);

        let (_, found) = Spool::open(folder.path(), DateTime::UNIX_EPOCH).unwrap();

        assert_eq!(found, Found::SetAside);
    }

    #[test]
    fn a_spool_from_a_backup_keeps_its_people_and_gives_its_place_up() {
        use rollcall_protocol::chain::Epoch;
        use rollcall_protocol::hash::Hash;
        let folder = tempfile::tempdir().unwrap();
        let (mut spool, _) = Spool::open(folder.path(), DateTime::UNIX_EPOCH).unwrap();
        let start = Hash::of(b"start");
        spool.begin_epoch(Epoch { number: 1, start }).unwrap();
        drop(spool);
        let backup = fs::read(folder.path().join(FILE)).unwrap();
        let (mut spool, _) = Spool::open(folder.path(), DateTime::UNIX_EPOCH).unwrap();
        spool.begin_epoch(Epoch { number: 2, start }).unwrap();
        drop(spool);

        fs::write(folder.path().join(FILE), backup).unwrap();
        let (spool, found) = Spool::open(folder.path(), DateTime::UNIX_EPOCH).unwrap();

        assert_eq!(found, Found::Older);
        assert_eq!(spool.state().unwrap().chain, None);
        assert_eq!(spool.last_epoch(), 2);
    }
}
