//! Decides what the agent knows between two cycles: its place in the chain, its domain, and what the cloud has taken.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use rollcall_protocol::chain::{ChainHead, Epoch};
use rollcall_protocol::directory::{DcIdentity, DomainPin};
use rollcall_protocol::hash::Hash;
use rollcall_protocol::loss::Accepted;
use rusqlite::{OptionalExtension, params};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Spool, SpoolError, witness};
use crate::directory::broken::{Broken, Experience};

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
    /// People about whom the cloud asked and whom the cycle in the spool answers for.
    #[serde(default)]
    pub asked: BTreeSet<Uuid>,
    /// Domain controllers that broke off in the middle of a reading.
    #[serde(default, skip_serializing_if = "Broken::is_empty")]
    pub broken: Broken,
    /// The newest instructions that were ever obeyed here: older ones are not, wherever they come from.
    #[serde(default)]
    pub obeyed: u64,
    /// What a human accepted, until a reading that was made with it has arrived.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accepted: Vec<Accepted>,
}

impl State {
    /// What the last cycles say of the domain controllers.
    pub fn experience(&self, now: DateTime<Utc>) -> Experience<'_> {
        Experience { last: self.base.dc.as_ref().map(|dc| dc.dns_name.as_str()), broke: self.broken.lately(now) }
    }

    /// What will have been acknowledged when the spool is empty.
    pub fn newest(&self) -> &Base {
        self.next.as_ref().unwrap_or(&self.base)
    }
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
    /// People in the whole domain.
    #[serde(default)]
    pub people_seen: u64,
    /// Over every row of the acknowledged people. `None` when there are none.
    pub rows: Option<Hash>,
    /// Who signed in for it.
    #[serde(default)]
    pub account: Option<Hash>,
}

impl Spool {
    /// The state; the default one in a new spool.
    pub fn state(&self) -> Result<State, SpoolError> {
        read(&self.db)
    }

    /// The state that a new cycle continues. While the cycle in the spool cannot have reached the cloud, that is the one
    /// before it: the new cycle takes its place.
    pub fn state_to_build_on(&self) -> Result<State, SpoolError> {
        let state = self.state()?;
        match self.next_batch()? {
            None => Ok(state),
            Some(first) => Ok(State { chain: Some(first.link()), next: None, ..state }),
        }
    }

    /// Begins an epoch that the cloud issued. What was on its way is void; the acknowledged people stay known, so that
    /// the full snapshot that follows still says why somebody is gone.
    pub fn begin_epoch(&mut self, epoch: Epoch) -> Result<(), SpoolError> {
        let mut state = self.state()?;
        let transaction = self.db.transaction()?;
        transaction.execute_batch("delete from batch; delete from gone;")?;
        state.chain = Some(epoch.head());
        state.base.snapshot = 0;
        state.base.structure = None;
        state.next = None;
        state.asked.clear();
        write(&transaction, &state)?;
        transaction.commit()?;
        witness::note(&self.folder, epoch.head())
    }

    /// Remembers a controller that broke off, so that the next reading begins with another one.
    pub fn note_broken(&mut self, host: &str, now: DateTime<Utc>) -> Result<(), SpoolError> {
        let state = self.state()?;
        let broken = state.broken.clone().and(host, now);
        write(&self.db, &State { broken, ..state })
    }

    /// Forgets the place in the chain, so that the next check-in asks for a new epoch.
    pub fn lose_place(&mut self) -> Result<(), SpoolError> {
        let state = State { chain: None, ..self.state()? };
        write(&self.db, &state)
    }

    /// Instructions of this number are in force.
    pub fn note_obeyed(&mut self, version: u64) -> Result<(), SpoolError> {
        let state = self.state()?;
        if version <= state.obeyed {
            return Ok(());
        }
        write(&self.db, &State { obeyed: version, ..state })
    }

    /// After a revocation nothing of the customer's people stays on this machine.
    pub fn wipe(&mut self) -> Result<(), SpoolError> {
        self.drop_reading();
        self.db.execute_batch(
            "begin;
             delete from person; delete from gone; delete from missed; delete from batch; delete from sent;
             delete from state;
             commit;
             vacuum;
             pragma wal_checkpoint(truncate);",
        )?;
        witness::forget(&self.folder);
        let _ = std::fs::remove_file(self.folder.join("spool.damaged.sqlite"));
        Ok(())
    }
}

/// The state; within a transaction when `db` is one.
pub(super) fn read(db: &rusqlite::Connection) -> Result<State, SpoolError> {
    let sql = "select json, sum from state where id = 1";
    let row: Option<(String, [u8; 32])> = db.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    let Some((json, sum)) = row else { return Ok(State::default()) };
    if *Hash::of(json.as_bytes()).as_bytes() != sum {
        return Err(SpoolError::Damaged("the state is not what was written".to_owned()));
    }
    Ok(serde_json::from_str(&json)?)
}

/// Replaces the state; within a transaction when `db` is one.
pub(super) fn write(db: &rusqlite::Connection, state: &State) -> Result<(), SpoolError> {
    let json = serde_json::to_string(state)?;
    db.execute(
        "insert into state (id, json, sum) values (1, ?1, ?2)
         on conflict (id) do update set json = excluded.json, sum = excluded.sum",
        params![json, Hash::of(json.as_bytes()).as_bytes()],
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_epoch_asks_for_everybody_and_forgets_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let (mut spool, _) = Spool::open(folder.path(), DateTime::UNIX_EPOCH).unwrap();
        let epoch = Epoch { number: 3, start: Hash::of(b"start") };
        let ana = "insert into person (guid, hash, imports, json) values (zeroblob(16), zeroblob(32), x'', '{}')";
        spool.db.execute(ana, []).unwrap();

        spool.begin_epoch(epoch).unwrap();

        let state = spool.state().unwrap();
        assert_eq!(state.chain, Some(epoch.head()));
        assert_eq!((state.base.snapshot, spool.count_people().unwrap()), (0, 1));
    }

    #[test]
    fn a_state_with_one_flipped_bit_is_damaged() {
        let folder = tempfile::tempdir().unwrap();
        let (mut spool, _) = Spool::open(folder.path(), DateTime::UNIX_EPOCH).unwrap();
        spool.begin_epoch(Epoch { number: 3, start: Hash::of(b"start") }).unwrap();

        spool.db.execute("update state set json = replace(json, '\"seq\":1', '\"seq\":3')", []).unwrap();

        assert!(matches!(spool.state(), Err(SpoolError::Damaged(_))));
    }
}
