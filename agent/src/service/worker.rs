//! Sends what waits, reads when it is due, and never does both at once: an unacknowledged cycle comes first.

use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, Utc};
use rollcall_protocol::catalogue;
use rollcall_protocol::checkin::{CycleOutcome, CycleReport, Phase};
use rollcall_protocol::desired::DesiredState;
use tokio::sync::watch;
use uuid::Uuid;

use super::desk::Desk;
use super::schedule::{self, Next, Outcome, Run, Situation, Try};
use super::{keeping, machine};
use crate::cloud::backoff::{self, Backoff};
use crate::cloud::link::Link;
use crate::cloud::push::{self, Pushed};
use crate::config::Config;
use crate::cycle::{Cycle, CycleError, Purpose, Summary, Wish, scope};
use crate::diagnostic::Diagnostic;
use crate::spool::{Spool, SpoolError};

/// Why the worker ended.
#[derive(Debug)]
pub enum Ended {
    Revoked,
    Broken(SpoolError),
}

/// The worker and everything it owns.
#[derive(Debug)]
pub struct Worker<'a> {
    pub spool: Spool,
    pub config: &'a Config,
    pub folder: &'a Path,
    pub link: &'a Link,
    pub desk: &'a Desk,
    last_try: Option<Try>,
    tried: Vec<Uuid>,
    done: Vec<Uuid>,
    resend: Option<u64>,
    backoff: Backoff,
    jitter: f64,
}

impl<'a> Worker<'a> {
    pub fn new(spool: Spool, config: &'a Config, folder: &'a Path, link: &'a Link, desk: &'a Desk) -> Self {
        let jitter = link.chance.fraction();
        Self {
            spool,
            config,
            folder,
            link,
            desk,
            last_try: None,
            tried: Vec::new(),
            done: Vec::new(),
            resend: None,
            backoff: backoff::CLOUD,
            jitter,
        }
    }

    /// Works until revoked, or until the store breaks.
    pub async fn work(mut self) -> Ended {
        let mut desired = self.desk.watch_desired();
        loop {
            match self.turn(&mut desired).await {
                Ok(None) => {}
                Ok(Some(ended)) => {
                    if let (Ended::Revoked, Err(error)) = (&ended, self.spool.wipe()) {
                        tracing::error!(%error, "the spool could not be wiped");
                    }
                    return ended;
                }
                Err(error) => return Ended::Broken(error),
            }
        }
    }

    /// One step: take an epoch, send a batch, run a cycle, or wait for one of these.
    async fn turn(&mut self, desired: &mut watch::Receiver<Option<DesiredState>>) -> Result<Option<Ended>, SpoolError> {
        if let Some(given) = self.desk.take_epoch() {
            self.spool.begin_epoch(given)?;
            self.resend = None;
        }
        let state = self.spool.state()?;
        let waiting = self.spool.waiting()?;
        self.desk.set_waiting(waiting);
        let reached = keeping::find_reached(self.folder).map(|reached| reached.used);
        self.desk.set_directory(state.domain.clone(), state.base.dc.clone(), reached);
        if state.chain.is_none() {
            self.desk.wish_epoch();
            self.desk.epoch_given.notified().await;
            return Ok(None);
        }
        if waiting.batches > 0 {
            self.desk.set_phase(Phase::Pushing { batches_left: waiting.batches });
            return self.push(desired).await;
        }
        let wanted = desired.borrow_and_update().clone();
        let situation = Situation {
            desired: wanted.as_ref(),
            state: &state,
            recipe: wanted.as_ref().and_then(|wanted| self.recipe(wanted)),
            last_try: self.last_try,
            tried: &self.tried,
            done: &self.done,
            second_reading_after: self.config.second_reading_after(),
            jitter: self.jitter,
        };
        let now = self.link.clock.cloud_now();
        match schedule::decide(&situation, now) {
            Next::Run(run) => {
                if let Some(wanted) = wanted {
                    self.run(&wanted, run).await;
                }
            }
            Next::Sleep(until) => {
                self.desk.set_phase(Phase::Idle);
                self.wait(Some(until), now, desired).await;
            }
            Next::Paused(until) => {
                let is_paused = wanted.is_some_and(|wanted| wanted.pause.is_some());
                self.desk.set_phase(if is_paused { Phase::Paused } else { Phase::Idle });
                self.wait(until, now, desired).await;
            }
        }
        Ok(None)
    }

    /// Waits for the moment, for new instructions or for a new epoch, whatever comes first.
    async fn wait(
        &self,
        until: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
        desired: &mut watch::Receiver<Option<DesiredState>>,
    ) {
        // A clock that is set while we sleep is noticed within the hour.
        let longest = Duration::from_hours(1);
        let sleep = until.and_then(|until| (until - now).to_std().ok()).map_or(longest, |sleep| sleep.min(longest));
        tokio::select! {
            () = tokio::time::sleep(sleep) => {}
            _ = desired.changed() => {}
            () = self.desk.epoch_given.notified() => {}
        }
    }

    fn recipe(&self, desired: &DesiredState) -> Option<rollcall_protocol::hash::Hash> {
        let attributes = crate::directory::people::AttributeList::without(&self.config.privacy.withhold).ok()?;
        Some(scope::recipe(desired, &attributes, machine::VERSION))
    }

    async fn push(&mut self, desired: &mut watch::Receiver<Option<DesiredState>>) -> Result<Option<Ended>, SpoolError> {
        let obeyed = version(desired.borrow().as_ref());
        match push::push_one(&mut self.spool, self.link, self.resend).await? {
            Pushed::One => {
                self.backoff.reset();
                self.resend = None;
                self.desk.clear_all("RC-3");
            }
            Pushed::Empty => {}
            Pushed::Again(seq) => self.resend = Some(seq),
            Pushed::NewEpoch => {
                tracing::warn!("the place in the chain is lost; asking for a new epoch");
                self.resend = None;
                self.spool.lose_place()?;
            }
            Pushed::Later { after, why } => {
                let diagnostic = Diagnostic::from(&why);
                self.desk.raise(&diagnostic, self.link.clock.now());
                tracing::warn!(code = diagnostic.fault.code, detail = %diagnostic.detail, "a batch waits");
                let own = self.backoff.failed(self.link.chance.fraction());
                tokio::time::sleep(after.unwrap_or(own)).await;
            }
            Pushed::Stopped(refusal) => {
                self.desk.raise(&Diagnostic::from(&refusal), self.link.clock.now());
                self.desk.news.notify_one();
                wait_for_release(desired, obeyed).await;
            }
            Pushed::Revoked => return Ok(Some(Ended::Revoked)),
        }
        Ok(None)
    }

    async fn run(&mut self, desired: &DesiredState, run: Run) {
        self.desk.set_phase(Phase::Reading { people: 0 });
        self.tried.extend_from_slice(&run.commands);
        let is_open = |id: &Uuid| desired.commands.iter().any(|command| command.id == *id);
        self.tried.retain(is_open);
        self.done.retain(is_open);
        let started_at = self.link.clock.cloud_now();
        let trigger = run.trigger;
        tracing::info!(?trigger, "reading the directory");
        let result = self.cycle(desired, &run).await;
        let finished_at = self.link.clock.cloud_now();
        self.jitter = self.link.chance.fraction();
        let report = match result {
            Ok(summary) => self.completed(desired, &run, &summary, finished_at),
            Err(diagnostic) => self.failed(&diagnostic, &run, started_at, finished_at),
        };
        keeping::save_report(self.folder, &report);
        self.desk.set_last_cycle(report);
    }

    async fn cycle(&mut self, desired: &DesiredState, run: &Run) -> Result<Summary, Diagnostic> {
        let access = self.config.access()?;
        let desk = self.desk;
        let progress = |people: u64| desk.set_phase(Phase::Reading { people });
        let cycle = Cycle {
            spool: &mut self.spool,
            access: &access,
            desired,
            signer: &self.link.signer,
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
        cycle.run(&wish).await.map_err(|error: CycleError| Diagnostic::from(&error))
    }

    fn completed(&mut self, desired: &DesiredState, run: &Run, summary: &Summary, at: DateTime<Utc>) -> CycleReport {
        self.last_try = Some(Try { at, outcome: Outcome::Complete });
        self.desk.conclude(&summary.concerns, at);
        keeping::save_reached(self.folder, &summary.reached);
        self.finish(&finished_commands(desired, run, summary));
        if summary.over_privileged {
            let detail = "the account is an administrator";
            self.desk.raise(&Diagnostic::new(catalogue::TOO_POWERFUL, detail, crate::exit::Exit::Attention), at);
        }
        tracing::info!(
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

    fn finish(&mut self, commands: &[Uuid]) {
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

/// The cloud holds other batches than we sent, or set us apart: a human decides. A release comes as newer instructions;
/// the listener goes on meanwhile, so that the portal shows why nothing is sent.
async fn wait_for_release(desired: &mut watch::Receiver<Option<DesiredState>>, obeyed: u64) {
    let released = desired.wait_for(|wanted| version(wanted.as_ref()) > obeyed).await.is_ok();
    if released {
        tracing::info!("new instructions; sending is tried again");
    } else {
        // Nobody is left who could release us.
        std::future::pending::<()>().await;
    }
}

fn version(desired: Option<&DesiredState>) -> u64 {
    desired.map_or(0, |desired| desired.version)
}

/// A question about people is answered only when nobody of them waits for a second reading.
fn finished_commands(desired: &DesiredState, run: &Run, summary: &Summary) -> Vec<Uuid> {
    use rollcall_protocol::desired::Order;
    let is_finished = |id: &&Uuid| {
        desired.commands.iter().filter(|command| command.id == **id).all(|command| match command.order {
            Order::SyncNow | Order::RefreshStructure | Order::FullSnapshot | Order::AcceptClearing { .. } => true,
            Order::Confirm { .. } => summary.counts.awaiting == 0,
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
