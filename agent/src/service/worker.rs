//! Sends what waits and reads when it is due, never both at once. While the cloud is away a newer reading takes the place
//! of the one that waits, unless that one may have arrived.

use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, Utc};
use rollcall_protocol::answer::Refusal;
use rollcall_protocol::catalogue;
use rollcall_protocol::checkin::{CycleOutcome, CycleReport, Phase};
use rollcall_protocol::desired::{Command, DesiredState, Order};
use tokio::sync::watch;
use tokio::time::Instant;
use uuid::Uuid;

use super::desk::{Desk, Standing};
use super::guarded::{Panicked, guarded};
use super::schedule::{self, Next, Outcome, Run, Situation, Try};
use super::{keeping, mending};
use crate::cloud::backoff::{self, Backoff};
use crate::cloud::link::Link;
use crate::cloud::push::{self, Pushed};
use crate::cloud::rotate::{self, Ordered};
use crate::config::Config;
use crate::cycle::{Cycle, CycleError, Purpose, Summary, Wish, scope};
use crate::diagnostic::Diagnostic;
use crate::directory::reader::Incomplete;
use crate::identity::Identity;
use crate::log::READ;
use crate::spool::outgoing::{Acknowledged, Waiting};
use crate::spool::state::State;
use crate::spool::{Spool, SpoolError};

type Wanted = watch::Receiver<Option<DesiredState>>;

/// Why the worker ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    Revoked,
}

/// What lies in the spool asks for now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sending {
    Nothing,
    Now,
    /// The last try failed. Until the next one a newer reading may take the place of what waits, or must not.
    Later {
        until: Instant,
        newer: Newer,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Newer {
    Replaces,
    Waits,
}

/// The worker and everything it owns.
#[derive(Debug)]
pub struct Worker<'a> {
    pub config: &'a Config,
    pub folder: &'a Path,
    pub link: &'a Link,
    pub desk: &'a Desk,
    last_try: Option<Try>,
    tried: Vec<Uuid>,
    done: Vec<Uuid>,
    resend: Option<u64>,
    backoff: Backoff,
    /// As it lies on the disk; a rotation changes its key.
    identity: Identity,
    rotate_again_at: Option<Instant>,
    /// When the next try to send is due, after one that failed.
    send_again_at: Option<Instant>,
    mends: Backoff,
    jitter: f64,
}

impl<'a> Worker<'a> {
    pub fn new(config: &'a Config, folder: &'a Path, identity: Identity, link: &'a Link, desk: &'a Desk) -> Self {
        let jitter = link.chance.fraction();
        Self {
            config,
            folder,
            link,
            desk,
            last_try: None,
            tried: Vec::new(),
            done: Vec::new(),
            resend: None,
            backoff: backoff::CLOUD,
            identity,
            rotate_again_at: None,
            send_again_at: None,
            mends: backoff::STORE,
            jitter,
        }
    }

    /// Works until revoked. A store that fails is put aside or waited for.
    pub async fn work(mut self) -> Ended {
        let mut desired = self.desk.watch_desired();
        loop {
            let mut spool = mending::open(self.folder, self.desk, self.link).await;
            let error = loop {
                match self.turn(&mut spool, &mut desired).await {
                    Ok(None) => {}
                    Ok(Some(ended)) => {
                        if let Err(error) = spool.wipe() {
                            tracing::error!(%error, "the spool could not be wiped");
                        }
                        return ended;
                    }
                    Err(error) => break error,
                }
            };
            mending::after(error, spool, self.folder, self.desk, self.link, &mut self.mends).await;
        }
    }

    /// One step: take an epoch, send a batch, run a cycle, or wait for one of these.
    async fn turn(&mut self, spool: &mut Spool, desired: &mut Wanted) -> Result<Option<Ended>, SpoolError> {
        spool.check_in_place()?;
        self.wait_while_stopped(desired).await;
        if let Some(given) = self.desk.take_epoch() {
            spool.begin_epoch(given)?;
            self.resend = None;
            self.send_again_at = None;
        }
        let state = spool.state()?;
        let waiting = spool.waiting()?;
        self.show(&state, waiting);
        if state.chain.is_none() {
            self.desk.wish_epoch(spool.last_epoch());
            self.desk.epoch_given.notified().await;
            return Ok(None);
        }
        let sending = self.sending(spool, waiting)?;
        match sending {
            Sending::Nothing => {}
            Sending::Now | Sending::Later { .. } => {
                self.desk.set_phase(Phase::Pushing { batches_left: waiting.batches });
            }
        }
        match sending {
            Sending::Now => return self.push(spool).await,
            // What the old key has signed leaves before anything that the new one signs.
            Sending::Nothing => self.rotate_if_due(desired).await,
            Sending::Later { .. } => {}
        }
        self.read_or_wait(spool, &state, sending, desired).await?;
        Ok(None)
    }

    fn show(&self, state: &State, waiting: Waiting) {
        self.desk.set_waiting(waiting);
        let reached = keeping::find_reached(self.folder).map(|reached| reached.used);
        self.desk.set_directory(state.domain.clone(), state.base.dc.clone(), reached);
    }

    fn sending(&self, spool: &Spool, waiting: Waiting) -> Result<Sending, SpoolError> {
        if waiting.batches == 0 {
            return Ok(Sending::Nothing);
        }
        Ok(match self.send_again_at.filter(|at| *at > Instant::now()) {
            None => Sending::Now,
            Some(until) => {
                let newer = if spool.may_be_replaced()? { Newer::Replaces } else { Newer::Waits };
                Sending::Later { until, newer }
            }
        })
    }

    /// Nothing is to be sent at this moment: read if it is time, or wait until something is due.
    async fn read_or_wait(
        &mut self,
        spool: &mut Spool,
        state: &State,
        sending: Sending,
        desired: &mut Wanted,
    ) -> Result<(), SpoolError> {
        let wanted = desired.borrow_and_update().clone();
        // What waits in the spool was read already.
        let seen = State { base: state.newest().clone(), ..state.clone() };
        let now = self.link.clock.cloud_now();
        let situation = Situation {
            desired: wanted.as_ref(),
            state: &seen,
            recipe: wanted.as_ref().and_then(|wanted| self.recipe(wanted)),
            last_try: self.last_try,
            tried: &self.tried,
            done: &self.done,
            second_reading_after: self.config.second_reading_after(),
            jitter: self.jitter,
        };
        let next = schedule::decide(&situation, now);
        let (send_at, newer) = match sending {
            Sending::Nothing | Sending::Now => (None, Newer::Replaces),
            Sending::Later { until, newer } => (Some(until), newer),
        };
        match (next, wanted, newer) {
            (Next::Run(run), Some(wanted), Newer::Replaces) => return self.run(spool, &wanted, run).await,
            (Next::Run(_), _, _) => self.wait(None, send_at, now, desired).await,
            (Next::Sleep(until), _, _) => {
                self.rest(send_at, Phase::Idle);
                self.wait(Some(until), send_at, now, desired).await;
            }
            (Next::Paused(until), wanted, _) => {
                let is_paused = wanted.is_some_and(|wanted| wanted.pause.is_some());
                self.rest(send_at, if is_paused { Phase::Paused } else { Phase::Idle });
                self.wait(until, send_at, now, desired).await;
            }
        }
        Ok(())
    }

    /// What waits to be sent is what the portal should show.
    fn rest(&self, send_at: Option<Instant>, phase: Phase) {
        if send_at.is_none() {
            self.desk.set_phase(phase);
        }
    }

    /// Waits for the moment, for new instructions, a new epoch or a stop, whatever comes first.
    async fn wait(
        &self,
        until: Option<DateTime<Utc>>,
        send_at: Option<Instant>,
        now: DateTime<Utc>,
        desired: &mut Wanted,
    ) {
        // A clock that is set while we sleep is noticed within the hour.
        let longest = Duration::from_hours(1);
        let sleep = until.and_then(|until| (until - now).to_std().ok()).map_or(longest, |sleep| sleep.min(longest));
        let due = Instant::now() + sleep;
        let mut standing = self.desk.watch_standing();
        tokio::select! {
            () = tokio::time::sleep_until(send_at.map_or(due, |send_at| send_at.min(due))) => {}
            _ = desired.changed() => {}
            () = self.desk.epoch_given.notified() => {}
            _ = standing.changed() => {}
        }
    }

    /// While two copies use this identity nothing is read or sent. A release comes as newer instructions; the listener
    /// goes on meanwhile.
    async fn wait_while_stopped(&self, desired: &mut Wanted) {
        let Standing::Stopped { obeyed } = *self.desk.watch_standing().borrow() else { return };
        self.desk.set_phase(Phase::Idle);
        if desired.wait_for(|wanted| version(wanted.as_ref()) > obeyed).await.is_err() {
            // Nobody is left who could release us.
            std::future::pending::<()>().await;
        }
        tracing::info!("new instructions; sending is tried again");
        self.desk.clear(&catalogue::AGENT_CLONED);
        self.desk.release();
    }

    async fn rotate_if_due(&mut self, desired: &Wanted) {
        let is_open = |command: &&Command| command.order == Order::RotateKey && !self.done.contains(&command.id);
        let ordered: Vec<Uuid> = desired
            .borrow()
            .iter()
            .flat_map(|wanted| &wanted.commands)
            .filter(is_open)
            .map(|command| command.id)
            .collect();
        let asked = if ordered.is_empty() { Ordered::No } else { Ordered::Yes };
        let is_too_soon = self.rotate_again_at.is_some_and(|at| at > Instant::now());
        if is_too_soon || !rotate::is_due(&self.identity, asked, self.link.clock.now()) {
            return;
        }
        match rotate::rotate(self.link, self.folder, &self.identity).await {
            Ok(renewed) => {
                self.identity = renewed;
                self.finish(&ordered);
                self.desk.news.notify_one();
            }
            Err(diagnostic) => {
                tracing::warn!(code = diagnostic.fault.code, detail = %diagnostic.detail, "the key could not be changed");
                // What was begun is on the disk.
                self.identity = Identity::get(self.folder).unwrap_or_else(|_| self.identity.clone());
                self.rotate_again_at = Some(Instant::now() + ROTATE_AGAIN);
            }
        }
    }

    fn recipe(&self, desired: &DesiredState) -> Option<rollcall_protocol::hash::Hash> {
        let attributes = crate::directory::people::AttributeList::without(&self.config.privacy.withhold).ok()?;
        Some(scope::recipe(desired, &attributes, crate::version::text()))
    }

    async fn push(&mut self, spool: &mut Spool) -> Result<Option<Ended>, SpoolError> {
        self.send_again_at = None;
        match push::push_one(spool, self.link, self.resend).await? {
            Pushed::One(acknowledged) => {
                self.backoff.reset();
                self.mends.reset();
                self.resend = None;
                self.desk.clear_all("RC-3");
                self.desk.clear(&catalogue::NOT_WRITABLE);
                if acknowledged == Acknowledged::Cycle {
                    self.desk.clear(&catalogue::SPOOL_REBUILT);
                }
            }
            Pushed::Empty => {}
            Pushed::Again(seq) => self.resend = Some(seq),
            Pushed::NewEpoch => {
                tracing::warn!("the place in the chain is lost; asking for a new epoch");
                self.resend = None;
                spool.lose_place()?;
            }
            Pushed::Later { after, why } => {
                let diagnostic = Diagnostic::from(&why);
                self.desk.raise(&diagnostic, self.link.clock.now());
                tracing::warn!(code = diagnostic.fault.code, detail = %diagnostic.detail, "a batch waits");
                let own = self.backoff.failed(self.link.chance.fraction());
                self.send_again_at = Some(Instant::now() + after.unwrap_or(own));
            }
            Pushed::Stopped(refusal) => {
                self.desk.raise(&Diagnostic::from(&refusal), self.link.clock.now());
                self.desk.stop();
            }
            Pushed::Revoked => return Ok(Some(Ended::Revoked)),
        }
        Ok(None)
    }

    async fn run(&mut self, spool: &mut Spool, desired: &DesiredState, run: Run) -> Result<(), SpoolError> {
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
            read = guarded(cycle.run(&wish)) => match read {
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

fn version(desired: Option<&DesiredState>) -> u64 {
    desired.map_or(0, |desired| desired.version)
}

/// The old key is as good meanwhile.
const ROTATE_AGAIN: Duration = Duration::from_mins(1);

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

/// A question about people is answered only when nobody of them waits for a second reading.
fn finished_commands(desired: &DesiredState, run: &Run, summary: &Summary) -> Vec<Uuid> {
    let is_finished = |id: &&Uuid| {
        desired.commands.iter().filter(|command| command.id == **id).all(|command| match command.order {
            Order::SyncNow
            | Order::RefreshStructure
            | Order::FullSnapshot
            | Order::AcceptClearing { .. }
            | Order::RotateKey => true,
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
