//! Keeps exactly what left this network, so that `show` can print it; bounded, the oldest goes first.

use chrono::{DateTime, Utc};
use rollcall_protocol::batch::BatchClaims;
use rollcall_protocol::hash::BodyDigest;
use rollcall_protocol::jws::{JwsError, Kind, Unverified};
use rollcall_protocol::key::PublicKey;
use rusqlite::{Transaction, params};
use uuid::Uuid;

use super::commit::{get_u64, to_sql};
use super::outgoing::{Outgoing, outgoing_from_row, trim_ledger};
use super::{Spool, SpoolError};

/// One batch that left, with the moment the cloud acknowledged it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    pub batch: Outgoing,
    pub sent_at: DateTime<Utc>,
}

/// One cycle of the ledger in figures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentCycle {
    pub cycle: Uuid,
    pub epoch: u64,
    pub first_seq: u64,
    pub last_seq: u64,
    pub batches: u64,
    pub items: u64,
    pub bytes: u64,
    pub sent_at: DateTime<Utc>,
}

impl SentCycle {
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::json!({
            "cycle": self.cycle,
            "epoch": self.epoch,
            "first_seq": self.first_seq,
            "last_seq": self.last_seq,
            "batches": self.batches,
            "items": self.items,
            "bytes": self.bytes,
            "sent_at": self.sent_at,
        })
    }
}

/// Whether what the ledger keeps is what was signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// The signature holds, and it is over these very bytes.
    Proven,
    /// Signed by a key that this agent no longer has; the bytes still fit.
    EarlierKey,
    Altered,
}

impl Proof {
    pub fn words(self) -> &'static str {
        match self {
            Self::Proven => "signature holds",
            Self::EarlierKey => "signed by an earlier key",
            Self::Altered => "DOES NOT FIT ITS SIGNATURE",
        }
    }

    /// Of two batches the worse.
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Altered, _) | (_, Self::Altered) => Self::Altered,
            (Self::EarlierKey, _) | (_, Self::EarlierKey) => Self::EarlierKey,
            (Self::Proven, Self::Proven) => Self::Proven,
        }
    }
}

impl Sent {
    /// Checks the batch as the cloud did: signature, then hash and length of the body.
    pub fn prove(&self, key: Option<&PublicKey>) -> Proof {
        let Ok(statement) = Unverified::parse(&self.batch.jws) else { return Proof::Altered };
        let own = key.filter(|key| key.id() == *statement.kid());
        let claims: Result<BatchClaims, JwsError> = match own {
            Some(key) => statement.verify(Kind::Batch, key),
            None => statement.peek(),
        };
        let fits = claims.is_ok_and(|claims| claims.body == BodyDigest::of(&self.batch.body));
        match (fits, own) {
            (false, _) => Proof::Altered,
            (true, Some(_)) => Proof::Proven,
            (true, None) => Proof::EarlierKey,
        }
    }
}

pub(super) fn enter(
    transaction: &Transaction<'_>,
    batch: &Outgoing,
    claims: &BatchClaims,
    now: DateTime<Utc>,
) -> Result<(), SpoolError> {
    transaction.execute(
        "insert into sent (epoch, seq, cycle, items, sent_at, jws, body) values (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         on conflict (epoch, seq) do nothing",
        params![
            to_sql(claims.link.chain.epoch)?,
            to_sql(batch.seq)?,
            claims.link.cycle.cycle.as_bytes(),
            batch.items,
            now.to_rfc3339(),
            batch.jws,
            batch.body,
        ],
    )?;
    trim_ledger(transaction)
}

impl Spool {
    /// The newest cycles that were sent, the oldest of them first; without their bodies.
    pub fn list_sent_cycles(&self, last: u32) -> Result<Vec<SentCycle>, SpoolError> {
        let sql = "select cycle, epoch, min(seq), max(seq), count(*), sum(items), sum(length(body) + length(jws)), max(sent_at)
                   from sent group by epoch, cycle order by max(id) desc limit ?1";
        let mut list = self.db.prepare(sql)?;
        let rows = list.query_map([last], |row| {
            let cycle: [u8; 16] = row.get(0)?;
            let sent_at: String = row.get(7)?;
            let cycle = SentCycle {
                cycle: Uuid::from_bytes(cycle),
                epoch: get_u64(row, 1)?,
                first_seq: get_u64(row, 2)?,
                last_seq: get_u64(row, 3)?,
                batches: get_u64(row, 4)?,
                items: get_u64(row, 5)?,
                bytes: get_u64(row, 6)?,
                sent_at: DateTime::UNIX_EPOCH,
            };
            Ok((cycle, sent_at))
        })?;
        let mut cycles = Vec::new();
        for row in rows {
            let (cycle, sent_at) = row?;
            let sent_at = DateTime::parse_from_rfc3339(&sent_at).map_err(|_| SpoolError::Unreadable)?;
            cycles.push(SentCycle { sent_at: sent_at.with_timezone(&Utc), ..cycle });
        }
        cycles.reverse();
        Ok(cycles)
    }

    /// Visits what was sent, the oldest first, one batch in memory at a time; of one cycle, or of all.
    pub fn list_sent<E: From<SpoolError>>(
        &self,
        cycle: Option<Uuid>,
        mut visit: impl FnMut(Sent) -> Result<(), E>,
    ) -> Result<(), E> {
        let sql = "select seq, jws, body, items, 'more', sent_at from sent
                   where ?1 is null or cycle = ?1 order by id";
        let cycle = cycle.map(Uuid::into_bytes);
        let mut list = self.db.prepare(sql).map_err(SpoolError::from)?;
        let mut rows = list.query([cycle]).map_err(SpoolError::from)?;
        while let Some(row) = rows.next().map_err(SpoolError::from)? {
            let sent_at: String = row.get(5).map_err(SpoolError::from)?;
            let sent_at = DateTime::parse_from_rfc3339(&sent_at).map_err(|_| SpoolError::Unreadable)?;
            let batch = outgoing_from_row(row).map_err(SpoolError::from)?;
            visit(Sent { batch, sent_at: sent_at.with_timezone(&Utc) })?;
        }
        Ok(())
    }
}
