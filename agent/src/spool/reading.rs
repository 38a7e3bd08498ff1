//! Keeps what one cycle reads until it is compared: on disk, so that memory does not grow with the directory, and
//! without any durability, since an interrupted reading is worth nothing.
//!
//! Somebody whose record is the acknowledged one to the byte is only ticked off; of everybody else the record goes to
//! the end of a plain file, and a table says whose it is.

use std::cell::RefCell;
use std::fs;
use std::path::{Path, PathBuf};

use rollcall_protocol::hash::Hash;
use rollcall_protocol::person::{InImport, Person};
use rusqlite::{Connection, OptionalExtension, Rows, params};
use uuid::Uuid;

use super::commit::{FoundPerson, get_u64, to_sql};
use super::drafts::Drafts;
use super::ticks::Ticks;
use super::{Spool, SpoolError};
use crate::platform::private_file;

/// A person's record as written while reading: complete but for the memberships, which are known only when every
/// selection has been read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft(String);

/// `imports` stands last in the record, so an unfinished one ends like this.
const OPEN_END: &str = "[]}";
const USUAL_LENGTH: usize = 1_024;

impl Draft {
    /// Writes the person's own part.
    pub fn write(person: &Person) -> Result<Self, serde_json::Error> {
        let mut json = Vec::with_capacity(USUAL_LENGTH);
        serde_json::to_writer(&mut json, person)?;
        let json = String::from_utf8(json).map_err(serde::ser::Error::custom)?;
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
    pub fn finish(&self, memberships: &[InImport]) -> Result<String, serde_json::Error> {
        Ok([self.own(), &Self::end_of(memberships)?].concat())
    }

    /// What follows the person's own part in the finished record.
    pub fn end_of(memberships: &[InImport]) -> Result<String, serde_json::Error> {
        Ok(serde_json::to_string(memberships)? + "}")
    }

    /// The hash of the record that ends like this.
    pub fn hash_with(&self, end: &str) -> Hash {
        Hash::of_all(&[self.own().as_bytes(), end.as_bytes()])
    }

    fn own(&self) -> &str {
        self.0.strip_suffix(OPEN_END).unwrap_or(&self.0)
    }
}

/// Position of a selection in the cycle's list: what a row of the reading carries instead of two GUIDs.
pub type HoldIndex = u16;

/// How often one person can come in a reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Visits {
    Once,
    /// Each selection that holds them brings them again: only all of them together say what became of them.
    OncePerSelection,
}

/// The files of a reading that is under way.
#[derive(Debug)]
pub(super) struct OpenReading {
    drafts: RefCell<Drafts>,
    /// The acknowledged people who came back as they were, where one visit is enough to say so.
    ticks: Option<RefCell<Ticks>>,
}

/// The reading of one cycle. It disappears with the cycle, whatever becomes of it.
#[derive(Debug)]
pub struct Reading<'a> {
    db: &'a Connection,
    open: &'a OpenReading,
}

impl Spool {
    /// Begins a reading; what an interrupted one left behind is thrown away.
    pub fn begin_reading(&mut self, visits: Visits) -> Result<(), SpoolError> {
        self.drop_reading();
        let file = self.folder.join(READING_FILE);
        private_file::touch(&file)?;
        let drafts = RefCell::new(Drafts::create(&self.folder.join(DRAFTS_FILE))?);
        self.db.execute("attach database ?1 as reading", [file.to_string_lossy()])?;
        self.db.execute_batch(
            "pragma reading.journal_mode = off;
             pragma reading.synchronous = off;
             pragma reading.cache_size = -12288;
             pragma reading.max_page_count = 1048576;
             create table reading.found (
                 guid blob not null,
                 at integer not null,
                 length integer not null,
                 holds blob not null,
                 hash blob,
                 primary key (guid, at)
             ) without rowid;
             begin;",
        )?;
        let ticks = match visits {
            Visits::Once => self.db.query_row("select max(id) from person", [], |row| row.get(0))?,
            Visits::OncePerSelection => None,
        };
        self.reading = Some(OpenReading { drafts, ticks: ticks.and_then(Ticks::up_to).map(RefCell::new) });
        Ok(())
    }

    /// The reading that was begun.
    pub fn reading(&self) -> Result<Reading<'_>, SpoolError> {
        Ok(Reading { db: &self.db, open: self.reading.as_ref().ok_or(SpoolError::Unreadable)? })
    }

    /// Ends the part in which people are added by the thousand.
    pub fn finish_reading(&mut self) -> Result<(), SpoolError> {
        Ok(self.db.execute_batch("commit")?)
    }

    /// Throws the reading away, and with it the memory that it took.
    pub fn drop_reading(&mut self) {
        if !self.db.is_autocommit() {
            let _ = self.db.execute_batch("rollback");
        }
        self.reading = None;
        let _ = self.db.execute_batch("detach database reading");
        for file in files(&self.folder) {
            let _ = fs::remove_file(file);
        }
        let _ = self.db.execute_batch("pragma shrink_memory");
    }
}

const READING_FILE: &str = "reading.sqlite";
const DRAFTS_FILE: &str = "reading.drafts";

/// Where a reading lies, beside the spool.
pub fn files(folder: &Path) -> [PathBuf; 2] {
    [folder.join(READING_FILE), folder.join(DRAFTS_FILE)]
}

impl Reading<'_> {
    /// Adds a person, or another selection that holds them. `hash` is that of the finished record if nothing but these
    /// selections holds the person.
    pub fn add(&self, guid: Uuid, draft: &Draft, holds: &[HoldIndex], hash: Option<Hash>) -> Result<(), SpoolError> {
        if self.tick(guid, hash) {
            return Ok(());
        }
        let length = u32::try_from(draft.as_str().len()).map_err(|_| SpoolError::Unreadable)?;
        let at = self.open.drafts.borrow_mut().append(draft.as_str())?;
        let holds: Vec<u8> = holds.iter().flat_map(|index| index.to_be_bytes()).collect();
        let hash = hash.as_ref().map(Hash::as_bytes);
        self.db
            .prepare_cached("insert into reading.found (guid, at, length, holds, hash) values (?1, ?2, ?3, ?4, ?5)")?
            .execute(params![guid.as_bytes(), to_sql(at)?, length, holds, hash])?;
        Ok(())
    }

    /// Ticks the person off if this is the acknowledged record. The hash is over the memberships too.
    fn tick(&self, guid: Uuid, hash: Option<Hash>) -> bool {
        let (Some(ticks), Some(hash)) = (&self.open.ticks, hash) else { return false };
        // Where the table is damaged nobody is ticked off; the comparison reads all of it and says so.
        let row = find_row(self.db, guid, hash).unwrap_or(None);
        row.is_some_and(|row| ticks.borrow_mut().set(row))
    }

    /// The record of a person as it was read first.
    pub fn get_draft(&self, found: &FoundPerson) -> Result<Draft, SpoolError> {
        self.open.get_draft(found)
    }

    /// People found so far.
    pub fn count(&self) -> Result<u64, SpoolError> {
        let sql = "select count(distinct guid) from reading.found";
        let read: u64 = self.db.query_row(sql, [], |row| get_u64(row, 0))?;
        Ok(read + self.open.count_ticked())
    }
}

impl OpenReading {
    pub(super) fn get_draft(&self, found: &FoundPerson) -> Result<Draft, SpoolError> {
        Ok(Draft::from_text(self.drafts.borrow_mut().get(found.at, found.length)?))
    }

    /// Puts the finished record behind what is there.
    pub(super) fn copy_record(&self, found: &FoundPerson, end: &str, to: &mut Vec<u8>) -> Result<(), SpoolError> {
        self.drafts.borrow_mut().copy(found.at, found.length, to)?;
        to.truncate(to.len().saturating_sub(OPEN_END.len()));
        to.extend_from_slice(end.as_bytes());
        Ok(())
    }

    /// How many acknowledged people came back as they were.
    pub(super) fn count_ticked(&self) -> u64 {
        self.ticks.as_ref().map_or(0, |ticks| ticks.borrow().count())
    }

    /// Whether the acknowledged person of this row came back as they were.
    pub(super) fn is_ticked(&self, row: i64) -> bool {
        self.ticks.as_ref().is_some_and(|ticks| ticks.borrow().has(row))
    }
}

fn find_row(db: &Connection, guid: Uuid, hash: Hash) -> Result<Option<i64>, rusqlite::Error> {
    let sql = "select id from person indexed by person_in_order where guid = ?1 and hash = ?2";
    let mut find = db.prepare_cached(sql)?;
    find.query_row(params![guid.as_bytes(), hash.as_bytes()], |row| row.get(0)).optional()
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

pub(super) const FOUND_IN_ORDER: &str = "select guid, at, length, holds, hash from reading.found order by guid, at";

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
        let packed = row.get_ref(3)?.as_blob().map_err(|_| SpoolError::Unreadable)?;
        let hash: Option<[u8; 32]> = row.get(4)?;
        let person = FoundPerson {
            at: get_u64(row, 1)?,
            length: row.get(2)?,
            holds: holds(packed).collect(),
            hash: hash.map(Hash::from_bytes),
        };
        Ok(Some((Uuid::from_bytes(guid), person)))
    }
}

impl FoundPerson {
    /// Another selection holds the same person: the first record stands, and its hash is one of other memberships.
    fn join(&mut self, other: Self) {
        self.holds.extend(other.holds);
        self.holds.sort_unstable();
        self.holds.dedup();
        self.hash = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rollcall_protocol::person::PersonRecord;

    #[test]
    fn a_finished_draft_has_the_bytes_of_the_whole_record() {
        let mut ana = Person { guid: Uuid::from_u128(1), dn: "CN=Ana [];}".into(), ..Person::default() };
        let draft = Draft::write(&ana).unwrap();
        ana.imports = vec![InImport { import: Uuid::from_u128(2), via: vec![Uuid::from_u128(3)] }];

        let whole = PersonRecord::write(ana.clone()).unwrap();

        assert_eq!(draft.finish(&ana.imports).unwrap(), whole.json);
        assert_eq!(draft.hash_with(&Draft::end_of(&ana.imports).unwrap()), whole.hash());
    }

    #[test]
    fn an_interrupted_reading_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let (mut spool, _) = Spool::open(folder.path(), chrono::DateTime::UNIX_EPOCH).unwrap();
        let draft = Draft::write(&Person::default()).unwrap();
        spool.begin_reading(Visits::Once).unwrap();
        spool.reading().unwrap().add(Uuid::from_u128(1), &draft, &[0], None).unwrap();

        spool.begin_reading(Visits::Once).unwrap();
        assert_eq!(spool.reading().unwrap().count().unwrap(), 0);

        spool.drop_reading();
        assert!(files(folder.path()).iter().all(|file| !file.exists()));
    }

    fn begun(folder: &Path) -> Spool {
        let (mut spool, _) = Spool::open(folder, chrono::DateTime::UNIX_EPOCH).unwrap();
        spool.begin_reading(Visits::Once).unwrap();
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
