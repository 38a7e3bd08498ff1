//! Keeps exactly what left this network, so that `show` can print it; bounded, the oldest goes first.

use chrono::{DateTime, Utc};
use rollcall_protocol::hash::Hash;
use rusqlite::{Transaction, params};

use super::commit::to_sql;
use super::outgoing::{Outgoing, outgoing_from_row, trim_ledger};
use super::{Spool, SpoolError};

/// One batch that left, with the moment the cloud acknowledged it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    pub batch: Outgoing,
    pub sent_at: DateTime<Utc>,
}

pub(super) fn enter(transaction: &Transaction<'_>, batch: &Outgoing, now: DateTime<Utc>) -> Result<(), SpoolError> {
    transaction.execute(
        "insert into sent (epoch, seq, sent_at, jws, sum, body) values (?1, ?2, ?3, ?4, ?5, ?6)
         on conflict (epoch, seq) do nothing",
        params![
            to_sql(batch.link().epoch)?,
            to_sql(batch.seq)?,
            now.to_rfc3339(),
            batch.jws,
            Hash::of(batch.jws.as_bytes()).as_bytes(),
            batch.body,
        ],
    )?;
    trim_ledger(transaction)
}

impl Spool {
    /// Visits what was sent, the oldest first, one batch in memory at a time. `last` bounds it to the newest ones.
    pub fn list_sent<E: From<SpoolError>>(
        &self,
        last: u32,
        mut visit: impl FnMut(Sent) -> Result<(), E>,
    ) -> Result<(), E> {
        let sql = "select seq, jws, sum, body, sent_at from sent
                   where id in (select id from sent order by id desc limit ?1) order by id";
        let mut list = self.db.prepare(sql).map_err(SpoolError::from)?;
        let mut rows = list.query([last]).map_err(SpoolError::from)?;
        while let Some(row) = rows.next().map_err(SpoolError::from)? {
            let sent_at: String = row.get(4).map_err(SpoolError::from)?;
            let sent_at = DateTime::parse_from_rfc3339(&sent_at).map_err(|_| SpoolError::Unreadable)?;
            let batch = outgoing_from_row(row)?;
            visit(Sent { batch, sent_at: sent_at.with_timezone(&Utc) })?;
        }
        Ok(())
    }
}
