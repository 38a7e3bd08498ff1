//! Keeps asking the cloud what it wants, by long poll, and hands the answers to the worker.

use std::path::Path;
use std::time::Duration;

use rollcall_protocol::answer::Refusal;
use rollcall_protocol::checkin::{CheckinRequest, EpochWish};
use rollcall_protocol::desired::DesiredState;
use rollcall_protocol::{catalogue, limits};
use tokio::time::Instant;

use super::breather::Breather;
use crate::cloud::backoff;
use crate::cloud::checkin::{self, Heard, InForce, Instructions};
use crate::cloud::link::{Link, LinkError};
use crate::cloud::rotate::{self, Vouched};
use crate::desk::Desk;
use crate::diagnostic::Diagnostic;
use crate::folder::instructions;
use crate::identity::Identity;
use crate::platform::reason;

/// Why the listener gave up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    Revoked,
}

/// News interrupts a long poll, but not more often than this.
const BREATH: Duration = Duration::from_millis(300);

/// Listens until the agent is revoked.
pub async fn listen(link: &Link, identity: &Identity, folder: &Path, desk: &Desk) -> Ended {
    let mut backoff = backoff::CLOUD;
    let mut vouched_at: Option<Instant> = None;
    let mut breather = Breather::default();
    let mut has_stopped = false;
    loop {
        let wait = u32::try_from(limits::LONG_POLL.as_secs()).unwrap_or(55);
        // The first answer, and the first after a failure, should come at once: the portal shows us again, and a version
        // on trial has proven itself.
        let wait = if backoff.failures() == 0 && desk.is_answered() { wait } else { 0 };
        let request = desk.request(wait, link.clock.offset_ms());
        let desired = desk.desired();
        let in_force = in_force(&request, desk, desired.as_ref());
        let asked_at = Instant::now();
        let answer = tokio::select! {
            answer = checkin::check_in(link, identity, &request, in_force) => answer,
            // A wish for a new epoch is answered at once, and an answer that nobody hears would be an epoch in vain.
            () = desk.news.notified(), if request.epoch == EpochWish::Keep => {
                tokio::time::sleep(BREATH).await;
                continue;
            }
        };
        match answer {
            Ok(heard) => {
                backoff.reset();
                taken(&request, desk, &mut has_stopped);
                let breath = breather.after(&request, &heard, asked_at.elapsed(), link.chance.fraction());
                take(heard, folder, desk, link);
                tokio::time::sleep(breath).await;
            }
            Err(LinkError::Refused(Refusal::Revoked { .. })) => return Ended::Revoked,
            Err(error) => {
                match error {
                    LinkError::Refused(Refusal::Quarantined | Refusal::Fork) => has_stopped |= desk.stop(),
                    LinkError::Refused(Refusal::Unauthorized) if may_vouch(vouched_at, Instant::now()) => {
                        vouched_at = Some(Instant::now());
                        match rotate::introduce_again(link, folder).await {
                            Ok(Vouched::Yes) => continue,
                            Ok(Vouched::NoKey) => {}
                            Err(LinkError::Refused(Refusal::Revoked { .. })) => return Ended::Revoked,
                            Err(refused) => {
                                tracing::warn!(%refused, "the key before could not vouch for the present one");
                            }
                        }
                    }
                    LinkError::NameUnknown { .. }
                    | LinkError::Tls { .. }
                    | LinkError::Proxy { .. }
                    | LinkError::Unreachable { .. }
                    | LinkError::Broken { .. }
                    | LinkError::TimedOut { .. }
                    | LinkError::TooLong
                    | LinkError::Odd { .. }
                    | LinkError::Refused(_)
                    | LinkError::Setup(_)
                    | LinkError::Signing(_) => {}
                }
                tell(&error, desk, link);
                tokio::time::sleep(pause(&error, &mut backoff, link)).await;
            }
        }
    }
}

/// What a check-in that the cloud took is the end of. `has_stopped`: whether an earlier one stopped this agent. A cloud
/// that takes check-ins has no quarantine: a proxy invented it, or it is over. What stopped a batch is another matter, on
/// which a human decides.
fn taken(request: &CheckinRequest, desk: &Desk, has_stopped: &mut bool) {
    desk.heard(&request.done);
    desk.clear_line();
    if std::mem::take(has_stopped) {
        desk.release();
    }
}

/// A cloud that refused it once is not asked with every check-in.
const VOUCH_AGAIN: Duration = Duration::from_hours(1);

fn may_vouch(last: Option<Instant>, now: Instant) -> bool {
    last.is_none_or(|last| now.duration_since(last) >= VOUCH_AGAIN)
}

fn in_force<'a>(request: &'a CheckinRequest, desk: &Desk, desired: Option<&'a DesiredState>) -> InForce<'a> {
    InForce { domain: request.status.domain.as_ref(), version: desk.newest_obeyed(), desired }
}

fn tell(error: &LinkError, desk: &Desk, link: &Link) {
    let diagnostic = Diagnostic::from(error);
    tracing::warn!(code = diagnostic.fault.code, detail = %diagnostic.detail, "the check-in failed");
    desk.raise(&diagnostic, link.clock.now());
}

fn pause(error: &LinkError, backoff: &mut backoff::Backoff, link: &Link) -> Duration {
    let own = backoff.failed(link.chance.fraction());
    if let LinkError::Refused(Refusal::Busy { retry_after_seconds } | Refusal::Unavailable { retry_after_seconds }) =
        error
    {
        return backoff::spread(*retry_after_seconds, link.chance.fraction());
    }
    own
}

fn take(heard: Heard, folder: &Path, desk: &Desk, link: &Link) {
    if link.clock.offset_ms().unsigned_abs() > u64::try_from(limits::SKEW.as_millis()).unwrap_or(u64::MAX) {
        let detail = format!("by {} s", link.clock.offset_ms() / 1000);
        desk.raise(&Diagnostic::new(catalogue::CLOCK_OFF, detail, crate::exit::Exit::Failed), link.clock.now());
    } else {
        desk.clear(&catalogue::CLOCK_OFF);
    }
    match heard.instructions {
        Instructions::AsBefore => {}
        Instructions::New { desired, text } => {
            if desired.version > desk.newest_obeyed() {
                link.clock.vouch(desired.issued_at, link.clock.now());
            } else {
                link.clock.vouch_again(desired.issued_at);
            }
            if let Err(error) = instructions::save(folder, &text) {
                // Obeyed all the same: a pause on a full disk must hold. After a restart the cloud is asked again, and
                // the spool's number keeps older ones out.
                let detail = format!("the instructions could not be kept: {}", reason::of(&error));
                tracing::warn!(%detail, "the folder cannot be written");
                let unwritable = Diagnostic::new(catalogue::NOT_WRITABLE, detail, crate::exit::Exit::Failed);
                desk.raise(&unwritable, link.clock.now());
            }
            tracing::info!(version = desired.version, imports = desired.imports.len(), "new instructions");
            desk.clear(&catalogue::DESIRED_REFUSED);
            desk.obey(*desired);
        }
        Instructions::Refused(disobey) => {
            tracing::error!(%disobey, "instructions refused");
            desk.raise(&Diagnostic::from(&disobey), link.clock.now());
        }
    }
    if let Some(epoch) = heard.epoch {
        desk.give_epoch(epoch);
    }
}
