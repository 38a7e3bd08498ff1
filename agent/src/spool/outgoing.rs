//! Decides what is sent next and what an acknowledgement does: only then the new snapshot counts and a batch may go.

use chrono::{DateTime, Utc};
use rollcall_protocol::batch::BatchClaims;
use rollcall_protocol::chain::ChainLink;
use rollcall_protocol::jws::Unverified;
use rusqlite::{OptionalExtension, Row, params};

use super::commit::{Place, get_u64, to_sql};
use super::{Spool, SpoolError, ledger, state};

/// A batch exactly as it was signed and must be sent, however often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    pub seq: u64,
    pub jws: String,
    pub body: Vec<u8>,
    pub items: u32,
    pub place: Place,
}

impl Outgoing {
    /// What the batch says of itself. Our own signature needs no check.
    pub fn claims(&self) -> Result<BatchClaims, SpoolError> {
        Unverified::parse(&self.jws).and_then(|jws| jws.peek()).map_err(|_| SpoolError::Unreadable)
    }

    /// Its place in the chain.
    pub fn link(&self) -> Result<ChainLink, SpoolError> {
        Ok(self.claims()?.link.chain)
    }
}

/// What lies in the spool.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Waiting {
    pub batches: u64,
    pub bytes: u64,
}

/// What an acknowledgement brought about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acknowledged {
    /// More parts of the cycle are to go.
    Part,
    /// The cloud has the whole cycle: its snapshot is now the acknowledged one.
    Cycle,
}

impl Spool {
    /// The batch to send now.
    pub fn next_batch(&self) -> Result<Option<Outgoing>, SpoolError> {
        let sql = "select seq, jws, body, items, place from batch order by seq limit 1";
        Ok(self.db.query_row(sql, [], outgoing_from_row).optional()?)
    }

    /// A batch by its number, be it waiting or sent before: what fills a gap.
    pub fn find_batch(&self, epoch: u64, seq: u64) -> Result<Option<Outgoing>, SpoolError> {
        let waiting = "select seq, jws, body, items, place from batch where seq = ?1";
        let waiting = self.db.query_row(waiting, [to_sql(seq)?], outgoing_from_row).optional()?;
        if waiting.is_some() {
            return Ok(waiting);
        }
        let sent = "select seq, jws, body, items, 'more' from sent where epoch = ?1 and seq = ?2";
        Ok(self.db.query_row(sent, [to_sql(epoch)?, to_sql(seq)?], outgoing_from_row).optional()?)
    }

    pub fn waiting(&self) -> Result<Waiting, SpoolError> {
        let sql = "select count(*), coalesce(sum(length(body) + length(jws)), 0) from batch";
        Ok(self.db.query_row(sql, [], |row| Ok(Waiting { batches: get_u64(row, 0)?, bytes: get_u64(row, 1)? }))?)
    }

    /// The cloud has the batch, synced to its disk. It moves to the ledger; with the last of a cycle the staged
    /// snapshot becomes the acknowledged one.
    pub fn acknowledge(&mut self, batch: &Outgoing, now: DateTime<Utc>) -> Result<Acknowledged, SpoolError> {
        let claims = batch.claims()?;
        let mut state = self.state()?;
        let transaction = self.db.transaction()?;
        ledger::enter(&transaction, batch, &claims, now)?;
        transaction.execute("delete from batch where seq <= ?1", [to_sql(batch.seq)?])?;
        let acknowledged = match batch.place {
            Place::More => Acknowledged::Part,
            Place::Last => {
                transaction.execute_batch(FOLD)?;
                if let Some(next) = state.next.take() {
                    state.base = next;
                }
                state::write(&transaction, &state)?;
                Acknowledged::Cycle
            }
        };
        transaction.commit()?;
        Ok(acknowledged)
    }
}

const FOLD: &str = "
insert into person (guid, hash, imports, json)
select guid, hash, imports, json from staged where json is not null order by guid
on conflict (guid) do update set hash = excluded.hash, imports = excluded.imports, json = excluded.json;
delete from person where guid in (select guid from staged where json is null);
delete from staged;
";

pub(super) fn outgoing_from_row(row: &Row<'_>) -> rusqlite::Result<Outgoing> {
    let place: String = row.get(4)?;
    Ok(Outgoing {
        seq: get_u64(row, 0)?,
        jws: row.get(1)?,
        body: row.get(2)?,
        items: row.get(3)?,
        place: if place == Place::Last.as_str() { Place::Last } else { Place::More },
    })
}

/// How far the ledger goes back, in bytes of bodies.
pub(super) const LEDGER_BYTES: i64 = 64 * 1024 * 1024;

/// Drops the oldest entries once the ledger is over its size; the newest one always stays.
pub(super) fn trim_ledger(db: &rusqlite::Connection) -> Result<(), SpoolError> {
    db.execute(
        "delete from sent where id <= (
           select coalesce(max(id), 0) from (
             select id, sum(length(body) + length(jws)) over (order by id desc) as newer from sent
           ) where newer > ?1 and id < (select max(id) from sent)
         )",
        params![LEDGER_BYTES],
    )?;
    Ok(())
}
