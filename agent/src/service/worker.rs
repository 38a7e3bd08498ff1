//! Sends what waits and reads when it is due, never both at once. While the cloud is away a newer reading takes the place
//! of the one that waits, unless that one may have arrived.

use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use rollcall_protocol::checkin::Phase;
use rollcall_protocol::desired::{Command, DesiredState, Order};
use tokio::sync::watch;
use tokio::time::Instant;
use uuid::Uuid;

use super::begun::{Begun, GoOn};
use super::epochs::EpochPace;
use super::mending;
use super::schedule::{self, Next, Outcome, Situation, Try};
use crate::cloud::backoff::{self, Backoff};
use crate::cloud::gaps::Gaps;
use crate::cloud::link::Link;
use crate::cloud::rotate::{self, Ordered};
use crate::config::Config;
use crate::cycle::pace::Pace;
use crate::cycle::scope;
use crate::desk::{Desk, Standing};
use crate::folder::kept::{self, Refusal};
use crate::identity::Identity;
use crate::previous_key;
use crate::spool::outgoing::Waiting;
use crate::spool::state::State;
use crate::spool::{Spool, SpoolError};

pub(super) type Wanted = watch::Receiver<Option<DesiredState>>;

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
    pub(super) last_try: Option<Try>,
    /// When the last try of this process ended: by a clock that nobody can set, and by this machine's.
    pub(super) ended: Option<(Instant, DateTime<Utc>)>,
    pub(super) refused: Option<Refusal>,
    pub(super) insisted_at: Option<DateTime<Utc>>,
    pub(super) pace: Pace,
    pub(super) tried: Vec<Uuid>,
    pub(super) begun: Begun,
    pub(super) done: Vec<Uuid>,
    pub(super) resend: Option<u64>,
    pub(super) gaps: Gaps,
    pub(super) backoff: Backoff,
    pub(super) epochs: EpochPace,
    /// As it lies on the disk; a rotation changes its key.
    identity: Identity,
    rotate_again_at: Option<Instant>,
    /// When the next try to send is due, after one that failed.
    pub(super) send_again_at: Option<Instant>,
    pub(super) mends: Backoff,
    pub(super) jitter: f64,
}

impl<'a> Worker<'a> {
    pub fn new(config: &'a Config, folder: &'a Path, identity: Identity, link: &'a Link, desk: &'a Desk) -> Self {
        let jitter = link.chance.fraction();
        let refused = kept::REFUSAL.find(folder);
        let begun = Begun::find(folder);
        let GoOn { tried, failed } = begun.go_on(link.clock.cloud_now());
        let last_try = schedule::before_start(refused.map(|refusal| refusal.at), kept::REPORT.find(folder).as_ref());
        Self {
            config,
            folder,
            link,
            desk,
            last_try: match last_try {
                Some(Try { outcome: Outcome::Refused, .. }) => last_try,
                Some(Try { outcome: Outcome::Complete | Outcome::Failed(_), .. }) | None => failed.or(last_try),
            },
            ended: None,
            refused,
            insisted_at: refused.and_then(|refusal| refusal.insisted_at),
            pace: Pace::default(),
            tried,
            begun,
            done: Vec::new(),
            resend: None,
            gaps: Gaps::default(),
            backoff: backoff::CLOUD,
            epochs: EpochPace::default(),
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
                    Ok(Some(ended)) => return ended,
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
        spool.note_obeyed(version(desired.borrow().as_ref()))?;
        let state = spool.state()?;
        let waiting = spool.waiting()?;
        self.show(&state, waiting);
        if state.chain.is_none() {
            if let Some(until) = self.epochs.not_before() {
                self.rest(None, Phase::Idle);
                self.wait_for_epoch(until, desired).await;
                return Ok(None);
            }
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
        let reached = kept::REACHED.find(self.folder).map(|reached| reached.used);
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
        self.learn_refusal();
        // What waits in the spool was read already.
        let seen = State { base: state.newest().clone(), ..state.clone() };
        let now = self.link.clock.cloud_now();
        let situation = Situation {
            desired: wanted.as_ref(),
            state: &seen,
            recipe: wanted.as_ref().and_then(|wanted| self.recipe(wanted)),
            last_try: self.last_try,
            since_try: self.since_try(),
            tried: &self.tried,
            done: &self.done,
            sign_in: self.sign_in_change(),
            insisted_at: self.insisted_at,
            second_reading_after: self.config.second_reading_after(),
            signed_offset: self.link.clock.signed_offset(),
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

    /// The longer of two: the one stands still while the machine sleeps, the other can be set back.
    fn since_try(&self) -> Option<TimeDelta> {
        let (ended, here) = self.ended?;
        let watched = TimeDelta::from_std(ended.elapsed()).ok()?;
        Some(watched.max(self.link.clock.now() - here))
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
        let mut standing = self.desk.watch_standing();
        let Standing::Stopped { obeyed } = *standing.borrow() else { return };
        self.desk.set_phase(Phase::Idle);
        let is_over = tokio::select! {
            newer = desired.wait_for(|wanted| version(wanted.as_ref()) > obeyed) => newer.is_ok(),
            good = standing.wait_for(|standing| *standing == Standing::Good) => good.is_ok(),
        };
        if !is_over {
            // Nobody is left who could release us.
            std::future::pending::<()>().await;
        }
        tracing::info!("released; sending is tried again");
        self.desk.release();
    }

    async fn rotate_if_due(&mut self, desired: &Wanted) {
        previous_key::forget_if_over(self.folder, self.identity.agent, self.link.clock.now());
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

    pub(super) fn recipe(&self, desired: &DesiredState) -> Option<rollcall_protocol::hash::Hash> {
        let privacy = &self.config.privacy;
        let (attributes, never_read) = (privacy.attributes().ok()?, privacy.never_read().ok()?);
        Some(scope::recipe(desired, &attributes, &never_read, crate::version::text()))
    }
}

fn version(desired: Option<&DesiredState>) -> u64 {
    desired.map_or(0, |desired| desired.version)
}

/// The old key is as good meanwhile.
const ROTATE_AGAIN: Duration = Duration::from_mins(1);
