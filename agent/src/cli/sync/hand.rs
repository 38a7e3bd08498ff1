//! The steps of a cycle by hand: ask for instructions, read, send. What fails is told to whoever sits here, and tried again
//! by the next command, where the service would wait and mend.

use std::time::Duration;

use chrono::{DateTime, Utc};
use rollcall_protocol::batch::Trigger;
use rollcall_protocol::checkin::{CheckinRequest, CycleOutcome, CycleReport};
use rollcall_protocol::desired::DesiredState;
use rollcall_protocol::{answer, catalogue};

use crate::clock::{Chance, Clock};
use crate::cloud::backoff;
use crate::cloud::checkin::{self, Heard, InForce, Instructions};
use crate::cloud::gaps::Gaps;
use crate::cloud::link::{Link, LinkError};
use crate::cloud::push::{self, Pushed};
use crate::config::Config;
use crate::cycle::{Cycle, Extent, Purpose, Summary, Wish};
use crate::desk::Desk;
use crate::diagnostic::Diagnostic;
use crate::directory::access::Access;
use crate::exit::Exit;
use crate::folder::{erasure, instructions, kept};
use crate::identity::Identity;
use crate::spool::{Spool, SpoolError};

/// What one command works with.
pub struct Hand<'a> {
    spool: Spool,
    config: &'a Config,
    identity: Identity,
    link: Link,
}

/// How often a batch is tried before the command gives up; what is in the spool stays and goes out later.
const TRIES: u32 = 5;
const LONGEST_WAIT: Duration = Duration::from_secs(10);

impl<'a> Hand<'a> {
    pub fn open(config: &'a Config, identity: Identity, clock: &Clock, chance: &Chance) -> Result<Self, Diagnostic> {
        let (spool, _) = Spool::open(&config.data_dir, clock.now()).map_err(failed)?;
        let link = Link::open(config, &identity, clock, chance)?;
        Ok(Self { spool, config, identity, link })
    }

    /// The newest instructions; for a dry run those in force are as good when the cloud is away.
    pub async fn instructions(&mut self, purpose: Purpose) -> Result<DesiredState, Diagnostic> {
        let folder = self.config.data_dir.as_path();
        let state = self.spool.state().map_err(failed)?;
        let stored = instructions::find(folder, &self.identity, Some(&state));
        instructions::vouch(&self.link.clock, folder, stored.as_ref());
        let desk = Desk::open(self.config, stored.clone(), Some(&state), self.link.clock.now());
        match purpose {
            Purpose::Publish if state.chain.is_none() => desk.wish_epoch(self.spool.last_epoch()),
            Purpose::Publish | Purpose::DryRun => {}
        }
        let reached = kept::REACHED.find(folder).map(|reached| reached.used);
        desk.set_directory(state.domain.clone(), state.base.dc.clone(), reached);
        let request = desk.request(0, self.link.clock.offset_ms());
        let in_force = instructions::in_force(Some(&state), stored.as_ref());
        match self.ask(&request, in_force).await {
            Ok(heard) => self.obey(heard, stored, purpose),
            Err(error) => match (purpose, stored) {
                (Purpose::DryRun, Some(stored)) => Ok(stored),
                (Purpose::DryRun | Purpose::Publish, _) => Err(self.refused(&error)),
            },
        }
    }

    /// Somebody of the same name may be at the cloud for a moment longer, as a service that was just killed.
    async fn ask(&self, request: &CheckinRequest, in_force: InForce<'_>) -> Result<Heard, LinkError> {
        for _ in 1..TRIES {
            match checkin::check_in(&self.link, &self.identity, request, in_force).await {
                Err(LinkError::Refused(answer::Refusal::Busy { retry_after_seconds })) => {
                    let wait = backoff::spread(retry_after_seconds, self.link.chance.fraction());
                    tokio::time::sleep(wait.min(LONGEST_WAIT)).await;
                }
                answer => return answer,
            }
        }
        checkin::check_in(&self.link, &self.identity, request, in_force).await
    }

    fn refused(&mut self, error: &LinkError) -> Diagnostic {
        if matches!(error, LinkError::Refused(answer::Refusal::Revoked { .. })) {
            // Another start pays what this one could not.
            if let Err(owed) = erasure::erase(&self.config.data_dir, self.link.clock.now()) {
                return owed;
            }
        }
        Diagnostic::from(error)
    }

    /// A dry run obeys new instructions and keeps nothing of them.
    fn obey(
        &mut self,
        heard: Heard,
        stored: Option<DesiredState>,
        purpose: Purpose,
    ) -> Result<DesiredState, Diagnostic> {
        if let Some(epoch) = heard.epoch {
            self.spool.begin_epoch(epoch).map_err(failed)?;
        }
        match heard.instructions {
            Instructions::New { desired, text } => {
                self.link.clock.vouch(desired.issued_at, self.link.clock.now());
                match purpose {
                    Purpose::DryRun => {}
                    Purpose::Publish => {
                        self.spool.note_obeyed(desired.version).map_err(failed)?;
                        instructions::save(&self.config.data_dir, &text).map_err(Diagnostic::unexpected)?;
                    }
                }
                Ok(*desired)
            }
            Instructions::AsBefore => stored
                .ok_or_else(|| Diagnostic::new(catalogue::NO_IMPORT, "the cloud sent no instructions", Exit::Failed)),
            Instructions::Refused(disobey) => Err(Diagnostic::from(&disobey)),
        }
    }

    pub async fn cycle(
        &mut self,
        desired: &DesiredState,
        access: &Access,
        trigger: Trigger,
        purpose: Purpose,
    ) -> Result<Summary, Diagnostic> {
        let started_at = self.link.clock.cloud_now();
        let signer = self.link.keys.signer();
        let cycle = Cycle {
            spool: &mut self.spool,
            access,
            desired,
            signer: &signer,
            clock: &self.link.clock,
            chance: &self.link.chance,
            second_reading_after: self.config.second_reading_after(),
            pace: None,
            progress: &|_| {},
        };
        let wish = Wish { trigger, extent: Extent::AsNeeded, confirm: Vec::new(), accepted: Vec::new(), purpose };
        let result = cycle.run(&wish).await.map_err(|error| Diagnostic::from(&error));
        if purpose == Purpose::Publish {
            self.report(started_at, result.as_ref());
        }
        result
    }

    fn report(&self, started_at: DateTime<Utc>, result: Result<&Summary, &Diagnostic>) {
        if let Ok(summary) = result {
            kept::REACHED.save(&self.config.data_dir, &summary.reached);
        }
        self.note_sign_in(result.err());
        let finished_at = self.link.clock.cloud_now();
        let (cycle, outcome) = match result {
            Ok(summary) => (summary.cycle, CycleOutcome::Complete),
            Err(diagnostic) => {
                let problem = diagnostic.to_problem(finished_at);
                let outcome = CycleOutcome::Incomplete { problem, next_try_at: finished_at };
                (self.link.chance.id(finished_at), outcome)
            }
        };
        let trigger = Some(Trigger::CommandLine);
        kept::REPORT.save(&self.config.data_dir, &CycleReport { cycle, trigger, started_at, finished_at, outcome });
    }

    /// The service that is started after this command must neither send a refused password again nor wait for one that was
    /// accepted.
    fn note_sign_in(&self, failure: Option<&Diagnostic>) {
        let folder = self.config.data_dir.as_path();
        match failure {
            None => kept::REFUSAL.forget(folder),
            Some(told) if told.must_not_be_retried() => kept::note_refusal(self.config, self.link.clock.signed_now()),
            Some(_) => {}
        }
    }

    /// Sends everything that waits, or says why not.
    pub async fn push_all(&mut self) -> Result<(), Diagnostic> {
        let mut backoff = backoff::CLOUD;
        let mut gaps = Gaps::default();
        let mut resend = None;
        loop {
            let pushed = push::push_one(&mut self.spool, &self.link, resend).await;
            match pushed.map_err(failed)? {
                Pushed::Empty => return Ok(()),
                Pushed::One(_) => {
                    backoff.reset();
                    resend = None;
                }
                Pushed::Filled(next) => resend = Some(next),
                Pushed::Missing(gap) => {
                    resend = Some(gap.from);
                    let wait = gaps.wait_before(&gap, self.link.chance.fraction());
                    if gaps.in_vain() >= TRIES {
                        return Err(Diagnostic::from(&gap.told()));
                    }
                    tokio::time::sleep(wait.unwrap_or_default().min(LONGEST_WAIT)).await;
                }
                Pushed::NewEpoch(why) => {
                    self.spool.lose_place().map_err(failed)?;
                    let Diagnostic { fault, detail, .. } = Diagnostic::from(&why);
                    let detail = format!("{detail}; the next sync begins a new epoch");
                    return Err(Diagnostic::new(fault, detail, Exit::CloudUnreachable));
                }
                Pushed::Later { after, why } => {
                    let own = backoff.failed(self.link.chance.fraction());
                    if backoff.failures() >= TRIES {
                        return Err(Diagnostic::from(&why));
                    }
                    tokio::time::sleep(after.unwrap_or(own).min(LONGEST_WAIT)).await;
                }
                Pushed::Stopped(refusal) => return Err(Diagnostic::from(&refusal)),
                Pushed::Revoked => {
                    let revoked = answer::Refusal::Revoked { proof: None };
                    return Err(self.refused(&LinkError::Refused(revoked)));
                }
            }
        }
    }
}

fn failed(error: SpoolError) -> Diagnostic {
    Diagnostic::from(&error)
}
