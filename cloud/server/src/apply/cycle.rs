//! Loads the next cycle of an agent, and decides whether it is whole and continues what the cloud holds.

use chrono::{DateTime, Utc};
use rollcall_domain::{
    agent::AgentState,
    heard,
    ids::{DirectoryId, RunId},
    run::{Counts, RunKind, RunResult},
};
use rollcall_protocol::{
    batch::{BatchClaims, CycleKind, CyclePart},
    catalogue::{self, Fault},
    jws::Unverified,
    limits,
};
use rollcall_store::{
    AgentScope, StoreError, WriteTx,
    agents::{self, Agent},
    directories::{self, Directory, Pin},
    inbox::{self, Envelope},
    runs::NewRun,
};

use crate::state::AppState;

/// More than a cycle has: who says so has sent none that is whole, and only as many are held in memory.
const TOO_MANY: i64 = limits::PARTS as i64 + 1;

/// All parts of one reading.
#[derive(Debug)]
pub struct Cycle {
    /// In order of their numbers. Of one that has more parts than it may, the first.
    pub batches: Vec<Envelope>,
    /// What the last part says of the whole.
    pub told: CyclePart,
    pub bytes: i64,
}

/// Why a whole cycle is not applied. A full snapshot heals all of these, by the agent that reads the directory then.
#[derive(Debug)]
pub struct Unfit {
    pub fault: &'static Fault,
    pub detail: String,
}

impl Cycle {
    /// The oldest cycle that waits, if nothing more of it can come.
    pub async fn find_next(tx: &mut WriteTx, scope: &AgentScope) -> Result<Option<Self>, StoreError> {
        let batches = inbox::list_next_cycle(tx, scope, TOO_MANY).await?;
        let Some(last) = batches.last() else { return Ok(None) };
        let ended = last.part == last.parts || inbox::is_followed(tx, scope, last).await?;
        let told = read_claims(last)?;
        Ok(if ended { Some(Self { batches, told, bytes: 0 }) } else { None })
    }

    /// Whether all parts are here, in order.
    pub fn is_whole(&self) -> bool {
        let in_order = self.batches.iter().zip(1..).all(|(batch, number)| batch.part == number);
        in_order && self.batches.len() as u64 == u64::from(self.told.parts)
    }

    /// The run of this cycle while nothing of it is applied: failed, for a reason that is still to be said.
    pub fn run(&self, id: RunId, directory: Option<DirectoryId>, now: DateTime<Utc>) -> Option<NewRun<'_>> {
        let (first, last) = (self.batches.first()?, self.batches.last()?);
        let told = &self.told;
        Some(NewRun {
            id,
            directory,
            cycle: told.cycle,
            cause: told.trigger.as_str(),
            kind: if self.is_full() { RunKind::Full } else { RunKind::Delta },
            result: RunResult::Failed,
            reason_code: None,
            reason_detail: None,
            started_at: told.started_at,
            received_at: last.received_at,
            finished_at: now,
            epoch: first.epoch,
            first_seq: first.seq,
            last_seq: last.seq,
            batches: i64::try_from(self.batches.len()).unwrap_or(i64::MAX),
            bytes: self.bytes,
            counts: Counts { people: i64::try_from(told.set.people).unwrap_or(i64::MAX), ..Counts::default() },
            digest_agrees: None,
            dc_host: Some(&told.dc.dns_name),
        })
    }

    pub const fn is_full(&self) -> bool {
        matches!(self.told.kind, CycleKind::Full)
    }

    pub fn first(&self) -> Option<&Envelope> {
        self.batches.first()
    }

    pub fn epoch(&self) -> i64 {
        self.first().map_or(0, |batch| batch.epoch)
    }
}

/// The signature held when the batch came in; here only the words are read again, and no time is believed that cannot be.
fn read_claims(batch: &Envelope) -> Result<CyclePart, StoreError> {
    let unreadable = |_| StoreError::Unreadable(format!("claims of batch {}", batch.seq));
    let claims: BatchClaims = Unverified::parse(&batch.jws).map_err(unreadable)?.peek().map_err(unreadable)?;
    let mut told = claims.link.cycle;
    told.finished_at = heard::time(told.finished_at, batch.received_at);
    told.started_at = heard::time(told.started_at, told.finished_at);
    heard::cut(&mut told.dc.dns_name, heard::NAME);
    told.clearings.truncate(limits::CLEARED_ATTRIBUTES);
    for clearing in &mut told.clearings {
        heard::cut(&mut clearing.attribute, heard::NAME);
    }
    Ok(told)
}

/// The directory of this cycle, pinned now if it is the agent's first, and held from now on: a human's decision, or another
/// agent that takes over, comes before or after. None: the agent belongs to another, or may not join one any more.
pub async fn find_directory(
    tx: &mut WriteTx,
    state: &AppState,
    scope: &AgentScope,
    agent: &Agent,
    cycle: &Cycle,
) -> Result<Option<Directory>, StoreError> {
    let customer = scope.customer();
    let domain = &cycle.told.domain;
    directories::lock_by_domain(tx, &customer, domain.guid).await?;
    if let Some(known) = directories::find_by_domain(tx, &customer, domain.guid).await? {
        return Ok(Some(known));
    }
    if agent.directory_id.is_some() {
        return Ok(None);
    }
    // A check-in that names the domain for the first time holds the agent too.
    match agents::lock(tx, scope).await?.state {
        AgentState::Active | AgentState::Standby => {}
        AgentState::Quarantined | AgentState::Revoked => return Ok(None),
    }
    let id = state.mint(DirectoryId::mint);
    let pin = Pin { guid: domain.guid, sid: &domain.sid, dns_name: &domain.dns_name };
    directories::insert(tx, &customer, id, scope.agent(), &pin, state.now()).await?;
    agents::join_directory(tx, scope, id).await?;
    directories::find(tx, &customer, id).await
}

pub fn other_domain(cycle: &Cycle) -> Unfit {
    let detail = format!("the reading came from {}", cycle.told.domain.dns_name);
    Unfit { fault: &catalogue::OTHER_DOMAIN, detail }
}

/// What it sent before counts no more than what it would send now: whoever stands by, or is enrolled next, sends everybody.
pub fn revoked() -> Unfit {
    Unfit { fault: &catalogue::AGENT_REVOKED, detail: "it came in before the agent was revoked".to_owned() }
}

/// Pure: whether this cycle may be laid on what the cloud holds of the directory.
pub fn decide_fit(cycle: &Cycle, agent: &Agent, directory: &Directory) -> Result<(), Unfit> {
    let unfit = |fault, detail: String| Err(Unfit { fault, detail });
    let told = &cycle.told;
    if !cycle.is_whole() {
        return unfit(&catalogue::BATCH_POISONED, "parts of the cycle are missing".to_owned());
    }
    if agent.directory_id.is_some_and(|own| own != directory.id.uuid()) || directory.domain_sid != told.domain.sid {
        return Err(other_domain(cycle));
    }
    if directory.agent_id != agent.id {
        return unfit(&catalogue::SET_DIFFERS, "another agent reads this directory".to_owned());
    }
    let continues = directory.applied_agent_id == Some(agent.id.uuid())
        && directory.applied_epoch == cycle.epoch()
        && u64::try_from(directory.snapshot) == Ok(told.base);
    if !cycle.is_full() && !continues {
        let detail = format!("the cycle starts from snapshot {}, the cloud holds {}", told.base, directory.snapshot);
        return unfit(&catalogue::SET_DIFFERS, detail);
    }
    Ok(())
}
