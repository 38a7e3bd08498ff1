//! Runs one cycle for the worker and says how it ended: complete, failed for a reason, or broken off by the store.

use chrono::{DateTime, Utc};
use rollcall_protocol::answer;
use rollcall_protocol::batch::Trigger;
use rollcall_protocol::catalogue;
use rollcall_protocol::ceiling::Ceiling;
use rollcall_protocol::checkin::{CycleOutcome, CycleReport, Phase};
use rollcall_protocol::desired::{DesiredState, Order};
use tokio::time::Instant;
use uuid::Uuid;

use super::guarded::{Panicked, guarded};
use super::overtaking::{self, Reads};
use super::schedule::{self, Outcome, Run, SignInChange, Try};
use super::worker::Worker;
use crate::cycle::{Cycle, CycleError, Purpose, Summary, Wish};
use crate::desk::Standing;
use crate::diagnostic::Diagnostic;
use crate::directory::reader::Incomplete;
use crate::exit::Exit;
use crate::folder::kept::{self, Refusal};
use crate::log::READ;
use crate::spool::{Spool, SpoolError};

impl Worker<'_> {
    pub(super) async fn run(&mut self, spool: &mut Spool, desired: &DesiredState, run: Run) -> Result<(), SpoolError> {
        self.desk.set_phase(Phase::Reading { people: 0 });
        let tried = self.tried.clone();
        self.tried.extend_from_slice(&run.commands);
        let is_open = |id: &Uuid| desired.commands.iter().any(|command| command.id == *id);
        self.tried.retain(is_open);
        self.done.retain(is_open);
        let started_at = self.link.clock.cloud_now();
        let trigger = run.trigger;
        tracing::info!(?trigger, "reading the directory");
        self.begun.begin(self.folder, &self.tried, started_at);
        let result = self.cycle(spool, desired, &run).await;
        if let Err(Failure::Overtaken) = result {
            tracing::info!("newer instructions end this reading; nothing of it is sent");
            self.tried = tried;
            self.begun.end(self.folder, &self.tried);
            return Ok(());
        }
        self.begun.end(self.folder, &self.tried);
        self.ended = Some((Instant::now(), self.link.clock.now()));
        let finished_at = self.link.clock.cloud_now();
        self.jitter = self.link.chance.fraction();
        let report = match &result {
            Ok(summary) => self.completed(desired, &run, summary, finished_at),
            Err(failure) => self.failed(&failure.diagnostic(), desired, &run, [started_at, finished_at]),
        };
        kept::REPORT.save(self.folder, &report);
        self.desk.set_last_cycle(report);
        match result {
            Err(Failure::Spool(error)) => {
                match error {
                    // It is put aside, and everybody is read for the new one as soon as there is an epoch.
                    SpoolError::Damaged(_) | SpoolError::Unreadable | SpoolError::Gone => self.last_try = None,
                    SpoolError::Unwritable(_) => {}
                }
                Err(error)
            }
            Ok(_) | Err(Failure::Told(_) | Failure::Overtaken) => Ok(()),
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
            pace: Some(&self.pace),
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
                Err(Failure::Told(Diagnostic::from(&answer::Refusal::Quarantined)))
            }
            () = self.until_overtaken(desired) => Err(Failure::Overtaken),
        };
        // One that was broken off has not cleared up.
        spool.drop_reading();
        ended
    }

    /// Ready when instructions come that end a reading by these.
    async fn until_overtaken(&self, desired: &DesiredState) {
        let reads = Reads { desired, recipe: self.recipe(desired) };
        let overtakes = |newer: &DesiredState| {
            overtaking::is_overtaken(&reads, newer, self.recipe(newer), self.link.clock.signed_now())
        };
        let mut wanted = self.desk.watch_desired();
        if wanted.wait_for(|wanted| wanted.as_ref().is_some_and(overtakes)).await.is_err() {
            // Nobody is left who could give instructions.
            std::future::pending::<()>().await;
        }
    }

    fn completed(&mut self, desired: &DesiredState, run: &Run, summary: &Summary, at: DateTime<Utc>) -> CycleReport {
        self.last_try = Some(Try { at, outcome: Outcome::Complete, recipe: self.recipe(desired) });
        self.pace.note(summary.finished_at, Instant::now());
        kept::REFUSAL.forget(self.folder);
        self.desk.conclude(&summary.concerns, warnings(summary), at);
        kept::REACHED.save(self.folder, &summary.reached);
        self.desk.clear(&catalogue::NOT_WRITABLE);
        self.finish(&finished_commands(desired, run, summary));
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
            trigger: Some(run.trigger),
            started_at: summary.started_at,
            finished_at: at,
            outcome: CycleOutcome::Complete,
        }
    }

    /// What the file on this machine kept back, for the portal; and a place of it that is not there, as a problem.
    fn tell_ceiling(&self, ceiling: &Ceiling, at: DateTime<Utc>) {
        kept::CEILING.save(self.folder, ceiling);
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

    fn failed(
        &mut self,
        diagnostic: &Diagnostic,
        desired: &DesiredState,
        run: &Run,
        [from, at]: [DateTime<Utc>; 2],
    ) -> CycleReport {
        let outcome = match (diagnostic.must_not_be_retried(), self.last_try) {
            (true, _) => Outcome::Refused,
            (false, Some(Try { outcome: Outcome::Failed(times), .. })) => Outcome::Failed(times + 1),
            (false, _) => Outcome::Failed(1),
        };
        match outcome {
            Outcome::Refused => self.note_refusal(run.trigger, desired),
            Outcome::Complete | Outcome::Failed(_) => {
                self.last_try = Some(Try { at, outcome, recipe: self.recipe(desired) });
            }
        }
        let since = self.desk.fail(diagnostic, at);
        tracing::error!(code = diagnostic.fault.code, detail = %diagnostic.detail, "reading failed; nobody is removed");
        self.finish(&quick_commands(run));
        let next_try_at = schedule::next_after(outcome, at, desired, self.jitter);
        CycleReport {
            cycle: self.link.chance.id(at),
            trigger: Some(run.trigger),
            started_at: from,
            finished_at: at,
            outcome: CycleOutcome::Incomplete { problem: diagnostic.to_problem(since), next_try_at },
        }
    }
}

/// Decides what a refused sign-in forbids.
impl Worker<'_> {
    /// Kept on the disk too: a restart would otherwise be one more try, and a service that is restarted often locks the
    /// account.
    fn note_refusal(&mut self, trigger: Trigger, desired: &DesiredState) {
        let at = self.link.clock.signed_now();
        let was_refused = self.last_try.is_some_and(|last| last.outcome == Outcome::Refused);
        match trigger {
            Trigger::SyncNow | Trigger::FullSnapshotOrdered if was_refused => self.insisted_at = Some(at),
            Trigger::SyncNow
            | Trigger::FullSnapshotOrdered
            | Trigger::Schedule
            | Trigger::Start
            | Trigger::SelectionChanged
            | Trigger::SecondReading
            | Trigger::CommandLine => {}
        }
        self.last_try = Some(Try { at, outcome: Outcome::Refused, recipe: self.recipe(desired) });
        let refusal = Refusal { at, sign_in: self.config.sign_in_mark(), insisted_at: self.insisted_at };
        self.refused = Some(refusal);
        kept::REFUSAL.save(self.folder, &refusal);
    }

    /// A bundle or a check beside the readings may have been refused since the last one.
    pub(super) fn learn_refusal(&mut self) {
        let is_news = |told: &Refusal| self.refused.is_none_or(|known| known.at < told.at);
        let Some(told) = kept::REFUSAL.find(self.folder).filter(is_news) else { return };
        self.refused = Some(told);
        self.insisted_at = told.insisted_at;
        self.last_try = Some(Try { at: told.at, outcome: Outcome::Refused, recipe: None });
        let detail = "a check or a bundle was refused; it is not tried again before the next reading is due";
        let refused = Diagnostic::new(catalogue::BIND_REFUSED, detail, Exit::DirectoryUnreachable);
        self.desk.raise(&refused, self.link.clock.now());
    }

    pub(super) fn sign_in_change(&self) -> SignInChange {
        match self.refused {
            Some(refusal) if refusal.sign_in == self.config.sign_in_mark() => SignInChange::Same,
            Some(_) | None => SignInChange::Changed,
        }
    }
}

/// Why a cycle came to nothing, and whether the store must be looked after.
enum Failure {
    Told(Diagnostic),
    Spool(SpoolError),
    /// Newer instructions do not want it.
    Overtaken,
}

impl Failure {
    fn diagnostic(&self) -> Diagnostic {
        match self {
            Self::Told(diagnostic) => diagnostic.clone(),
            Self::Spool(error) => error.into(),
            Self::Overtaken => Diagnostic::unexpected("newer instructions ended it"),
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

/// What is wrong although the reading was complete.
fn warnings(summary: &Summary) -> Vec<Diagnostic> {
    let powerful = Diagnostic::new(catalogue::TOO_POWERFUL, "the account is an administrator", Exit::Attention);
    summary.over_privileged.then_some(powerful).into_iter().collect()
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
