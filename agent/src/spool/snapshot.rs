//! Keeps the acknowledged people: one row each, by objectGUID, with the exact bytes that the cloud has.

use chrono::{DateTime, Utc};
use rollcall_protocol::directory::DcIdentity;
use rollcall_protocol::hash::Hash;
use rollcall_protocol::person::InImport;
use rusqlite::{OptionalExtension, Row, params};
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
    pub imports: Vec<InImport>,
    /// The same memberships as they lie in the row.
    pub packed: Vec<u8>,
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

/// All that a comparison needs, out of the index alone.
pub(super) const KNOWN_IN_ORDER: &str =
    "select guid, hash, imports, id from person indexed by person_in_order order by guid";

pub(super) fn known_from_row(row: &Row<'_>) -> Result<Known, SpoolError> {
    let guid: [u8; 16] = row.get(0)?;
    let hash: [u8; 32] = row.get(1)?;
    let packed: Vec<u8> = row.get(2)?;
    let imports = memberships::unpack(&packed).ok_or(SpoolError::Unreadable)?;
    Ok(Known { row: row.get(3)?, guid: Uuid::from_bytes(guid), hash: Hash::from_bytes(hash), imports, packed })
}

/// The record of an acknowledged person, byte for byte.
pub(super) fn get_record(db: &rusqlite::Connection, guid: Uuid) -> Result<String, SpoolError> {
    let mut get = db.prepare_cached("select json, hash from person where guid = ?1")?;
    let (json, hash): (String, [u8; 32]) = get.query_row([guid.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))?;
    if *Hash::of(json.as_bytes()).as_bytes() == hash {
        Ok(json)
    } else {
        Err(SpoolError::Damaged("a record is not what was written".to_owned()))
    }
}

impl Spool {
    /// The record of an acknowledged person.
    pub fn get_record(&self, guid: Uuid) -> Result<String, SpoolError> {
        get_record(&self.db, guid)
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
