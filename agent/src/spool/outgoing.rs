//! Decides what is sent next and what an acknowledgement does: only then the new snapshot counts and a batch may go.

use chrono::{DateTime, Utc};
use rollcall_protocol::batch::BatchClaims;
use rollcall_protocol::chain::ChainLink;
use rollcall_protocol::hash::{BodyDigest, Hash};
use rollcall_protocol::jws::Unverified;
use rollcall_protocol::key::KeyId;
use rusqlite::{OptionalExtension, Row, params};

use super::commit::{get_u64, to_sql};
use super::{Spool, SpoolError, fold, ledger, state};

/// A batch exactly as it was signed and must be sent, however often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    pub seq: u64,
    pub jws: String,
    pub body: Vec<u8>,
    /// The key that signed it, which may have been replaced since.
    pub key: KeyId,
    /// What the batch says of itself.
    pub claims: BatchClaims,
}

impl Outgoing {
    /// Its place in the chain.
    pub fn link(&self) -> ChainLink {
        self.claims.link.chain
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

/// Whether a batch may already lie in the cloud although nobody heard so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tried {
    Never,
    Perhaps,
}

impl Spool {
    /// The batch to send now.
    pub fn next_batch(&self) -> Result<Option<Outgoing>, SpoolError> {
        let sql = "select seq, jws, sum, body from batch order by seq limit 1";
        self.db.query_row(sql, [], |row| Ok(outgoing_from_row(row))).optional()?.transpose()
    }

    /// A batch by its number, be it waiting or sent before: what fills a gap.
    pub fn find_batch(&self, epoch: u64, seq: u64) -> Result<Option<Outgoing>, SpoolError> {
        let waiting = "select seq, jws, sum, body from batch where seq = ?1";
        let waiting = self.db.query_row(waiting, [to_sql(seq)?], |row| Ok(outgoing_from_row(row))).optional()?;
        if let Some(waiting) = waiting {
            return waiting.map(Some);
        }
        let sent = "select seq, jws, sum, body from sent where epoch = ?1 and seq = ?2";
        let key = [to_sql(epoch)?, to_sql(seq)?];
        self.db.query_row(sent, key, |row| Ok(outgoing_from_row(row))).optional()?.transpose()
    }

    /// Notes before an attempt that the cloud may have the batch from now on. Answers what held until then.
    pub fn mark_tried(&mut self, batch: &Outgoing) -> Result<Tried, SpoolError> {
        let sql = "update batch set tried = 1 where seq = ?1 and tried = 0";
        let changed = self.db.execute(sql, [to_sql(batch.seq)?])?;
        Ok(if changed == 1 { Tried::Never } else { Tried::Perhaps })
    }

    /// The attempt ended before a single byte could leave.
    pub fn mark_untried(&mut self, batch: &Outgoing) -> Result<(), SpoolError> {
        self.db.execute("update batch set tried = 0 where seq = ?1", [to_sql(batch.seq)?])?;
        Ok(())
    }

    /// Whether a newer reading may take the place of the cycle in the spool: only while no part of it can have arrived.
    /// What may have arrived is settled first, since another batch at its place would be a fork.
    pub fn may_be_replaced(&self) -> Result<bool, SpoolError> {
        let tried: Option<i64> = self.db.query_row("select max(tried) from batch", [], |row| row.get(0))?;
        let is_whole = |first: Outgoing| first.claims.link.cycle.part == 1;
        Ok(tried == Some(0) && self.next_batch()?.is_some_and(is_whole))
    }

    pub fn waiting(&self) -> Result<Waiting, SpoolError> {
        let sql = "select count(*), coalesce(sum(length(body) + length(jws)), 0) from batch";
        Ok(self.db.query_row(sql, [], |row| Ok(Waiting { batches: get_u64(row, 0)?, bytes: get_u64(row, 1)? }))?)
    }

    /// The cloud has the batch, synced to its disk. It moves to the ledger; with the last of a cycle what was sent
    /// becomes the acknowledged snapshot.
    pub fn acknowledge(&mut self, batch: &Outgoing, now: DateTime<Utc>) -> Result<Acknowledged, SpoolError> {
        let mut state = self.state()?;
        let transaction = self.db.transaction()?;
        ledger::enter(&transaction, batch, now)?;
        transaction.execute("delete from batch where seq <= ?1", [to_sql(batch.seq)?])?;
        let acknowledged = if batch.claims.link.cycle.is_last() {
            fold::fold(&transaction, &batch.claims)?;
            if let Some(next) = state.next.take() {
                state.base = next;
            }
            state.asked.clear();
            state.accepted.clear();
            state::write(&transaction, &state)?;
            Acknowledged::Cycle
        } else {
            Acknowledged::Part
        };
        transaction.commit()?;
        Ok(acknowledged)
    }
}

/// Reads `seq, jws, sum, body`. Only what is byte for byte as it was signed may leave: anything else the cloud would
/// refuse for ever.
pub(super) fn outgoing_from_row(row: &Row<'_>) -> Result<Outgoing, SpoolError> {
    let damaged = || SpoolError::Damaged("a batch is not what was signed".to_owned());
    let (seq, jws, sum) = (get_u64(row, 0)?, row.get::<_, String>(1)?, row.get::<_, [u8; 32]>(2)?);
    if *Hash::of(jws.as_bytes()).as_bytes() != sum {
        return Err(damaged());
    }
    let body: Vec<u8> = row.get(3)?;
    let signed = Unverified::parse(&jws).map_err(|_| damaged())?;
    let (key, claims): (KeyId, BatchClaims) = (*signed.kid(), signed.peek().map_err(|_| damaged())?);
    if claims.link.chain.seq != seq || claims.body != BodyDigest::of(&body) {
        return Err(damaged());
    }
    Ok(Outgoing { seq, jws, body, key, claims })
}

/// How far the ledger goes back, in bytes of bodies.
pub(super) const LEDGER_BYTES: i64 = 64 * 1024 * 1024;

/// Drops the oldest entries once the ledger is over its size; the cycle that is on its way always stays whole, since the
/// snapshot is made from it.
pub(super) fn trim_ledger(db: &rusqlite::Connection, newest: &BatchClaims) -> Result<(), SpoolError> {
    let chain = newest.link.chain;
    db.execute(
        "delete from sent where id <= (
           select coalesce(max(id), 0) from (
             select id, sum(length(body) + length(jws)) over (order by id desc) as newer from sent
           ) where newer > ?1
         ) and not (epoch = ?2 and seq >= ?3)",
        params![LEDGER_BYTES, to_sql(chain.epoch)?, to_sql(fold::first_seq(newest))?],
    )?;
    Ok(())
}
