//! `sync`: one cycle by hand, with the second reading where somebody is missing and it is near, and everything sent.

use std::time::Duration;

use chrono::TimeDelta;
use rollcall_protocol::batch::Trigger;
use rollcall_protocol::catalogue;
use rollcall_protocol::checkin::{CycleOutcome, CycleReport};
use rollcall_protocol::desired::{DesiredState, Role};

use super::output::Output;
use crate::clock::{Chance, Clock};
use crate::cloud::backoff;
use crate::cloud::checkin::{self, Heard, Instructions};
use crate::cloud::gaps::Gaps;
use crate::cloud::link::{Link, LinkError};
use crate::cloud::push::{self, Pushed};
use crate::config::Config;
use crate::cycle::{Cycle, Extent, Purpose, Summary, Wish};
use crate::desk::Desk;
use crate::diagnostic::Diagnostic;
use crate::directory::access::Access;
use crate::exit::Exit;
use crate::folder::kept::Refusal;
use crate::folder::{erasure, instructions, kept, lock};
use crate::identity::Identity;
use crate::spool::{self, Spool, SpoolError};

/// What `--dry-run` means.
pub fn purpose(dry_run: bool) -> Purpose {
    if dry_run { Purpose::DryRun } else { Purpose::Publish }
}

pub async fn run(
    config: &Config,
    clock: &Clock,
    chance: &Chance,
    purpose: Purpose,
    output: &Output,
) -> Result<Exit, Diagnostic> {
    let folder = config.data_dir.as_path();
    let identity = Identity::get(folder)?;
    let _lock = lock::take(folder)?;
    let done = by_hand(config, identity, clock, chance, purpose, output).await;
    // The next command begins anew with an empty spool and everybody.
    if done.as_ref().is_err_and(|told| told.fault == catalogue::SPOOL_REBUILT) {
        spool::set_aside(folder, clock.now()).map_err(|error| spool_failed(&error))?;
    }
    done
}

async fn by_hand(
    config: &Config,
    identity: Identity,
    clock: &Clock,
    chance: &Chance,
    purpose: Purpose,
    output: &Output,
) -> Result<Exit, Diagnostic> {
    let folder = config.data_dir.as_path();
    let (spool, _) = Spool::open(folder, clock.now()).map_err(|error| spool_failed(&error))?;
    let link = Link::open(config, &identity, clock, chance)?;
    let mut hand = Hand { spool, config, identity, link };
    let desired = hand.instructions(purpose).await?;
    if desired.pause.as_ref().is_some_and(|pause| pause.holds(clock.signed_now())) {
        return Err(Diagnostic::new(catalogue::PAUSED, "by the portal", Exit::Attention));
    }
    match desired.role {
        Role::Active => {}
        Role::Standby => return Err(Diagnostic::new(catalogue::PAUSED, "this agent stands by", Exit::Attention)),
    }
    let access = config.access()?;
    match purpose {
        Purpose::Publish => hand.push_all().await?,
        Purpose::DryRun => {}
    }
    let mut summary = hand.cycle(&desired, &access, Trigger::CommandLine, purpose).await?;
    if purpose == Purpose::Publish {
        hand.push_all().await?;
        if summary.counts.awaiting > 0 && config.second_reading_after() <= LONGEST_SECOND_WAIT {
            wait_for_second_reading(config.second_reading_after(), output).await;
            let second = hand.cycle(&desired, &access, Trigger::SecondReading, purpose).await?;
            hand.push_all().await?;
            summary = together(summary, second);
        }
    }
    output.result(text(&summary, purpose), &json(&summary, purpose)?);
    Ok(if needs_attention(&summary, purpose) { Exit::Attention } else { Exit::Ok })
}

/// A second reading that is further away is left to the service or to a later command.
const LONGEST_SECOND_WAIT: TimeDelta = TimeDelta::seconds(30);

/// What was found is sent already, so that an interruption here loses nothing.
async fn wait_for_second_reading(after: TimeDelta, output: &Output) {
    output.notice(format!("Somebody was not found; reading a second time in {} s.", after.num_seconds()));
    tokio::time::sleep(after.to_std().unwrap_or_default()).await;
}

fn spool_failed(error: &SpoolError) -> Diagnostic {
    Diagnostic::from(error)
}

struct Hand<'a> {
    spool: Spool,
    config: &'a Config,
    identity: Identity,
    link: Link,
}

/// How often a batch is tried before the command gives up; what is in the spool stays and goes out later.
const TRIES: u32 = 5;
const LONGEST_WAIT: Duration = Duration::from_secs(10);

impl Hand<'_> {
    /// The newest instructions; for a dry run those in force are as good when the cloud is away.
    async fn instructions(&mut self, purpose: Purpose) -> Result<DesiredState, Diagnostic> {
        let folder = self.config.data_dir.as_path();
        let state = self.spool.state().map_err(|error| spool_failed(&error))?;
        let stored = instructions::find(folder, &self.identity, Some(&state));
        instructions::vouch(&self.link.clock, folder, stored.as_ref());
        let desk = Desk::new(stored.clone(), state.obeyed, kept::REPORT.find(folder), self.link.clock.now());
        match purpose {
            Purpose::Publish if state.chain.is_none() => desk.wish_epoch(self.spool.last_epoch()),
            Purpose::Publish | Purpose::DryRun => {}
        }
        if let Some(ceiling) = kept::ceiling(self.config) {
            desk.set_ceiling(ceiling);
        }
        let mut request = desk.request(0, self.link.clock.offset_ms());
        request.status.domain = state.domain.clone();
        request.status.dc = state.base.dc.clone();
        request.status.transport = kept::REACHED.find(folder).map(|reached| reached.used);
        let in_force = instructions::in_force(Some(&state), stored.as_ref());
        match checkin::check_in(&self.link, &self.identity, &request, in_force).await {
            Ok(heard) => self.obey(heard, stored, purpose),
            Err(error) => match (purpose, stored) {
                (Purpose::DryRun, Some(stored)) => Ok(stored),
                (Purpose::DryRun | Purpose::Publish, _) => Err(self.refused(&error)),
            },
        }
    }

    fn refused(&mut self, error: &LinkError) -> Diagnostic {
        if matches!(error, LinkError::Refused(rollcall_protocol::answer::Refusal::Revoked { .. })) {
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
            self.spool.begin_epoch(epoch).map_err(|error| spool_failed(&error))?;
        }
        match heard.instructions {
            Instructions::New { desired, text } => {
                self.link.clock.vouch(desired.issued_at, self.link.clock.now());
                match purpose {
                    Purpose::DryRun => {}
                    Purpose::Publish => {
                        self.spool.note_obeyed(desired.version).map_err(|error| spool_failed(&error))?;
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

    async fn cycle(
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

    fn report(&self, started_at: chrono::DateTime<chrono::Utc>, result: Result<&Summary, &Diagnostic>) {
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
            Some(told) if told.must_not_be_retried() => {
                let insisted_at = kept::REFUSAL.find(folder).and_then(|before| before.insisted_at);
                let at = self.link.clock.signed_now();
                kept::REFUSAL.save(folder, &Refusal { at, sign_in: self.config.sign_in_mark(), insisted_at });
            }
            Some(_) => {}
        }
    }

    /// Sends everything that waits, or says why not.
    async fn push_all(&mut self) -> Result<(), Diagnostic> {
        let mut backoff = backoff::CLOUD;
        let mut gaps = Gaps::default();
        let mut resend = None;
        loop {
            let pushed = push::push_one(&mut self.spool, &self.link, resend).await;
            match pushed.map_err(|error| spool_failed(&error))? {
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
                    self.spool.lose_place().map_err(|error| spool_failed(&error))?;
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
                    let revoked = rollcall_protocol::answer::Refusal::Revoked { proof: None };
                    return Err(self.refused(&LinkError::Refused(revoked)));
                }
            }
        }
    }
}

/// Two readings of one command, told as one.
fn together(first: Summary, second: Summary) -> Summary {
    let mut counts = second.counts;
    counts.added += first.counts.added;
    counts.changed += first.counts.changed;
    counts.departed += first.counts.departed;
    counts.held += first.counts.held;
    Summary {
        counts,
        batches: first.batches + second.batches,
        bytes: first.bytes + second.bytes,
        started_at: first.started_at,
        ..second
    }
}

fn needs_attention(summary: &Summary, purpose: Purpose) -> bool {
    let waits = match purpose {
        Purpose::Publish => summary.counts.awaiting > 0,
        Purpose::DryRun => false,
    };
    waits || summary.counts.held > 0 || !summary.concerns.is_empty()
}

fn text(summary: &Summary, purpose: Purpose) -> String {
    let counts = &summary.counts;
    let verb = match purpose {
        Purpose::Publish => "sent",
        Purpose::DryRun => "would be sent (dry run)",
    };
    let mut lines = vec![
        format!("{} people in scope of {} in the domain.", summary.people, summary.people_in_domain),
        format!("{} new, {} changed, {} memberships ended.", counts.added, counts.changed, counts.departed),
        format!("{} bytes in {} batches {verb}.", summary.bytes, summary.batches),
    ];
    if counts.held > 0 {
        lines.push(format!("{} removals are held for review in the portal.", counts.held));
    }
    if counts.awaiting > 0 {
        lines.push(format!(
            "{} wait for a second reading; it follows with the service or a later sync.",
            counts.awaiting
        ));
    }
    lines.extend(summary.concerns.iter().map(|concern| Diagnostic::from(concern).to_string()));
    lines.join("\n")
}

fn json(summary: &Summary, purpose: Purpose) -> Result<serde_json::Value, Diagnostic> {
    let mut json = serde_json::to_value(summary).map_err(Diagnostic::unexpected)?;
    if let Some(object) = json.as_object_mut() {
        object.insert("dry_run".into(), (purpose == Purpose::DryRun).into());
    }
    Ok(json)
}
