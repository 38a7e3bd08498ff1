//! The audit log: one line per act, in the same transaction as the act, chained by hashes per tenant.

use chrono::{DateTime, SecondsFormat, Utc};
use rollcall_domain::ids::CustomerId;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::{MspScope, Result, StoreError, Tx, WriteTx};

/// Where an act came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    Portal,
    Api,
    Agent,
    System,
}

impl Source {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Portal => "portal",
            Self::Api => "api",
            Self::Agent => "agent",
            Self::System => "system",
        }
    }
}

/// Who acts, for the log.
#[derive(Debug, Clone)]
pub struct Actor {
    pub name: String,
    pub source: Source,
    pub ip: Option<String>,
}

impl Actor {
    pub fn system() -> Self {
        Self { name: "Rollcall".into(), source: Source::System, ip: None }
    }
}

/// What was done to what.
#[derive(Debug, Clone)]
pub struct Entry<'a> {
    pub at: DateTime<Utc>,
    pub actor: &'a Actor,
    /// `customer.create`, `import.update` …
    pub action: &'static str,
    pub customer: Option<CustomerId>,
    pub object: Option<String>,
    pub before: Option<Value>,
    pub after: Option<Value>,
}

/// A stored line.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Line {
    pub seq: i64,
    pub at: DateTime<Utc>,
    pub actor: String,
    pub source: String,
    pub ip: Option<String>,
    pub action: String,
    pub customer_id: Option<Uuid>,
    pub object_id: Option<String>,
    pub before: Option<String>,
    pub after: Option<String>,
    pub prev: Vec<u8>,
    pub hash: Vec<u8>,
}

impl Line {
    /// Over every field in one order, with lengths, so that nothing can move from one field into the next.
    fn compute_hash(&self) -> Vec<u8> {
        let mut sha = Sha256::new();
        let mut field = |bytes: Option<&[u8]>| match bytes {
            Some(bytes) => {
                sha.update((bytes.len() as u64).to_be_bytes());
                sha.update(bytes);
            }
            None => sha.update(u64::MAX.to_be_bytes()),
        };
        field(Some(&self.prev));
        field(Some(&self.seq.to_be_bytes()));
        field(Some(self.at.to_rfc3339_opts(SecondsFormat::Micros, true).as_bytes()));
        field(Some(self.actor.as_bytes()));
        field(Some(self.source.as_bytes()));
        field(self.ip.as_deref().map(str::as_bytes));
        field(Some(self.action.as_bytes()));
        field(self.customer_id.as_ref().map(|id| id.as_bytes().as_slice()));
        field(self.object_id.as_deref().map(str::as_bytes));
        field(self.before.as_deref().map(str::as_bytes));
        field(self.after.as_deref().map(str::as_bytes));
        sha.finalize().to_vec()
    }
}

/// A line that waits for its place in the chain until the transaction commits.
#[derive(Debug)]
pub(crate) struct Unchained(Line);

/// With this transaction. The line takes its place in the chain when all else is written: the chain's row is the one that
/// every act of a tenant wants, so it is the last that any of them takes, and is held for the shortest time.
pub fn append(tx: &mut WriteTx, entry: Entry<'_>) {
    tx.note(Unchained(Line {
        seq: 0,
        at: entry.at,
        actor: entry.actor.name.clone(),
        source: entry.actor.source.as_str().to_owned(),
        ip: entry.actor.ip.clone(),
        action: entry.action.to_owned(),
        customer_id: entry.customer.map(CustomerId::uuid),
        object_id: entry.object,
        before: entry.before.map(|value| value.to_string()),
        after: entry.after.map(|value| value.to_string()),
        prev: Vec::new(),
        hash: Vec::new(),
    }));
}

pub(crate) async fn chain(tx: &mut WriteTx, Unchained(mut line): Unchained) -> Result<()> {
    // The update takes the row's lock: a second writer of this chain waits here until we are committed.
    (line.seq, line.prev) = fetch_one!(
        tx,
        (i64, Vec<u8>),
        "update msps
         set audit_seq = audit_seq + 1
         where msp_id = $1
         returning audit_seq, audit_head"
    )?;
    line.hash = line.compute_hash();
    insert(tx, &line).await?;
    execute!(tx, "update msps set audit_head = $2 where msp_id = $1", line.hash.as_slice())?.exactly(1)
}

async fn insert(tx: &mut WriteTx, line: &Line) -> Result<()> {
    execute!(
        tx,
        "insert into audit
             (msp_id, seq, at, actor, source, ip, action, customer_id, object_id, before, after, prev, hash)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
        line.seq,
        line.at,
        line.actor.as_str(),
        line.source.as_str(),
        line.ip.as_deref(),
        line.action.as_str(),
        line.customer_id,
        line.object_id.as_deref(),
        line.before.as_deref(),
        line.after.as_deref(),
        line.prev.as_slice(),
        line.hash.as_slice(),
    )?
    .exactly(1)
}

/// Newest first; `before` is the `seq` of the last line of the page before.
pub async fn list(tx: &mut Tx, _whole: &MspScope, before: Option<i64>, limit: i64) -> Result<Vec<Line>> {
    fetch_all!(
        tx,
        Line,
        "select seq, at, actor, source, ip, action, customer_id, object_id, before, after, prev, hash
         from audit
         where msp_id = $1 and seq < $2
         order by seq desc
         limit $3",
        before.unwrap_or(i64::MAX),
        limit,
    )
}

/// What the verifier found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChainState {
    Whole { lines: i64 },
    Broken { at: i64 },
}

/// Walks the whole chain of this tenant.
pub async fn verify(tx: &mut Tx, whole: &MspScope) -> Result<ChainState> {
    let (seq, head): (i64, Vec<u8>) =
        fetch_one!(tx, (i64, Vec<u8>), "select audit_seq, audit_head from msps where msp_id = $1")?;
    let mut expected = (seq, head);
    let mut before = None;
    loop {
        let lines = list(tx, whole, before, 500).await?;
        if lines.is_empty() {
            let ends_at_start = expected == (0, vec![0; 32]);
            return Ok(if ends_at_start {
                ChainState::Whole { lines: seq }
            } else {
                ChainState::Broken { at: expected.0 }
            });
        }
        for line in lines {
            if (line.seq, &line.hash) != (expected.0, &expected.1) || line.compute_hash() != line.hash {
                return Ok(ChainState::Broken { at: expected.0 });
            }
            before = Some(line.seq);
            expected = (line.seq - 1, line.prev);
        }
    }
}

impl From<serde_json::Error> for StoreError {
    fn from(error: serde_json::Error) -> Self {
        Self::Unreadable(error.to_string())
    }
}
