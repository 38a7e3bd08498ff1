//! Keeps the acknowledged people: one row each, by objectGUID, with the exact bytes that the cloud has.

use std::rc::Rc;

use chrono::{DateTime, Utc};
use rollcall_protocol::directory::DcIdentity;
use rollcall_protocol::hash::Hash;
use rollcall_protocol::person::InImport;
use rusqlite::{Connection, OptionalExtension, Row, Rows, params};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::commit::get_u64;
use super::{Spool, SpoolError, memberships};

/// A person as acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    pub row: i64,
    pub guid: Uuid,
    pub hash: Hash,
    held: Rc<Held>,
}

/// Memberships, which neighbours mostly share.
#[derive(Debug, Default, PartialEq, Eq)]
struct Held {
    imports: Vec<InImport>,
    /// The same as they lie in the row.
    packed: Vec<u8>,
}

impl Known {
    pub fn imports(&self) -> &[InImport] {
        &self.held.imports
    }

    /// The memberships as they lie in the row.
    pub fn packed(&self) -> &[u8] {
        &self.held.packed
    }
}

/// A person who was not found in an earlier reading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missed {
    pub first_missed_at: DateTime<Utc>,
    pub ntds_guid: Uuid,
    pub invocation_id: Uuid,
}

impl Missed {
    /// Only a reading on the same, unrestored domain controller can confirm an earlier one.
    pub fn was_on(&self, dc: &DcIdentity) -> bool {
        self.ntds_guid == dc.ntds_guid && self.invocation_id == dc.invocation_id
    }
}

/// The acknowledged people by ascending GUID: all that a comparison needs, out of the index alone.
pub(super) struct KnownRows<'s> {
    rows: Rows<'s>,
    last: Rc<Held>,
}

pub(super) const KNOWN_IN_ORDER: &str =
    "select guid, hash, imports, id from person indexed by person_in_order order by guid";

impl<'s> KnownRows<'s> {
    pub fn new(rows: Rows<'s>) -> Self {
        Self { rows, last: Rc::default() }
    }

    pub fn next(&mut self) -> Result<Option<Known>, SpoolError> {
        let Some(row) = self.rows.next()? else { return Ok(None) };
        let packed = row.get_ref(2)?.as_blob().map_err(|_| SpoolError::Unreadable)?;
        if packed != self.last.packed {
            let imports = memberships::unpack(packed).ok_or(SpoolError::Unreadable)?;
            self.last = Rc::new(Held { imports, packed: packed.to_owned() });
        }
        let (guid, hash) = (Uuid::from_bytes(row.get(0)?), Hash::from_bytes(row.get(1)?));
        Ok(Some(Known { row: row.get(3)?, guid, hash, held: Rc::clone(&self.last) }))
    }
}

/// The record of an acknowledged person, byte for byte. Its hash is the one that the comparison summed up: a damaged index
/// may lead to somebody else's row, which is sound by itself.
pub(super) fn get_record(db: &Connection, known: &Known) -> Result<String, SpoolError> {
    let mut get = db.prepare_cached("select json from person where id = ?1")?;
    let json: Option<String> = get.query_row([known.row], |row| row.get(0)).optional()?;
    json.filter(|json| Hash::of(json.as_bytes()) == known.hash)
        .ok_or_else(|| SpoolError::Damaged("a record is not what was written".to_owned()))
}

impl Spool {
    /// The record of an acknowledged person.
    pub fn get_record(&self, known: &Known) -> Result<String, SpoolError> {
        get_record(&self.db, known)
    }

    /// When a person was first not found, if they were not.
    pub fn find_missed(&self, guid: Uuid) -> Result<Option<Missed>, SpoolError> {
        let sql = "select first_missed_at, ntds_guid, invocation_id, sum from missed where guid = ?1";
        let read = |row: &Row<'_>| {
            let at: String = row.get(0)?;
            let (ntds, invocation): ([u8; 16], [u8; 16]) = (row.get(1)?, row.get(2)?);
            Ok((at, ntds, invocation, Hash::from_bytes(row.get(3)?)))
        };
        let row = self.db.query_row(sql, [guid.as_bytes()], read).optional()?;
        let Some((at, ntds, invocation, sum)) = row else { return Ok(None) };
        if sum_of_missed(guid, &at, &ntds, &invocation) != sum {
            return Err(SpoolError::Damaged("a note about somebody missed is not what was written".to_owned()));
        }
        let at = DateTime::parse_from_rfc3339(&at).map_err(|_| SpoolError::Unreadable)?;
        Ok(Some(Missed {
            first_missed_at: at.with_timezone(&Utc),
            ntds_guid: Uuid::from_bytes(ntds),
            invocation_id: Uuid::from_bytes(invocation),
        }))
    }

    /// People in the acknowledged snapshot.
    pub fn count_people(&self) -> Result<u64, SpoolError> {
        Ok(self.db.query_row("select count(*) from person", [], |row| get_u64(row, 0))?)
    }
}

/// Remembers who was not found, on which domain controller; an earlier note on the same one stays as it is.
pub(super) fn note_missed(
    db: &rusqlite::Connection,
    guid: Uuid,
    at: DateTime<Utc>,
    dc: &DcIdentity,
) -> Result<(), SpoolError> {
    let at = at.to_rfc3339();
    let (ntds, invocation) = (dc.ntds_guid.as_bytes(), dc.invocation_id.as_bytes());
    let sum = sum_of_missed(guid, &at, ntds, invocation);
    db.prepare_cached(
        "insert into missed (guid, first_missed_at, ntds_guid, invocation_id, sum) values (?1, ?2, ?3, ?4, ?5)
         on conflict (guid) do update set
           first_missed_at = excluded.first_missed_at,
           ntds_guid = excluded.ntds_guid,
           invocation_id = excluded.invocation_id,
           sum = excluded.sum
         where ntds_guid <> excluded.ntds_guid or invocation_id <> excluded.invocation_id
           or first_missed_at > excluded.first_missed_at",
    )?
    .execute(params![guid.as_bytes(), at, ntds, invocation, sum.as_bytes()])?;
    Ok(())
}

fn sum_of_missed(guid: Uuid, at: &str, ntds: &[u8; 16], invocation: &[u8; 16]) -> Hash {
    Hash::of(&[guid.as_bytes().as_slice(), at.as_bytes(), ntds, invocation].concat())
}

/// Sums up every row of the acknowledged people, so that a row that was lost or changed underneath is noticed before
/// anything follows from it.
#[derive(Debug, Default)]
pub struct RowsDigester {
    sha: Sha256,
    rows: u64,
}

impl RowsDigester {
    /// `imports` are the memberships as they lie in the row.
    pub fn push(&mut self, guid: Uuid, hash: &Hash, imports: &[u8]) {
        self.sha.update(guid.as_bytes());
        self.sha.update(hash.as_bytes());
        self.sha.update(imports);
        self.rows += 1;
    }

    /// `None` for nobody.
    pub fn finish(self) -> Option<Hash> {
        (self.rows > 0).then(|| Hash::from_bytes(self.sha.finalize().into()))
    }
}
