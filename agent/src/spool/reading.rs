//! Keeps what one cycle reads until it is compared: on disk, so that memory does not grow with the directory, and
//! without any durability, since an interrupted reading is worth nothing.

use std::fs;
use std::path::{Path, PathBuf};

use rollcall_protocol::hash::Hash;
use rollcall_protocol::person::Person;
use rusqlite::{Connection, Rows, params};
use uuid::Uuid;

use super::commit::{FoundPerson, get_u64};
use super::{Spool, SpoolError};
use crate::platform::private_file;

/// A person's record as written while reading: complete but for the memberships, which are known only when every
/// selection has been read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft(String);

/// `imports` stands last in the record, so an unfinished one ends like this.
const OPEN_END: &str = "[]}";

impl Draft {
    /// Writes the person's own part.
    pub fn write(person: &Person) -> Result<Self, serde_json::Error> {
        let json = serde_json::to_string(person)?;
        debug_assert!(person.imports.is_empty() && json.ends_with(OPEN_END));
        Ok(Self(json))
    }

    pub fn from_text(text: String) -> Self {
        Self(text)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The finished record's bytes.
    pub fn finish(&self, memberships: &[rollcall_protocol::person::InImport]) -> Result<String, serde_json::Error> {
        let own = self.0.strip_suffix(OPEN_END).unwrap_or(&self.0);
        let mut json = String::with_capacity(self.0.len() + memberships.len() * 128);
        json.push_str(own);
        json.push_str(&serde_json::to_string(memberships)?);
        json.push('}');
        Ok(json)
    }
}

/// Position of a selection in the cycle's list: what a row of the reading carries instead of two GUIDs.
pub type HoldIndex = u16;

/// The reading of one cycle. It disappears with the cycle, whatever becomes of it.
#[derive(Debug)]
pub struct Reading<'a> {
    pub(super) db: &'a Connection,
    file: PathBuf,
}

impl Spool {
    /// Begins a reading; what an interrupted one left behind is thrown away.
    pub fn begin_reading(&mut self) -> Result<(), SpoolError> {
        self.drop_reading();
        let file = self.folder.join(READING_FILE);
        private_file::touch(&file)?;
        self.db.execute("attach database ?1 as reading", [file.to_string_lossy()])?;
        self.db.execute_batch(
            "pragma reading.journal_mode = off;
             pragma reading.synchronous = off;
             pragma reading.cache_size = -8192;
             create table reading.found (
                 id integer primary key,
                 guid blob not null,
                 draft text not null,
                 holds blob not null,
                 hash blob
             );
             begin;",
        )?;
        Ok(())
    }

    /// The reading that was begun.
    pub fn reading(&self) -> Reading<'_> {
        Reading { db: &self.db, file: self.folder.join(READING_FILE) }
    }

    /// Ends the part in which people are added. The index comes only now: sorting once costs a fraction of keeping
    /// random GUIDs in order. It holds all that a comparison needs.
    pub fn finish_reading(&mut self) -> Result<(), SpoolError> {
        Ok(self.db.execute_batch("create index reading.found_in_order on found (guid, holds, hash); commit;")?)
    }

    /// Throws the reading away.
    pub fn drop_reading(&mut self) {
        if !self.db.is_autocommit() {
            let _ = self.db.execute_batch("rollback");
        }
        let _ = self.db.execute_batch("detach database reading");
        for file in files(&self.folder) {
            let _ = fs::remove_file(file);
        }
    }
}

const READING_FILE: &str = "reading.sqlite";

/// Where a reading lies, beside the spool.
pub fn files(folder: &Path) -> [PathBuf; 1] {
    [folder.join(READING_FILE)]
}

impl Reading<'_> {
    /// Adds a person, or another selection that holds them. `hash` is that of the finished record if nothing but these
    /// selections holds the person.
    pub fn add(&self, guid: Uuid, draft: &Draft, holds: &[HoldIndex], hash: Option<Hash>) -> Result<(), SpoolError> {
        let holds: Vec<u8> = holds.iter().flat_map(|index| index.to_be_bytes()).collect();
        let hash = hash.as_ref().map(Hash::as_bytes);
        self.db
            .prepare_cached("insert into reading.found (guid, draft, holds, hash) values (?1, ?2, ?3, ?4)")?
            .execute(params![guid.as_bytes(), draft.as_str(), holds, hash])?;
        Ok(())
    }

    /// The record of a person as it was read first.
    pub fn get_draft(&self, found: &FoundPerson) -> Result<Draft, SpoolError> {
        get_draft(self.db, found)
    }

    /// People found so far.
    pub fn count(&self) -> Result<u64, SpoolError> {
        Ok(self.db.query_row("select count(distinct guid) from reading.found", [], |row| get_u64(row, 0))?)
    }

    /// Where it lies, for reports.
    pub fn file(&self) -> &Path {
        &self.file
    }
}

pub(super) fn get_draft(db: &Connection, found: &FoundPerson) -> Result<Draft, SpoolError> {
    let mut get = db.prepare_cached("select draft from reading.found where id = ?1")?;
    Ok(Draft::from_text(get.query_row([found.row], |row| row.get(0))?))
}

/// Unpacks the selections of a row.
fn holds(packed: &[u8]) -> impl Iterator<Item = HoldIndex> {
    packed.as_chunks::<2>().0.iter().map(|pair| u16::from_be_bytes(*pair))
}

/// The people of a reading by ascending GUID, each once with all selections that hold them.
pub(super) struct FoundRows<'s> {
    rows: Rows<'s>,
    ahead: Option<(Uuid, FoundPerson)>,
}

pub(super) const FOUND_IN_ORDER: &str = "select guid, id, holds, hash from reading.found order by guid";

impl<'s> FoundRows<'s> {
    pub fn new(rows: Rows<'s>) -> Self {
        Self { rows, ahead: None }
    }

    pub fn next(&mut self) -> Result<Option<(Uuid, FoundPerson)>, SpoolError> {
        let first = self.ahead.take().map_or_else(|| self.step(), |ahead| Ok(Some(ahead)))?;
        let Some((guid, mut person)) = first else { return Ok(None) };
        while let Some((next, other)) = self.step()? {
            if next != guid {
                self.ahead = Some((next, other));
                break;
            }
            person.join(other);
        }
        Ok(Some((guid, person)))
    }

    fn step(&mut self) -> Result<Option<(Uuid, FoundPerson)>, SpoolError> {
        let Some(row) = self.rows.next()? else { return Ok(None) };
        let guid: [u8; 16] = row.get(0)?;
        let packed = row.get_ref(2)?.as_blob().map_err(|_| SpoolError::Unreadable)?;
        let hash: Option<[u8; 32]> = row.get(3)?;
        let person = FoundPerson { row: row.get(1)?, holds: holds(packed).collect(), hash: hash.map(Hash::from_bytes) };
        Ok(Some((Uuid::from_bytes(guid), person)))
    }
}

impl FoundPerson {
    /// Another selection holds the same person: the first record stands, and its hash is one of other memberships.
    fn join(&mut self, other: Self) {
        self.row = self.row.min(other.row);
        self.holds.extend(other.holds);
        self.holds.sort_unstable();
        self.holds.dedup();
        self.hash = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rollcall_protocol::person::{InImport, PersonRecord};

    #[test]
    fn a_finished_draft_has_the_bytes_of_the_whole_record() {
        let mut ana = Person { guid: Uuid::from_u128(1), dn: "CN=Ana [];}".into(), ..Person::default() };
        let draft = Draft::write(&ana).unwrap();
        ana.imports = vec![InImport { import: Uuid::from_u128(2), via: vec![Uuid::from_u128(3)] }];

        let whole = PersonRecord::write(ana.clone()).unwrap();

        assert_eq!(draft.finish(&ana.imports).unwrap(), whole.json);
    }

    #[test]
    fn an_interrupted_reading_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let (mut spool, _) = Spool::open(folder.path(), chrono::DateTime::UNIX_EPOCH).unwrap();
        let draft = Draft::write(&Person::default()).unwrap();
        spool.begin_reading().unwrap();
        spool.reading().add(Uuid::from_u128(1), &draft, &[0], None).unwrap();

        spool.begin_reading().unwrap();

        assert_eq!(spool.reading().count().unwrap(), 0);
    }

    fn begun(folder: &Path) -> Spool {
        let (mut spool, _) = Spool::open(folder, chrono::DateTime::UNIX_EPOCH).unwrap();
        spool.begin_reading().unwrap();
        spool
    }

    fn is_left(folder: &Path) -> bool {
        files(folder).iter().any(|file| file.exists())
    }

    #[test]
    fn a_reading_goes_with_its_spool_with_a_wipe_and_at_the_next_start() {
        let folder = tempfile::tempdir().unwrap();
        drop(begun(folder.path()));
        assert!(!is_left(folder.path()), "after its process let go of it");

        begun(folder.path()).wipe().unwrap();
        assert!(!is_left(folder.path()), "after a wipe");

        fs::write(folder.path().join(READING_FILE), b"of a process that was killed").unwrap();
        Spool::open(folder.path(), chrono::DateTime::UNIX_EPOCH).unwrap();
        assert!(!is_left(folder.path()), "after the next start");
    }

    #[test]
    fn who_only_looks_at_a_spool_leaves_its_reading_alone() {
        let folder = tempfile::tempdir().unwrap();
        let _reads = begun(folder.path());

        drop(Spool::open_to_look(folder.path()).unwrap());

        assert!(is_left(folder.path()));
    }
}
