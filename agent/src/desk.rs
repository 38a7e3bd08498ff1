//! What the listener and the worker know of each other: instructions one way, state the other.

use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use rollcall_protocol::catalogue::{self, Area, Fault};
use rollcall_protocol::ceiling::Ceiling;
use rollcall_protocol::chain::Epoch;
use rollcall_protocol::checkin::{
    AgentStatus, CheckinRequest, Clearing, CycleOutcome, CycleReport, EpochWish, Kind, Phase,
};
use rollcall_protocol::desired::DesiredState;
use rollcall_protocol::directory::{DcIdentity, DomainPin};
use rollcall_protocol::update::metadata::Platform;
use rollcall_protocol::update::report::UpdateReport;
use tokio::sync::{Notify, watch};
use uuid::Uuid;

mod problems;

use crate::config::Config;
use crate::cycle::concern::Concern;
use crate::diagnostic::Diagnostic;
use crate::exit::Exit;
use crate::folder::{instructions, kept};
use crate::machine;
use crate::spool::outgoing::{Acknowledged, Waiting};
use crate::spool::state::State;
use problems::Problems;

/// Shared by the tasks of one `run`.
#[derive(Debug)]
pub struct Desk {
    desired: watch::Sender<Option<DesiredState>>,
    /// The newest instructions that an earlier process obeyed.
    obeyed: u64,
    /// Whether the cloud has answered this process yet.
    answered: watch::Sender<bool>,
    standing: watch::Sender<Standing>,
    /// Rings for the worker when a new epoch lies in `given_epoch`.
    pub epoch_given: Notify,
    /// Rings when something happened that the cloud should hear before the long poll ends.
    pub news: Notify,
    state: Mutex<Shown>,
}

/// What the cloud thinks of this agent, as far as it has said so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    Good,
    /// Two copies use this identity. Nothing is read or sent until instructions come that are newer than these.
    Stopped {
        obeyed: u64,
    },
}

/// What the next check-in tells.
#[derive(Debug)]
struct Shown {
    started_at: DateTime<Utc>,
    phase: Phase,
    domain: Option<DomainPin>,
    dc: Option<DcIdentity>,
    transport: Option<String>,
    waiting: Waiting,
    last_cycle: Option<CycleReport>,
    ceiling: Option<Ceiling>,
    done: Vec<Uuid>,
    epoch_wish: EpochWish,
    last_epoch: u64,
    given_epoch: Option<Epoch>,
    problems: Problems,
    update: Option<UpdateReport>,
    clearings: Vec<Clearing>,
}

impl Desk {
    pub fn new(
        desired: Option<DesiredState>,
        obeyed: u64,
        last_cycle: Option<CycleReport>,
        now: DateTime<Utc>,
    ) -> Self {
        let desk = Self {
            desired: watch::Sender::new(desired),
            obeyed,
            answered: watch::Sender::new(false),
            standing: watch::Sender::new(Standing::Good),
            epoch_given: Notify::new(),
            news: Notify::new(),
            state: Mutex::new(Shown {
                started_at: now,
                phase: Phase::Idle,
                domain: None,
                dc: None,
                transport: None,
                waiting: Waiting::default(),
                last_cycle: last_cycle.clone(),
                ceiling: None,
                done: Vec::new(),
                epoch_wish: EpochWish::Keep,
                last_epoch: 0,
                given_epoch: None,
                problems: Problems::default(),
                update: None,
                clearings: Vec::new(),
            }),
        };
        if let Some(report) = &last_cycle {
            desk.remember(report);
        }
        desk
    }

    /// As the last process left it.
    pub fn open(config: &Config, desired: Option<DesiredState>, state: Option<&State>, now: DateTime<Utc>) -> Self {
        let obeyed = instructions::in_force(state, desired.as_ref()).version;
        let desk = Self::new(desired, obeyed, kept::REPORT.find(&config.data_dir), now);
        if let Some(ceiling) = kept::ceiling(config) {
            desk.set_ceiling(ceiling);
        }
        desk
    }

    fn shown(&self) -> MutexGuard<'_, Shown> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn watch_desired(&self) -> watch::Receiver<Option<DesiredState>> {
        self.desired.subscribe()
    }

    /// What is obeyed now.
    pub fn desired(&self) -> Option<DesiredState> {
        self.desired.borrow().clone()
    }

    /// Instructions older than these are not obeyed.
    pub fn newest_obeyed(&self) -> u64 {
        self.desired.borrow().as_ref().map_or(0, |desired| desired.version).max(self.obeyed)
    }

    pub fn obey(&self, desired: DesiredState) {
        self.desired.send_replace(Some(desired));
    }

    pub fn give_epoch(&self, epoch: Epoch) {
        {
            let mut shown = self.shown();
            shown.epoch_wish = EpochWish::Keep;
            shown.given_epoch = Some(epoch);
        }
        self.epoch_given.notify_one();
    }

    /// The epoch that the cloud gave, once.
    pub fn take_epoch(&self) -> Option<Epoch> {
        self.shown().given_epoch.take()
    }

    /// The body of the next check-in.
    pub fn request(&self, wait_seconds: u32, clock_offset_ms: i64) -> CheckinRequest {
        // Instructions that were lost are asked for as if one number were missing: a cloud that is behind it continues
        // from there, and one that is not sends its newest.
        let lost = self.obeyed.saturating_sub(1);
        let desired_version = self.desired.borrow().as_ref().map_or(lost, |desired| desired.version);
        let shown = self.shown();
        let facts = machine::facts();
        CheckinRequest {
            kind: Kind::Report,
            desired_version,
            wait_seconds,
            done: shown.done.clone(),
            epoch: shown.epoch_wish,
            last_epoch: match shown.epoch_wish {
                EpochWish::Keep => 0,
                EpochWish::New => shown.last_epoch,
            },
            status: AgentStatus {
                version: facts.agent_version,
                host: facts.host,
                os: facts.os,
                started_at: shown.started_at,
                phase: shown.phase,
                domain: shown.domain.clone(),
                dc: shown.dc.clone(),
                transport: shown.transport.clone(),
                spool_batches: shown.waiting.batches,
                spool_bytes: shown.waiting.bytes,
                clock_offset_ms,
                last_cycle: shown.last_cycle.clone(),
                ceiling: shown.ceiling.clone(),
                problems: shown.problems.listed(),
                platform: Some(Platform::here()),
                update: shown.update.clone(),
                clearings: shown.clearings.clone(),
            },
        }
    }

    pub fn is_answered(&self) -> bool {
        *self.answered.borrow()
    }

    /// Ready once the cloud has accepted a check-in of this process.
    pub fn watch_answered(&self) -> watch::Receiver<bool> {
        self.answered.subscribe()
    }

    /// The cloud has heard these; they need not be told again.
    pub fn heard(&self, done: &[Uuid]) {
        self.answered.send_replace(true);
        self.shown().done.retain(|id| !done.contains(id));
    }

    pub fn done(&self, commands: &[Uuid]) {
        self.shown().done.extend_from_slice(commands);
    }

    /// `last` is the newest epoch that was worked in.
    pub fn wish_epoch(&self, last: u64) {
        {
            let mut shown = self.shown();
            shown.epoch_wish = EpochWish::New;
            shown.last_epoch = last;
        }
        self.news.notify_one();
    }

    /// The cloud wants nothing of this agent until a human has decided. Answers whether that is news.
    pub fn stop(&self) -> bool {
        let obeyed = self.desired.borrow().as_ref().map_or(0, |desired| desired.version);
        let is_news = self.standing.send_if_modified(|standing| match standing {
            Standing::Good => {
                *standing = Standing::Stopped { obeyed };
                true
            }
            Standing::Stopped { .. } => false,
        });
        self.news.notify_one();
        is_news
    }

    pub fn release(&self) {
        self.clear(&catalogue::AGENT_CLONED);
        self.standing.send_replace(Standing::Good);
    }

    pub fn watch_standing(&self) -> watch::Receiver<Standing> {
        self.standing.subscribe()
    }

    /// What the worker is at. The cloud hears it at once, so that the portal shows it live.
    pub fn set_phase(&self, phase: Phase) {
        let changed = {
            let mut shown = self.shown();
            std::mem::replace(&mut shown.phase, phase) != phase
        };
        if changed {
            self.news.notify_one();
        }
    }

    pub fn is_busy(&self) -> bool {
        match self.shown().phase {
            Phase::Reading { .. } | Phase::Pushing { .. } => true,
            Phase::Idle | Phase::Paused => false,
        }
    }

    /// What became of the version that was wanted. The cloud hears it at once.
    pub fn set_update(&self, report: UpdateReport) {
        self.shown().update = Some(report);
        self.news.notify_one();
    }

    pub fn set_directory(&self, domain: Option<DomainPin>, dc: Option<DcIdentity>, transport: Option<String>) {
        let mut shown = self.shown();
        shown.domain = domain;
        shown.dc = dc;
        shown.transport = transport;
    }

    pub fn set_waiting(&self, waiting: Waiting) {
        self.shown().waiting = waiting;
    }

    pub fn set_last_cycle(&self, report: CycleReport) {
        self.shown().last_cycle = Some(report);
        self.news.notify_one();
    }

    /// What the file on this machine keeps back.
    pub fn set_ceiling(&self, ceiling: Ceiling) {
        let changed = {
            let mut shown = self.shown();
            shown.ceiling.replace(ceiling.clone()) != Some(ceiling)
        };
        if changed {
            self.news.notify_one();
        }
    }

    /// Notes a problem; the moment it began stays while it lasts.
    pub fn raise(&self, diagnostic: &Diagnostic, now: DateTime<Utc>) {
        self.shown().problems.raise(diagnostic, now);
    }

    /// A reading failed with this; answers since when it is so.
    pub fn fail(&self, diagnostic: &Diagnostic, now: DateTime<Utc>) -> DateTime<Utc> {
        self.shown().problems.fail(diagnostic, now)
    }

    /// What the last reading before this start failed with lasts until one is good again.
    fn remember(&self, report: &CycleReport) {
        let CycleOutcome::Incomplete { problem, .. } = &report.outcome else { return };
        if let Some(fault) = catalogue::find(&problem.code) {
            self.fail(&Diagnostic::new(*fault, &problem.detail, Exit::Failed), problem.since);
        }
    }

    /// A reading was complete: of all that can be wrong with directory and selection only this is left.
    pub fn conclude(&self, concerns: &[Concern], warnings: Vec<Diagnostic>, now: DateTime<Utc>) {
        let mut shown = self.shown();
        shown.problems.conclude(concerns.iter().map(Diagnostic::from).chain(warnings), now);
        shown.clearings = concerns.iter().filter_map(Concern::clearing).collect();
    }

    /// A batch arrived. That another one was set aside stays told until a whole cycle has arrived.
    pub fn clear_sending(&self, acknowledged: Acknowledged) {
        let is_of_sending = |code: &str| [Area::Line, Area::Exchange].contains(&Area::of(code));
        let is_mended = |code: &str| match acknowledged {
            Acknowledged::Part => is_of_sending(code) && code != catalogue::BATCH_POISONED.code,
            Acknowledged::Cycle => is_of_sending(code) || code == catalogue::SPOOL_REBUILT.code,
        };
        self.shown().problems.clear(|code| is_mended(code) || code == catalogue::NOT_WRITABLE.code);
    }

    pub fn clear(&self, fault: &Fault) {
        self.shown().problems.clear(|code| code == fault.code);
    }

    /// The cloud was reached.
    pub fn clear_line(&self) {
        self.shown().problems.clear(|code| Area::of(code) == Area::Line);
    }

    /// Another version is wanted, or none. What became of one that was installed stays told.
    pub fn clear_wish(&self) {
        let is_of_an_installed_one = |code: &str| {
            [catalogue::UPDATE_TAKEN_BACK, catalogue::VERSION_DAMAGED].iter().any(|fault| fault.code == code)
        };
        self.shown().problems.clear(|code| Area::of(code) == Area::Update && !is_of_an_installed_one(code));
    }
}
