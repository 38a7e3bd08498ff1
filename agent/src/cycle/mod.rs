//! One reading of a directory, from the connection to the signed batches in the spool.
//!
//! In the order of the `mod` lines: what is read, where it is, who is read, who must be looked at again, why they are
//! gone, how many may go, and what is written. An incomplete reading publishes nothing.

pub mod scope;
pub mod merged;
pub mod locate;
pub mod nested;
pub mod withheld;
pub mod way;
pub mod read;
mod together;
pub mod survey;
pub mod evidence;
pub mod pace;
pub mod confirm;
mod members;
pub mod guard;
pub mod sight;
pub mod concern;
pub mod parts;
pub mod compose;
mod publish;

use std::collections::BTreeSet;
use std::sync::OnceLock;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use rollcall_protocol::batch::{CycleKind, Trigger};
use rollcall_protocol::desired::DesiredState;
use rollcall_protocol::hash::Hash;
use rollcall_protocol::jws::JwsError;
use rollcall_protocol::loss::Accepted;
use uuid::Uuid;

use self::compose::Counts;
use self::concern::Concern;
use self::confirm::{Judged, SecondLook};
use self::evidence::DcContinuity;
use self::pace::Pace;
use self::read::Reads;
use self::scope::Scope;
use self::survey::Survey;
use self::withheld::Withheld;
use crate::clock::{Chance, Clock};
use crate::directory::access::Access;
use crate::directory::ceiling::Barred;
use crate::directory::connect::{ConnectError, How};
use crate::directory::controllers::{self, InReach, ReachError};
use crate::directory::domain::{Domain, NotOurs};
use crate::directory::reader::Incomplete;
use crate::directory::structure::{Skeleton, Structure};
use crate::signer::Signer;
use crate::spool::state::State;
use crate::spool::{Spool, SpoolError};

/// Why a cycle came to nothing. Nobody is removed because of any of these.
#[derive(Debug, thiserror::Error)]
pub enum CycleError {
    #[error("{0}")]
    Connect(#[from] ConnectError),
    #[error("{0}")]
    NotOurs(#[from] NotOurs),
    #[error("{0}")]
    Incomplete(#[from] Incomplete),
    #[error("{0}")]
    Spool(#[from] SpoolError),
    #[error("a batch could not be packed: {0}")]
    Packing(#[from] std::io::Error),
    #[error("a batch could not be signed: {0}")]
    Signing(#[from] JwsError),
    #[error("the reading did not end within {0} min")]
    Deadline(u64),
    #[error("a cycle still waits to be sent")]
    Unsent,
    #[error("the place in the chain is lost until the cloud gives a new one")]
    NoPlace,
}

impl From<ReachError> for CycleError {
    fn from(error: ReachError) -> Self {
        match error {
            ReachError::Connect(error) => Self::Connect(error),
            ReachError::NotOurs(error) => Self::NotOurs(error),
        }
    }
}

/// Why and how this cycle runs.
#[derive(Debug, Clone)]
pub struct Wish {
    pub trigger: Trigger,
    pub extent: Extent,
    /// People whom the cloud wants to hear about.
    pub confirm: Vec<Uuid>,
    /// Attributes of which a human said that their disappearance is meant.
    pub accepted: Vec<Accepted>,
    pub purpose: Purpose,
}

/// Whether everybody is sent although the cloud asked for no more than changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    AsNeeded,
    Everybody,
}

/// Whether the cycle leaves anything behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    Publish,
    /// The same reading and the same decisions, thrown away at the end.
    DryRun,
}

/// What a complete cycle found and put into the spool.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Summary {
    pub cycle: Uuid,
    pub kind: CycleKind,
    pub people: u64,
    pub people_in_domain: u64,
    #[serde(flatten)]
    pub counts: Counts,
    pub batches: u32,
    pub bytes: u64,
    pub unavailable: Vec<Uuid>,
    pub concerns: Vec<Concern>,
    pub started_at: DateTime<Utc>,
    pub finished_at: DateTime<Utc>,
    /// The account that reads can do more than read.
    pub over_privileged: bool,
    /// What the file on this machine kept back.
    pub ceiling: rollcall_protocol::ceiling::Ceiling,
    /// Which way the directory was reached, and which configured ways failed before.
    pub reached: Reached,
}

/// How a cycle reached its directory, for people to read.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Reached {
    pub used: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed: Vec<String>,
}

impl Reached {
    fn log_failed(&self) {
        for failed in &self.failed {
            tracing::warn!(used = %self.used, %failed, "a better way to the directory failed");
        }
    }
}

impl From<&How> for Reached {
    fn from(how: &How) -> Self {
        Self { used: how.used.clone(), failed: how.tried.iter().map(ToString::to_string).collect() }
    }
}

/// The parts of the agent that a cycle works with.
#[expect(missing_debug_implementations, reason = "holds a closure")]
pub struct Cycle<'a> {
    pub spool: &'a mut Spool,
    pub access: &'a Access,
    pub desired: &'a DesiredState,
    pub signer: &'a Signer,
    pub clock: &'a Clock,
    pub chance: &'a Chance,
    /// How far apart two readings must be that both do not find somebody.
    pub second_reading_after: TimeDelta,
    /// The readings of this process. `None` for a single reading by hand, which knows of no other.
    pub pace: Option<&'a Pace>,
    /// Told how many people have been read so far.
    pub progress: &'a (dyn Fn(u64) + Sync),
}

const DEADLINE: Duration = Duration::from_mins(15);

impl Cycle<'_> {
    /// Runs one cycle. On `Ok` its batches are in the spool (unless it was a dry run); on `Err` nothing happened. Only if
    /// the very last step fails, noting the place beside the spool, the cycle is in the spool all the same.
    pub async fn run(mut self, wish: &Wish) -> Result<Summary, CycleError> {
        if self.spool.waiting()?.batches > 0 && wish.purpose == Purpose::Publish && !self.spool.may_be_replaced()? {
            return Err(CycleError::Unsent);
        }
        let host = OnceLock::new();
        let read = tokio::time::timeout(DEADLINE, self.read(wish, &host)).await;
        let read = read.map_err(|_| CycleError::Deadline(DEADLINE.as_secs() / 60)).flatten().map_err(of_the_store);
        if read.is_err() {
            // First, since it takes back whatever was written while it was open: what is noted now must stay.
            self.spool.drop_reading();
        }
        if let Err(CycleError::Incomplete(Incomplete::Store(_))) = &read {
            // A full disk is waited for, a damaged file must not be.
            self.spool.check_sound()?;
        }
        if let (Err(error), Some(host), Purpose::Publish) = (&read, host.get(), wish.purpose)
            && is_the_controllers(error)
        {
            tracing::warn!(%host, %error, "this domain controller broke off; the next reading begins with another one");
            self.spool.note_broken(host, self.clock.cloud_now())?;
        }
        let summary = read.and_then(|read| publish::publish(&mut self, wish, &read));
        self.spool.drop_reading();
        summary
    }

    /// Everything that needs the directory. `reading_from` is told which controller is read, also when the reading breaks off.
    async fn read(&mut self, wish: &Wish, reading_from: &OnceLock<String>) -> Result<Complete, CycleError> {
        let started_at = self.clock.cloud_now();
        let replaced = self.spool.next_batch()?.map(|first| first.claims.link.cycle.kind);
        let state = self.spool.state_to_build_on()?;
        // A spool that was lost does not know its domain any more; the signed instructions still do.
        let pinned = state.domain.as_ref().or(self.desired.domain.as_ref());
        let experience = state.experience(started_at);
        let reached = controllers::reach(self.access, &experience, pinned, self.chance).await?;
        let InReach { mut reader, domain, host } = reached;
        let host = reading_from.get_or_init(|| host).clone();
        let reached = Reached::from(reader.how());
        let account = reader.how().account;
        reached.log_failed();
        let continuity = continuity(&state, &domain);
        let barred = Barred::locate(&mut reader, &domain, &self.access.never_read).await?;
        let mut scope = Scope::plan(self.desired, self.clock.signed_now()).under(barred);
        locate::locate_all(&mut reader, &domain, &mut scope).await?;
        let mut skeleton = Skeleton::read(&mut reader, &domain).await?;
        nested::expand_all(&mut reader, &domain, &skeleton.map, &mut scope).await?;
        let attributes = &self.access.attributes;
        let recipe = scope::recipe(self.desired, attributes, &self.access.never_read, crate::version::text());
        let way = way::decide(&state.base, recipe, scope.to_read().len());
        let asked: BTreeSet<Uuid> = wish.confirm.iter().chain(&state.asked).copied().collect();
        let reads = Reads { domain: &domain, scope: &scope, attributes, asked: &asked };
        let (census, mut withheld) = reads.run(&mut reader, self.spool, way).await?;
        let structure = skeleton.list(&mut reader, &domain, &census).await?;
        drop((skeleton, census));
        self.spool.finish_reading()?;
        let people = self.spool.reading()?.count()?;
        withheld.check(people)?;
        (self.progress)(people);
        let survey = survey::take(self.spool, &scope, &asked)?;
        let look = SecondLook {
            scope: &scope,
            domain: &domain,
            attributes,
            continuity,
            clock: self.clock,
            second_reading_after: self.second_reading_after,
            pace: self.pace,
        };
        let judged = look.judge_all(&mut reader, self.spool, &survey.ended, &mut withheld).await?;
        reader.close().await;
        Ok(Complete {
            started_at,
            reached,
            host,
            replaced,
            state,
            domain,
            continuity,
            scope,
            structure,
            survey,
            judged,
            withheld,
            asked,
            account,
        })
    }
}

/// A reading that ended well, with every decision that needed the directory.
struct Complete {
    started_at: DateTime<Utc>,
    reached: Reached,
    /// The controller as it was named to us.
    host: String,
    /// The cycle in the spool whose place this one takes: what it owed the cloud, this one owes.
    replaced: Option<CycleKind>,
    state: State,
    domain: Domain,
    continuity: DcContinuity,
    scope: Scope,
    structure: Structure,
    survey: Survey,
    judged: Judged,
    withheld: Withheld,
    asked: BTreeSet<Uuid>,
    /// Who signed in.
    account: Hash,
}

/// What a search met in the spool is no matter of the directory: whoever mends the spool must hear it.
fn of_the_store(error: CycleError) -> CycleError {
    if let CycleError::Incomplete(Incomplete::Damaged(why)) = error {
        CycleError::Spool(SpoolError::Damaged(why))
    } else {
        error
    }
}

/// Whether a reading that was begun failed for something of this controller: another one may well end it.
fn is_the_controllers(error: &CycleError) -> bool {
    match error {
        CycleError::Connect(_) | CycleError::Deadline(_) => true,
        CycleError::Incomplete(incomplete) => match incomplete {
            Incomplete::Result { .. }
            | Incomplete::ConnectionLost { .. }
            | Incomplete::Silent { .. }
            | Incomplete::UnreadableEntry { .. }
            | Incomplete::UnreadablePageControl { .. }
            | Incomplete::TooManyPages(_)
            | Incomplete::TooMany { .. } => true,
            // Of a permission, of the moment, of this machine: the next controller would say the same.
            Incomplete::Referral
            | Incomplete::ReadRightMissing { .. }
            | Incomplete::Contradiction
            | Incomplete::ChangedMeanwhile
            | Incomplete::Store(_)
            | Incomplete::Damaged(_) => false,
        },
        CycleError::NotOurs(_)
        | CycleError::Spool(_)
        | CycleError::Packing(_)
        | CycleError::Signing(_)
        | CycleError::Unsent
        | CycleError::NoPlace => false,
    }
}

fn continuity(state: &State, domain: &Domain) -> DcContinuity {
    match &state.base.dc {
        Some(before) if !before.is_continued_by(&domain.dc) => DcContinuity::Changed,
        Some(_) | None => DcContinuity::Same,
    }
}
