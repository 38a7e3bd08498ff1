//! Sends one batch for the worker, and says when the next try is due: at once, later, in a new epoch, or never.

use std::time::Duration;

use rollcall_protocol::catalogue;
use rollcall_protocol::desired::Command;
use tokio::time::Instant;

use super::worker::{Ended, Wanted, Worker};
use crate::cloud::link::LinkError;
use crate::cloud::push::{self, Pushed};
use crate::diagnostic::Diagnostic;
use crate::spool::outgoing::Acknowledged;
use crate::spool::{Spool, SpoolError};

impl Worker<'_> {
    /// Sends one batch and does what its answer means.
    pub(super) async fn push(&mut self, spool: &mut Spool) -> Result<Option<Ended>, SpoolError> {
        self.send_again_at = None;
        match push::push_one(spool, self.link, self.resend).await? {
            Pushed::One(acknowledged) => {
                self.backoff.reset();
                self.mends.reset();
                self.resend = None;
                self.desk.clear_sending(acknowledged);
                if acknowledged == Acknowledged::Cycle {
                    self.epochs.reset();
                }
            }
            Pushed::Empty => {}
            Pushed::Filled(next) => self.resend = Some(next),
            Pushed::Missing(gap) => {
                self.resend = Some(gap.from);
                if let Some(wait) = self.gaps.wait_before(&gap, self.link.chance.fraction()) {
                    self.put_off(&LinkError::Refused(gap.told()), wait);
                }
            }
            Pushed::NewEpoch(why) => {
                self.resend = None;
                self.lose_place(&why);
                spool.lose_place()?;
            }
            Pushed::Later { after, why } => {
                let own = self.backoff.failed(self.link.chance.fraction());
                self.put_off(&why, after.unwrap_or(own));
            }
            Pushed::Stopped(refusal) => {
                self.desk.raise(&Diagnostic::from(&refusal), self.link.clock.now());
                self.desk.stop();
            }
            Pushed::Revoked => return Ok(Some(Ended::Revoked)),
        }
        Ok(None)
    }

    fn put_off(&mut self, why: &LinkError, wait: Duration) {
        let diagnostic = Diagnostic::from(why);
        self.desk.raise(&diagnostic, self.link.clock.now());
        tracing::warn!(code = diagnostic.fault.code, detail = %diagnostic.detail, "a batch waits");
        self.send_again_at = Some(Instant::now() + wait);
    }

    /// The first one in a row is nobody's fault; what is refused again and again is told.
    fn lose_place(&mut self, why: &LinkError) {
        let diagnostic = Diagnostic::from(why);
        tracing::warn!(code = diagnostic.fault.code, detail = %diagnostic.detail, "a new epoch is needed");
        let in_vain = self.epochs.lost(Instant::now());
        if in_vain > 1 || diagnostic.fault == catalogue::BATCH_POISONED {
            self.desk.raise(&diagnostic, self.link.clock.now());
            self.desk.news.notify_one();
        }
    }

    /// Somebody who asks for a cycle need not wait for that moment.
    pub(super) async fn wait_for_epoch(&self, until: Instant, desired: &mut Wanted) {
        let is_fresh = |command: &Command| command.order.needs_cycle() && !self.tried.contains(&command.id);
        let asked = desired.wait_for(|wanted| wanted.iter().flat_map(|wanted| &wanted.commands).any(is_fresh));
        tokio::select! {
            () = tokio::time::sleep_until(until) => {}
            _ = asked => {}
            () = self.desk.epoch_given.notified() => {}
        }
    }
}
