//! Decides what the agent knows between two cycles: its place in the chain, its domain, and what the cloud has taken.

use chrono::{DateTime, Utc};
use rollcall_protocol::chain::{ChainHead, Epoch};
use rollcall_protocol::directory::{DcIdentity, DomainPin};
use rollcall_protocol::hash::Hash;
use rusqlite::OptionalExtension;
use serde::{Deserialize, Serialize};

use super::{Spool, SpoolError};

/// One row, replaced whole inside the transaction that changes it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// What the next batch must say. `None`: the place is lost, and a new epoch must be asked for.
    pub chain: Option<ChainHead>,
    /// The domain this agent belongs to, since it first read one.
    pub domain: Option<DomainPin>,
    /// What the cloud has acknowledged.
    pub base: Base,
    /// What it will have acknowledged when the cycle in the spool is taken.
    pub next: Option<Base>,
    /// Departures that wait for a second reading since the last cycle.
    #[serde(default)]
    pub awaiting: u32,
}

/// One acknowledged reading.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Base {
    /// 0 when the cloud has none in this epoch: the next cycle sends everybody.
    pub snapshot: u64,
    pub dc: Option<DcIdentity>,
    /// Hash of the structure as last sent.
    pub structure: Option<Hash>,
    /// When everybody was last sent.
    pub full_at: Option<DateTime<Utc>>,
    /// Hash of the selections, the attribute list and the version that the reading was made with.
    pub recipe: Option<Hash>,
    pub finished_at: Option<DateTime<Utc>>,
    pub people: u64,
}

impl Spool {
    /// The state; the default one in a new spool.
    pub fn state(&self) -> Result<State, SpoolError> {
        let json: Option<String> =
            self.db.query_row("select json from state where id = 1", [], |row| row.get(0)).optional()?;
        Ok(json.map(|json| serde_json::from_str(&json)).transpose()?.unwrap_or_default())
    }

    /// Begins an epoch that the cloud issued. What was on its way is void; the acknowledged people stay known, so that
    /// the full snapshot that follows still says why somebody is gone.
    pub fn begin_epoch(&mut self, epoch: Epoch) -> Result<(), SpoolError> {
        let mut state = self.state()?;
        let transaction = self.db.transaction()?;
        transaction.execute_batch("delete from batch; delete from staged;")?;
        state.chain = Some(epoch.head());
        state.base.snapshot = 0;
        state.base.structure = None;
        state.next = None;
        write(&transaction, &state)?;
        transaction.commit()?;
        Ok(())
    }

    /// Forgets the place in the chain, so that the next check-in asks for a new epoch.
    pub fn lose_place(&mut self) -> Result<(), SpoolError> {
        let state = State { chain: None, ..self.state()? };
        write(&self.db, &state)
    }

    /// After a revocation nothing of the customer's people stays on this machine.
    pub fn wipe(&mut self) -> Result<(), SpoolError> {
        self.db.execute_batch(
            "begin;
             delete from person; delete from staged; delete from missed; delete from batch; delete from sent;
             delete from state;
             commit;
             vacuum;
             pragma wal_checkpoint(truncate);",
        )?;
        Ok(())
    }
}

/// Replaces the state; within a transaction when `db` is one.
pub(super) fn write(db: &rusqlite::Connection, state: &State) -> Result<(), SpoolError> {
    let json = serde_json::to_string(state)?;
    db.execute(
        "insert into state (id, json) values (1, ?1) on conflict (id) do update set json = excluded.json",
        [json],
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rollcall_protocol::hash::Hash;

    #[test]
    fn a_new_epoch_asks_for_everybody_and_forgets_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let (mut spool, _) = Spool::open(folder.path(), DateTime::UNIX_EPOCH).unwrap();
        let epoch = Epoch { number: 3, start: Hash::of(b"start") };

        spool.begin_epoch(epoch).unwrap();

        let state = spool.state().unwrap();
        assert_eq!(state.chain, Some(epoch.head()));
        assert_eq!(state.base.snapshot, 0);
    }
}
