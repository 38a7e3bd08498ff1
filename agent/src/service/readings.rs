//! Runs one cycle for the worker and says how it ended: complete, failed for a reason, or broken off by the store.

use chrono::{DateTime, Utc};
use rollcall_protocol::answer::Refusal;
use rollcall_protocol::catalogue;
use rollcall_protocol::ceiling::Ceiling;
use rollcall_protocol::checkin::{CycleOutcome, CycleReport, Phase};
use rollcall_protocol::desired::{DesiredState, Order};
use uuid::Uuid;

use super::desk::Standing;
use super::guarded::{Panicked, guarded};
use super::keeping;
use super::schedule::{self, Outcome, Run, Try};
use super::worker::Worker;
use crate::cycle::{Cycle, CycleError, Purpose, Summary, Wish};
use crate::diagnostic::Diagnostic;
use crate::directory::reader::Incomplete;
use crate::log::READ;
use crate::spool::{Spool, SpoolError};

impl Worker<'_> {
    pub(super) async fn run(&mut self, spool: &mut Spool, desired: &DesiredState, run: Run) -> Result<(), SpoolError> {
        self.desk.set_phase(Phase::Reading { people: 0 });
        self.tried.extend_from_slice(&run.commands);
        let is_open = |id: &Uuid| desired.commands.iter().any(|command| command.id == *id);
        self.tried.retain(is_open);
        self.done.retain(is_open);
        let started_at = self.link.clock.cloud_now();
        let trigger = run.trigger;
        tracing::info!(?trigger, "reading the directory");
        let result = self.cycle(spool, desired, &run).await;
        let finished_at = self.link.clock.cloud_now();
        self.jitter = self.link.chance.fraction();
        let report = match &result {
            Ok(summary) => self.completed(desired, &run, summary, finished_at),
            Err(failure) => self.failed(&failure.diagnostic(), &run, started_at, finished_at),
        };
        keeping::save_report(self.folder, &report);
        self.desk.set_last_cycle(report);
        match result {
            Err(Failure::Spool(error)) => Err(error),
            Ok(_) | Err(Failure::Told(_)) => Ok(()),
        }
    }

    async fn cycle(&self, spool: &mut Spool, desired: &DesiredState, run: &Run) -> Result<Summary, Failure> {
        let access = self.config.access().map_err(Failure::Told)?;
        let desk = self.desk;
        let progress = |people: u64| desk.set_phase(Phase::Reading { people });
        let signer = self.link.keys.signer();
        let cycle = Cycle {
            spool: &mut *spool,
            access: &access,
            desired,
            signer: &signer,
            clock: &self.link.clock,
            chance: &self.link.chance,
            second_reading_after: self.config.second_reading_after(),
            progress: &progress,
        };
        let wish = Wish {
            trigger: run.trigger,
            extent: run.extent,
            confirm: run.confirm.clone(),
            accepted: run.accepted.clone(),
            purpose: Purpose::Publish,
        };
        let mut standing = desk.watch_standing();
        let ended = tokio::select! {
            read = guarded(Box::pin(cycle.run(&wish))) => match read {
                Ok(read) => read.map_err(Failure::from),
                Err(Panicked) => Err(Failure::Told(Diagnostic::unexpected("the reading broke off in the program"))),
            },
            _ = standing.wait_for(|standing| *standing != Standing::Good) => {
                Err(Failure::Told(Diagnostic::from(&Refusal::Quarantined)))
            }
        };
        // One that was broken off has not cleared up.
        spool.drop_reading();
        ended
    }

    fn completed(&mut self, desired: &DesiredState, run: &Run, summary: &Summary, at: DateTime<Utc>) -> CycleReport {
        self.last_try = Some(Try { at, outcome: Outcome::Complete });
        self.desk.conclude(&summary.concerns, at);
        keeping::save_reached(self.folder, &summary.reached);
        self.desk.clear(&catalogue::NOT_WRITABLE);
        self.finish(&finished_commands(desired, run, summary));
        if summary.over_privileged {
            let detail = "the account is an administrator";
            self.desk.raise(&Diagnostic::new(catalogue::TOO_POWERFUL, detail, crate::exit::Exit::Attention), at);
        }
        self.tell_ceiling(&summary.ceiling, at);
        tracing::info!(
            event = READ,
            people = summary.people,
            added = summary.counts.added,
            changed = summary.counts.changed,
            departed = summary.counts.departed,
            held = summary.counts.held,
            awaiting = summary.counts.awaiting,
            bytes = summary.bytes,
            "reading complete"
        );
        CycleReport {
            cycle: summary.cycle,
            started_at: summary.started_at,
            finished_at: at,
            outcome: CycleOutcome::Complete,
        }
    }

    /// What the file on this machine kept back, for the portal; and a place of it that is not there, as a problem.
    fn tell_ceiling(&self, ceiling: &Ceiling, at: DateTime<Utc>) {
        keeping::save_ceiling(self.folder, ceiling);
        self.desk.set_ceiling(ceiling.clone());
        match Diagnostic::of_lost_place(ceiling) {
            None => self.desk.clear(&catalogue::CEILING_LOST),
            Some(diagnostic) => self.desk.raise(&diagnostic, at),
        }
    }

    pub(super) fn finish(&mut self, commands: &[Uuid]) {
        self.done.extend_from_slice(commands);
        self.desk.done(commands);
    }

    fn failed(&mut self, diagnostic: &Diagnostic, run: &Run, from: DateTime<Utc>, at: DateTime<Utc>) -> CycleReport {
        let outcome = match (diagnostic.must_not_be_retried(), self.last_try) {
            (true, _) => Outcome::Refused,
            (false, Some(Try { outcome: Outcome::Failed(times), .. })) => Outcome::Failed(times + 1),
            (false, _) => Outcome::Failed(1),
        };
        self.last_try = Some(Try { at, outcome });
        self.desk.clear_all("RC-2");
        self.desk.raise(diagnostic, at);
        tracing::error!(code = diagnostic.fault.code, detail = %diagnostic.detail, "reading failed; nobody is removed");
        self.finish(&quick_commands(run));
        let next_try_at = match outcome {
            Outcome::Failed(times) => at + schedule::retry_after(times),
            Outcome::Refused | Outcome::Complete => at + chrono::TimeDelta::hours(3),
        };
        CycleReport {
            cycle: self.link.chance.id(at),
            started_at: from,
            finished_at: at,
            outcome: CycleOutcome::Incomplete { problem: diagnostic.to_problem(at), next_try_at },
        }
    }
}

/// Why a cycle came to nothing, and whether the store must be looked after.
enum Failure {
    Told(Diagnostic),
    Spool(SpoolError),
}

impl Failure {
    fn diagnostic(&self) -> Diagnostic {
        match self {
            Self::Told(diagnostic) => diagnostic.clone(),
            Self::Spool(error) => error.into(),
        }
    }
}

impl From<CycleError> for Failure {
    fn from(error: CycleError) -> Self {
        match error {
            CycleError::Spool(error) => Self::Spool(error),
            CycleError::Incomplete(Incomplete::Store(why)) => Self::Spool(SpoolError::Unwritable(why)),
            CycleError::Connect(_)
            | CycleError::NotOurs(_)
            | CycleError::Incomplete(_)
            | CycleError::Packing(_)
            | CycleError::Signing(_)
            | CycleError::Deadline(_)
            | CycleError::Unsent
            | CycleError::NoPlace => Self::Told(Diagnostic::from(&error)),
        }
    }
}

/// A question about people is answered only when each of them was judged: nobody waits for a second reading, and nobody
/// is beyond what we can see.
fn finished_commands(desired: &DesiredState, run: &Run, summary: &Summary) -> Vec<Uuid> {
    let is_finished = |id: &&Uuid| {
        desired.commands.iter().filter(|command| command.id == **id).all(|command| match command.order {
            Order::SyncNow
            | Order::RefreshStructure
            | Order::FullSnapshot
            | Order::AcceptClearing { .. }
            | Order::RotateKey
            | Order::Bundle
            | Order::Unknown => true,
            Order::Confirm { .. } => summary.counts.awaiting == 0 && summary.counts.undecided == 0,
        })
    };
    run.commands.iter().filter(is_finished).copied().collect()
}

/// "Sync now" was tried, and its failure is told by the report; it is not tried for ever.
fn quick_commands(run: &Run) -> Vec<Uuid> {
    match (run.extent, run.confirm.is_empty() && run.accepted.is_empty()) {
        (crate::cycle::Extent::AsNeeded, true) => run.commands.clone(),
        (crate::cycle::Extent::AsNeeded | crate::cycle::Extent::Everybody, _) => Vec::new(),
    }
}
