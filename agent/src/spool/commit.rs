//! Puts one finished cycle into the spool: the snapshot it will make, its batches and the chain's new place, all or none.

use std::collections::HashSet;
use std::path::PathBuf;

use chrono::{DateTime, Utc};
use rollcall_protocol::body::Body;
use rollcall_protocol::directory::DcIdentity;
use rollcall_protocol::hash::Hash;
use rusqlite::{Transaction, params};
use uuid::Uuid;

use super::reading::{Draft, FOUND_IN_ORDER, FoundRows, HoldIndex, OpenReading};
use super::snapshot::{self, Known, KnownRows, RowsDigester};
use super::state::{self, State};
use super::{Spool, SpoolError, witness};

/// One person of the reading, of the acknowledged snapshot, or of both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compared {
    pub guid: Uuid,
    pub found: Option<Found>,
    pub known: Option<Known>,
}

/// What the reading has of one person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// The acknowledged record, memberships and all. Only people who are known are found like this.
    AsKnown,
    Read(FoundPerson),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundPerson {
    /// Where their record lies in the reading.
    pub at: u64,
    pub length: u32,
    pub holds: Vec<HoldIndex>,
    /// The hash of the record if it is known for exactly these selections.
    pub hash: Option<Hash>,
}

/// The transaction in which a cycle enters the spool. Dropped without `commit`, it never was.
#[derive(Debug)]
pub struct CycleWriter<'a> {
    transaction: Transaction<'a>,
    reading: &'a OpenReading,
    folder: PathBuf,
}

impl Spool {
    /// Begins to write a cycle. The reading must be finished.
    pub fn begin_commit(&mut self) -> Result<CycleWriter<'_>, SpoolError> {
        let reading = self.reading.as_ref().ok_or(SpoolError::Unreadable)?;
        let transaction = self.db.transaction()?;
        transaction.execute_batch("delete from gone; delete from batch;")?;
        Ok(CycleWriter { transaction, reading, folder: self.folder.clone() })
    }

    /// Visits everybody in ascending order of their GUID.
    pub fn compare<E: From<SpoolError>>(&self, visit: impl FnMut(Compared) -> Result<(), E>) -> Result<(), E> {
        compare(&self.db, self.reading.as_ref().ok_or(SpoolError::Unreadable)?, visit)
    }
}

impl CycleWriter<'_> {
    /// Visits everybody in ascending order of their GUID.
    pub fn compare<E: From<SpoolError>>(&self, visit: impl FnMut(Compared) -> Result<(), E>) -> Result<(), E> {
        compare(&self.transaction, self.reading, visit)
    }

    /// The record of an acknowledged person.
    pub fn get_record(&self, known: &Known) -> Result<String, SpoolError> {
        snapshot::get_record(&self.transaction, known)
    }

    /// The record of a person as read in this cycle.
    pub fn get_draft(&self, found: &FoundPerson) -> Result<Draft, SpoolError> {
        self.reading.get_draft(found)
    }

    /// Writes the record of a person as read in this cycle, with this end.
    pub fn copy_record(&self, found: &FoundPerson, end: &str, to: &mut Vec<u8>) -> Result<(), SpoolError> {
        self.reading.copy_record(found, end, to)
    }

    /// A person who leaves the snapshot.
    pub fn stage_gone(&self, guid: Uuid) -> Result<(), SpoolError> {
        self.transaction.prepare_cached("insert into gone (guid) values (?1)")?.execute([guid.as_bytes()])?;
        Ok(())
    }

    /// Remembers who was not found, so that a second reading can confirm it.
    pub fn note_missed(&self, guids: &HashSet<Uuid>, at: DateTime<Utc>, dc: &DcIdentity) -> Result<(), SpoolError> {
        guids.iter().try_for_each(|guid| snapshot::note_missed(&self.transaction, *guid, at, dc))
    }

    /// Forgets that anybody else was missed: who was found, seen elsewhere or let go since then is missed anew, and two
    /// readings that do not follow each other are no two that agree.
    pub fn forget_missed_but(&self, guids: &HashSet<Uuid>) -> Result<(), SpoolError> {
        let mut list = self.transaction.prepare("select guid from missed")?;
        let noted: Vec<[u8; 16]> = list.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
        let mut forget = self.transaction.prepare("delete from missed where guid = ?1")?;
        for guid in noted.iter().filter(|guid| !guids.contains(&Uuid::from_bytes(**guid))) {
            forget.execute([guid])?;
        }
        Ok(())
    }

    /// Keeps a finished body; it is signed when the number of parts is known.
    pub fn put_body(&self, seq: u64, body: &Body) -> Result<(), SpoolError> {
        self.transaction
            .prepare_cached("insert into batch (seq, jws, sum, body, tried) values (?1, '', x'', ?2, 0)")?
            .execute(params![to_sql(seq)?, body.bytes])?;
        Ok(())
    }

    /// Signs a body that was put before.
    pub fn put_signature(&self, seq: u64, jws: &str) -> Result<(), SpoolError> {
        let changed = self
            .transaction
            .prepare_cached("update batch set jws = ?2, sum = ?3 where seq = ?1")?
            .execute(params![to_sql(seq)?, jws, Hash::of(jws.as_bytes()).as_bytes()])?;
        if changed == 1 { Ok(()) } else { Err(SpoolError::Unreadable) }
    }

    /// From here on the cycle survives everything.
    pub fn commit(self, next: &State) -> Result<(), SpoolError> {
        state::write(&self.transaction, next)?;
        self.transaction.commit()?;
        next.chain.map_or(Ok(()), |head| witness::note(&self.folder, head))
    }
}

pub(super) fn to_sql(number: u64) -> Result<i64, SpoolError> {
    i64::try_from(number).map_err(|_| SpoolError::Unreadable)
}

/// SQLite counts in signed numbers.
pub(super) fn get_u64(row: &rusqlite::Row<'_>, index: usize) -> rusqlite::Result<u64> {
    let number: i64 = row.get(index)?;
    u64::try_from(number).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(index, number))
}

/// Walks the reading and the snapshot side by side, both by ascending GUID.
fn compare<E: From<SpoolError>>(
    db: &rusqlite::Connection,
    reading: &OpenReading,
    mut visit: impl FnMut(Compared) -> Result<(), E>,
) -> Result<(), E> {
    let written = state::read(db)?.base.rows;
    let mut digest = RowsDigester::default();
    let mut found = db.prepare(FOUND_IN_ORDER).map_err(SpoolError::from)?;
    let mut known = db.prepare(snapshot::KNOWN_IN_ORDER).map_err(SpoolError::from)?;
    let mut found = FoundRows::new(found.query([]).map_err(SpoolError::from)?);
    let mut known = KnownRows::new(known.query([]).map_err(SpoolError::from)?);
    let (mut next_found, mut next_known) = (found.next()?, known.next()?);
    let mut ticked = 0;
    loop {
        let first = match (&next_found, &next_known) {
            (None, None) => break,
            (Some((guid, _)), None) => *guid,
            (None, Some(person)) => person.guid,
            (Some((guid, _)), Some(person)) => (*guid).min(person.guid),
        };
        let found_now = next_found.take_if(|(guid, _)| *guid == first).map(|(_, person)| Found::Read(person));
        let known_now = next_known.take_if(|person| person.guid == first);
        if found_now.is_some() {
            next_found = found.next()?;
        }
        if let Some(known_now) = &known_now {
            next_known = known.next()?;
            digest.push(known_now.guid, &known_now.hash, known_now.packed());
        }
        let is_ticked = known_now.as_ref().is_some_and(|known| reading.is_ticked(known.row));
        ticked += u64::from(is_ticked);
        let found_now = found_now.or_else(|| is_ticked.then_some(Found::AsKnown));
        visit(Compared { guid: first, found: found_now, known: known_now })?;
    }
    // A row's number is in no sum: two people under one would be ticked off by either.
    if digest.finish() == written && ticked == reading.count_ticked() {
        Ok(())
    } else {
        Err(SpoolError::Damaged("the people are not those that were written".to_owned()).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spool::reading::Visits;
    use rollcall_protocol::person::Person;

    fn spool() -> (tempfile::TempDir, Spool) {
        let folder = tempfile::tempdir().unwrap();
        let (spool, _) = Spool::open(folder.path(), DateTime::UNIX_EPOCH).unwrap();
        (folder, spool)
    }

    fn json_of(number: u128) -> String {
        format!("{{\"number\":{number}}}")
    }

    fn hash_of(number: u128) -> Hash {
        Hash::of(json_of(number).as_bytes())
    }

    fn know(spool: &Spool, numbers: &[u128]) {
        let mut digest = RowsDigester::default();
        for number in numbers {
            let (guid, hash) = (Uuid::from_u128(*number), hash_of(*number));
            let sql = "insert into person (guid, hash, imports, json) values (?1, ?2, x'', ?3)";
            spool.db.execute(sql, params![guid.as_bytes(), hash.as_bytes(), json_of(*number)]).unwrap();
            digest.push(guid, &hash, &[]);
        }
        let mut known = spool.state().unwrap();
        known.base.rows = digest.finish();
        state::write(&spool.db, &known).unwrap();
    }

    fn find(spool: &Spool, number: u128, hold: HoldIndex) {
        let draft = Draft::write(&Person::default()).unwrap();
        spool.reading().unwrap().add(Uuid::from_u128(number), &draft, &[hold], None).unwrap();
    }

    #[test]
    fn everybody_is_visited_once_in_order() {
        let (_folder, mut spool) = spool();
        know(&spool, &[1, 3, 4]);
        spool.begin_reading(Visits::Once).unwrap();
        for number in [5, 3, 2] {
            find(&spool, number, 0);
        }
        find(&spool, 3, 258);
        spool.finish_reading().unwrap();

        let mut seen = Vec::new();
        spool
            .compare(|row| {
                let holds = row.found.map(|found| match found {
                    Found::AsKnown => vec![],
                    Found::Read(found) => found.holds,
                });
                seen.push((row.guid.as_u128(), holds, row.known.is_some()));
                Ok::<_, SpoolError>(())
            })
            .unwrap();

        assert_eq!(
            seen,
            vec![
                (1, None, true),
                (2, Some(vec![0]), false),
                (3, Some(vec![0, 258]), true),
                (4, None, true),
                (5, Some(vec![0]), false),
            ]
        );
    }

    #[test]
    fn whoever_came_back_as_they_were_is_only_ticked_off() {
        let (_folder, mut spool) = spool();
        know(&spool, &[1, 3]);
        let draft = Draft::from_text("{[]}".to_owned());
        let add = |spool: &Spool, hash: Option<Hash>| {
            spool.reading().unwrap().add(Uuid::from_u128(3), &draft, &[0], hash).unwrap();
        };
        let seen = |spool: &Spool| {
            let mut seen = Vec::new();
            let mut visit = |row: Compared| -> Result<(), SpoolError> {
                seen.push(matches!(row.found, Some(Found::AsKnown)));
                Ok(())
            };
            spool.compare(&mut visit).unwrap();
            (seen, spool.reading().unwrap().count().unwrap())
        };

        for (visits, hash, ticked) in [
            (Visits::Once, Some(hash_of(3)), true),
            (Visits::Once, Some(Hash::of(b"{other}")), false),
            (Visits::Once, None, false),
            (Visits::OncePerSelection, Some(hash_of(3)), false),
        ] {
            spool.begin_reading(visits).unwrap();
            add(&spool, hash);
            spool.finish_reading().unwrap();
            assert_eq!(seen(&spool), (vec![false, ticked], 1), "{visits:?} {hash:?}");
        }
    }

    #[test]
    fn one_row_lost_added_or_changed_under_us_stops_the_comparison() {
        let harm = [
            "delete from person where id = 2",
            "insert into person (guid, hash, imports, json) select x'00000000000000000000000000000009', hash, imports, json from person where id = 1",
            "update person set guid = x'00000000000000000000000000000007' where id = 2",
            "update person set hash = zeroblob(32) where id = 2",
            "update person set imports = zeroblob(18) where id = 2",
            "delete from state",
        ];
        for sql in harm {
            let (_folder, mut spool) = spool();
            know(&spool, &[1, 3, 4]);
            spool.begin_reading(Visits::Once).unwrap();
            spool.finish_reading().unwrap();
            spool.db.execute(sql, []).unwrap();

            let seen = spool.compare(|_| Ok::<_, SpoolError>(()));

            assert!(matches!(seen, Err(SpoolError::Damaged(_))), "{sql}: {seen:?}");
        }
    }

    /// Makes the index lead from one person to the row of another, as one flipped bit does: no sum is over row numbers.
    fn mislead(folder: &std::path::Path, from: u128, row: u8) {
        let file = folder.join(crate::spool::FILE);
        let mut bytes = std::fs::read(&file).unwrap();
        let entry = [Uuid::from_u128(from).as_bytes().as_slice(), hash_of(from).as_bytes()].concat();
        let is_entry = |at: &usize| bytes[*at..].starts_with(&entry) && bytes[at + entry.len()] < b' ';
        let at = (0..bytes.len() - entry.len()).find(is_entry).unwrap();
        bytes[at + entry.len()] = row;
        std::fs::write(file, bytes).unwrap();
    }

    fn misled() -> (tempfile::TempDir, Spool) {
        let (folder, spool) = spool();
        know(&spool, &[1, 3, 4]);
        drop(spool);
        mislead(folder.path(), 3, 3);
        let (mut spool, _) = Spool::open(folder.path(), DateTime::UNIX_EPOCH).unwrap();
        spool.begin_reading(Visits::Once).unwrap();
        (folder, spool)
    }

    #[test]
    fn nobody_is_given_the_sound_record_of_somebody_else() {
        let (_folder, mut spool) = misled();
        spool.finish_reading().unwrap();

        let mut got = Vec::new();
        let visit = |row: Compared| {
            got.push(spool.get_record(&row.known.unwrap()).ok());
            Ok::<_, SpoolError>(())
        };
        spool.compare(visit).unwrap();

        assert_eq!(got, vec![Some(json_of(1)), None, Some(json_of(4))]);
    }

    #[test]
    fn nobody_is_ticked_off_for_somebody_else() {
        let (_folder, mut spool) = misled();
        let draft = Draft::from_text("{[]}".to_owned());
        spool.reading().unwrap().add(Uuid::from_u128(3), &draft, &[0], Some(hash_of(3))).unwrap();
        spool.finish_reading().unwrap();

        let seen = spool.compare(|_| Ok::<_, SpoolError>(()));

        assert!(matches!(seen, Err(SpoolError::Damaged(_))), "{seen:?}");
    }

    #[test]
    fn only_who_is_missed_now_stays_noted() {
        let (_folder, mut spool) = spool();
        let dc = DcIdentity { dns_name: "dc1".into(), ntds_guid: Uuid::nil(), invocation_id: Uuid::nil(), usn: 1 };
        let missed = |numbers: &[u128]| numbers.iter().map(|number| Uuid::from_u128(*number)).collect::<HashSet<_>>();
        spool.begin_reading(Visits::Once).unwrap();
        spool.finish_reading().unwrap();

        let writer = spool.begin_commit().unwrap();
        writer.note_missed(&missed(&[1, 2]), DateTime::UNIX_EPOCH, &dc).unwrap();
        writer.forget_missed_but(&missed(&[2, 3])).unwrap();
        writer.commit(&State::default()).unwrap();

        assert!(spool.find_missed(Uuid::from_u128(1)).unwrap().is_none());
        assert!(spool.find_missed(Uuid::from_u128(2)).unwrap().is_some());
    }

    #[test]
    fn a_cycle_that_is_not_committed_never_was() {
        let (_folder, mut spool) = spool();
        spool.begin_reading(Visits::Once).unwrap();
        spool.finish_reading().unwrap();

        let writer = spool.begin_commit().unwrap();
        writer.put_body(1, &Body { bytes: vec![1], items: 0 }).unwrap();
        drop(writer);

        assert_eq!(spool.waiting().unwrap().batches, 0);
    }
}
