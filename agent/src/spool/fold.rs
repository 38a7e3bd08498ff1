//! Decides how the snapshot becomes the acknowledged one: from the very bytes that the cloud has acknowledged.
//!
//! A record is written once, into the signed batch. When the last part of a cycle has arrived, all its parts lie in the
//! ledger; whoever is present in them is known from then on, and whoever goes with them is not.

use rollcall_protocol::batch::BatchClaims;
use rollcall_protocol::body;
use rollcall_protocol::hash::Hash;
use rollcall_protocol::person::InImport;
use rusqlite::{Statement, Transaction, params};
use serde::Deserialize;
use uuid::Uuid;

use super::commit::to_sql;
use super::{SpoolError, memberships, outgoing};

/// Number of the first part of a cycle, told by any part of it.
pub(super) fn first_seq(part: &BatchClaims) -> u64 {
    let before = u64::from(part.link.cycle.part.saturating_sub(1));
    part.link.chain.seq.saturating_sub(before)
}

/// Makes the snapshot of the cycle whose last part this is.
pub(super) fn fold(transaction: &Transaction<'_>, last: &BatchClaims) -> Result<(), SpoolError> {
    let chain = last.link.chain;
    let mut keep = transaction.prepare(
        "insert into person (guid, hash, imports, json) values (?1, ?2, ?3, ?4)
         on conflict (guid) do update set hash = excluded.hash, imports = excluded.imports, json = excluded.json
         where hash <> excluded.hash",
    )?;
    let sql = "select seq, jws, sum, body from sent where epoch = ?1 and seq between ?2 and ?3 order by seq";
    let mut parts = transaction.prepare(sql)?;
    let mut parts = parts.query([to_sql(chain.epoch)?, to_sql(first_seq(last))?, to_sql(chain.seq)?])?;
    let mut folded = 0;
    while let Some(row) = parts.next()? {
        let part = outgoing::outgoing_from_row(row)?;
        if part.claims.link.cycle.cycle == last.link.cycle.cycle {
            fold_part(&mut keep, &part.body)?;
            folded += 1;
        }
    }
    if folded != last.link.cycle.parts {
        return Err(SpoolError::Damaged("a part of the cycle is not in the ledger".to_owned()));
    }
    transaction.execute_batch(
        "delete from person where guid in (select guid from gone);
         delete from gone;",
    )?;
    Ok(())
}

/// What stands around a record in a line of a body.
pub const PRESENT: (&str, &str) = ("{\"present\":", "}");

/// The record in a line of one of our own bodies; all but the people are passed over.
fn present(line: &[u8]) -> Option<&[u8]> {
    line.strip_prefix(PRESENT.0.as_bytes())?.strip_suffix(PRESENT.1.as_bytes())
}

/// What the snapshot keeps of a record beside its bytes.
#[derive(Deserialize)]
struct Key {
    guid: Uuid,
    imports: Vec<InImport>,
}

fn fold_part(keep: &mut Statement<'_>, body: &[u8]) -> Result<(), SpoolError> {
    let no_body = |_| SpoolError::Damaged("a batch is not what was signed".to_owned());
    let mut lines = body::Reader::new(body).map_err(no_body)?;
    while let Some(line) = lines.next_text().map_err(no_body)? {
        let Some(json) = present(line) else { continue };
        let json = std::str::from_utf8(json).map_err(|_| SpoolError::Unreadable)?;
        let key: Key = serde_json::from_str(json)?;
        let hash = Hash::of(json.as_bytes());
        keep.execute(params![key.guid.as_bytes(), hash.as_bytes(), memberships::pack(&key.imports), json])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rollcall_protocol::item::Item;
    use rollcall_protocol::person::{Person, PersonRecord};

    #[test]
    fn a_line_of_a_present_person_is_what_the_protocol_writes_and_gives_the_record_back() {
        let record = PersonRecord::write(Person { dn: "CN=Ana,DC=lab".into(), ..Person::default() }).unwrap();
        let line = [PRESENT.0, &record.json, PRESENT.1].concat();

        assert!(matches!(serde_json::from_str(&line).unwrap(), Item::Present(_)));
        assert_eq!(present(line.as_bytes()), Some(record.json.as_bytes()));
        assert_eq!(present(b"{\"departed\":{}}"), None);
    }
}
