//! Keeps exactly what left this network, so that `show` can print it; bounded, the oldest goes first.

use chrono::{DateTime, Utc};
use rollcall_protocol::batch::BatchClaims;
use rollcall_protocol::hash::{BodyDigest, Hash};
use rollcall_protocol::jws::{JwsError, Kind, Unverified};
use rollcall_protocol::key::PublicKey;
use rusqlite::{Transaction, params};
use uuid::Uuid;

use super::commit::{get_u64, to_sql};
use super::outgoing::{Outgoing, trim_ledger};
use super::{Spool, SpoolError};

/// One batch that left, exactly as it lies in the ledger, with the moment the cloud acknowledged it. It is not checked:
/// [`Sent::prove`] does that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    pub jws: String,
    pub body: Vec<u8>,
    /// What the batch says of itself.
    pub claims: BatchClaims,
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
    fn begin(claims: &BatchClaims, sent_at: DateTime<Utc>) -> Self {
        let chain = claims.link.chain;
        Self {
            cycle: claims.link.cycle.cycle,
            epoch: chain.epoch,
            first_seq: chain.seq,
            last_seq: chain.seq,
            batches: 0,
            items: 0,
            bytes: 0,
            sent_at,
        }
    }

    fn add(&mut self, claims: &BatchClaims, bytes: u64) {
        self.first_seq = self.first_seq.min(claims.link.chain.seq);
        self.batches += 1;
        self.items += u64::from(claims.link.cycle.items);
        self.bytes += bytes;
    }

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
        let Ok(statement) = Unverified::parse(&self.jws) else { return Proof::Altered };
        let own = key.filter(|key| key.id() == *statement.kid());
        let claims: Result<BatchClaims, JwsError> = match own {
            Some(key) => statement.verify(Kind::Batch, key),
            None => statement.peek(),
        };
        let fits = claims.is_ok_and(|claims| claims.body == BodyDigest::of(&self.body));
        match (fits, own) {
            (false, _) => Proof::Altered,
            (true, Some(_)) => Proof::Proven,
            (true, None) => Proof::EarlierKey,
        }
    }
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
    trim_ledger(transaction, &batch.claims)
}

impl Spool {
    /// The newest cycles that were sent, the oldest of them first; without their bodies.
    pub fn list_sent_cycles(&self, last: u32) -> Result<Vec<SentCycle>, SpoolError> {
        let sql = "select jws, sent_at, length(body) + length(jws) from sent order by id desc";
        let mut list = self.db.prepare(sql)?;
        let mut rows = list.query([])?;
        let most = usize::try_from(last).unwrap_or(usize::MAX);
        let mut cycles: Vec<SentCycle> = Vec::new();
        while let Some(row) = rows.next()? {
            let (claims, sent_at) = (claims_of(&row.get::<_, String>(0)?)?, moment(&row.get::<_, String>(1)?)?);
            let of = &claims.link.cycle.cycle;
            let is_new = cycles.last().is_none_or(|open| open.cycle != *of || open.epoch != claims.link.chain.epoch);
            if is_new && cycles.len() == most {
                break;
            }
            if is_new {
                cycles.push(SentCycle::begin(&claims, sent_at));
            }
            if let Some(open) = cycles.last_mut() {
                open.add(&claims, get_u64(row, 2)?);
            }
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
        let sql = "select jws, sent_at, body from sent order by id";
        let mut list = self.db.prepare(sql).map_err(SpoolError::from)?;
        let mut rows = list.query([]).map_err(SpoolError::from)?;
        while let Some(row) = rows.next().map_err(SpoolError::from)? {
            let jws: String = row.get(0).map_err(SpoolError::from)?;
            let claims = claims_of(&jws)?;
            if cycle.is_some_and(|cycle| cycle != claims.link.cycle.cycle) {
                continue;
            }
            let sent_at = moment(&row.get::<_, String>(1).map_err(SpoolError::from)?)?;
            visit(Sent { jws, body: row.get(2).map_err(SpoolError::from)?, claims, sent_at })?;
        }
        Ok(())
    }
}

fn claims_of(jws: &str) -> Result<BatchClaims, SpoolError> {
    Unverified::parse(jws).and_then(|jws| jws.peek()).map_err(|_| SpoolError::Unreadable)
}

fn moment(text: &str) -> Result<DateTime<Utc>, SpoolError> {
    Ok(DateTime::parse_from_rfc3339(text).map_err(|_| SpoolError::Unreadable)?.with_timezone(&Utc))
}
