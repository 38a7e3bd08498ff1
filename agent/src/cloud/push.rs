//! Decides what the cloud's answer to a batch means for the spool. Only a receipt lets a batch go.

use std::time::Duration;

use chrono::{DateTime, Utc};
use rollcall_protocol::answer::{Answer, Receipt, Refusal};
use rollcall_protocol::chain::{ChainHead, ChainLink};
use rollcall_protocol::hash::Hash;
use rollcall_protocol::path;

use super::backoff;
use super::gaps::Gap;
use super::link::{Link, LinkError, REQUEST_TIMEOUT};
use crate::spool::outgoing::{Acknowledged, Outgoing, Tried};
use crate::spool::{Spool, SpoolError};

/// What to do after an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// It is stored there: forget it here.
    Acknowledge,
    /// Earlier batches are missing there.
    ResendFrom(u64),
    /// Our place in the chain is worth nothing any more: ask for a new epoch, send everybody.
    NewEpoch,
    /// Try the same bytes again after a while.
    Wait(Pause),
    LearnClock(DateTime<Utc>),
    /// The same bytes will never be taken.
    SetAside,
    /// A human must decide.
    Stop(Refusal),
    /// The agent was revoked.
    Wipe,
}

/// How long to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pause {
    /// As the cloud asked.
    Asked(u32),
    /// By our own back-off.
    Own,
}

/// What was sent: its place in the chain, the hash of exactly these bytes, and whose signature they bear.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sent {
    pub link: ChainLink,
    pub hash: Hash,
    pub by: Key,
}

/// Which key signed a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    Present,
    /// One that was changed since.
    Replaced,
}

/// Decides by the answer alone.
pub fn decide(answer: &Answer<Receipt>, sent: &Sent) -> Step {
    let Sent { link, .. } = sent;
    match answer {
        Answer::Accepted(receipt) if is_for(&receipt.head, sent) => Step::Acknowledge,
        // A receipt for something else proves nothing about this batch.
        Answer::Accepted(_) | Answer::Unintelligible { .. } => Step::Wait(Pause::Own),
        Answer::Refused(refusal) => match refusal {
            Refusal::Gap { expected } if *expected < link.seq => Step::ResendFrom(*expected),
            Refusal::Gap { .. } | Refusal::Epoch => Step::NewEpoch,
            Refusal::Fork | Refusal::Quarantined => Step::Stop(refusal.clone()),
            // A cloud that was restored from before the change lacks a batch whose key it takes no more, and will not again.
            Refusal::Unauthorized if sent.by == Key::Replaced => Step::NewEpoch,
            Refusal::Unauthorized | Refusal::Token { .. } => Step::Wait(Pause::Own),
            Refusal::Revoked { .. } => Step::Wipe,
            Refusal::Skew { server_time } => Step::LearnClock(*server_time),
            Refusal::TooLarge { .. } | Refusal::Malformed => Step::SetAside,
            Refusal::Busy { retry_after_seconds } | Refusal::Unavailable { retry_after_seconds } => {
                Step::Wait(Pause::Asked(*retry_after_seconds))
            }
        },
    }
}

/// A receipt for the newest batch names its hash, which nobody can invent who has not read the batch; whoever has can only
/// delay, since the next one shows the gap. A receipt that is further along is for a batch that was sent before.
fn is_for(head: &ChainHead, sent: &Sent) -> bool {
    let (epoch, seq) = (sent.link.epoch, sent.link.seq);
    head.epoch == epoch && (head.seq > seq + 1 || (head.seq == seq + 1 && head.prev == sent.hash))
}

/// How one attempt to send ended.
#[derive(Debug)]
pub enum Pushed {
    /// One batch is there, and perhaps more are to go.
    One(Acknowledged),
    /// Nothing waits.
    Empty,
    /// One that fills a gap is there; the next is this one.
    Filled(u64),
    /// Earlier batches are to be sent again.
    Missing(Gap),
    /// The place in the chain is worth nothing any more, and why.
    NewEpoch(LinkError),
    Later {
        after: Option<Duration>,
        why: LinkError,
    },
    Stopped(Refusal),
    Revoked,
}

/// Sends the next batch, or the one named, and does to the spool what the answer means.
pub async fn push_one(spool: &mut Spool, link: &Link, resend: Option<u64>) -> Result<Pushed, SpoolError> {
    let Some(batch) = pick(spool, resend)? else {
        // A gap that neither spool nor ledger can fill.
        let lost = |expected| Pushed::NewEpoch(LinkError::Refused(Refusal::Gap { expected }));
        return Ok(resend.map_or(Pushed::Empty, lost));
    };
    let by = if batch.key == link.keys.signer().key.id() { Key::Present } else { Key::Replaced };
    let sent = Sent { link: batch.link(), hash: Hash::of(batch.jws.as_bytes()), by };
    let before = spool.mark_tried(&batch)?;
    let answer = match link.post(path::BATCHES, &batch.jws, batch.body.clone(), REQUEST_TIMEOUT).await {
        Ok(answer) => answer,
        Err(why) => {
            if before == Tried::Never && why.is_before_sending() {
                spool.mark_untried(&batch)?;
            }
            return Ok(Pushed::Later { after: None, why });
        }
    };
    Ok(match decide(&answer, &sent) {
        Step::Acknowledge if is_from_ledger(spool, &batch)? => Pushed::Filled(batch.seq + 1),
        Step::Acknowledge => Pushed::One(spool.acknowledge(&batch, link.clock.now())?),
        Step::ResendFrom(from) => Pushed::Missing(Gap { epoch: sent.link.epoch, from, before: sent.link.seq }),
        Step::NewEpoch | Step::SetAside => Pushed::NewEpoch(reason(answer)),
        Step::Wait(pause) => {
            let after = match pause {
                Pause::Asked(seconds) => Some(backoff::spread(seconds, link.chance.fraction())),
                Pause::Own => None,
            };
            Pushed::Later { after, why: reason(answer) }
        }
        Step::LearnClock(server_time) => {
            link.clock.learn(server_time);
            Pushed::Later { after: None, why: reason(answer) }
        }
        Step::Stop(refusal) => Pushed::Stopped(refusal),
        Step::Wipe => Pushed::Revoked,
    })
}

/// While a gap is filled, batches that were acknowledged before come from the ledger, byte for byte.
fn pick(spool: &Spool, resend: Option<u64>) -> Result<Option<Outgoing>, SpoolError> {
    let Some(seq) = resend else { return spool.next_batch() };
    match spool.state()?.chain {
        Some(head) => spool.find_batch(head.epoch, seq),
        None => Ok(None),
    }
}

/// Whether a batch fills a gap and was acknowledged before.
fn is_from_ledger(spool: &Spool, batch: &Outgoing) -> Result<bool, SpoolError> {
    Ok(spool.next_batch()?.is_none_or(|next| batch.seq < next.seq))
}

fn reason(answer: Answer<Receipt>) -> LinkError {
    match answer {
        Answer::Accepted(_) => LinkError::Odd { status: 200 },
        Answer::Refused(refusal) => LinkError::Refused(refusal),
        Answer::Unintelligible { status } => LinkError::Odd { status },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rollcall_protocol::chain::Epoch;

    fn sent() -> Sent {
        let link = ChainLink { seq: 5, ..Epoch { number: 2, start: Hash::of(b"start") }.head() };
        Sent { link, hash: Hash::of(b"x"), by: Key::Present }
    }

    fn receipt(epoch: u64, seq: u64) -> Answer<Receipt> {
        Answer::Accepted(Receipt { head: ChainLink { epoch, seq, prev: Hash::of(b"x") } })
    }

    #[test]
    fn a_receipt_that_names_another_batch_at_this_place_lets_nothing_go() {
        let other = Receipt { head: ChainLink { epoch: 2, seq: 6, prev: Hash::of(b"invented") } };
        let further = Receipt { head: ChainLink { epoch: 2, seq: 8, prev: Hash::of(b"of batch 7") } };

        assert_eq!(decide(&Answer::Accepted(other), &sent()), Step::Wait(Pause::Own));
        assert_eq!(decide(&Answer::Accepted(further), &sent()), Step::Acknowledge);
    }

    #[test]
    fn only_a_receipt_past_this_batch_lets_it_go() {
        assert_eq!(decide(&receipt(2, 6), &sent()), Step::Acknowledge);
        assert_eq!(decide(&receipt(2, 5), &sent()), Step::Wait(Pause::Own));
        assert_eq!(decide(&receipt(1, 6), &sent()), Step::Wait(Pause::Own));
        assert_eq!(decide(&Answer::Unintelligible { status: 200 }, &sent()), Step::Wait(Pause::Own));
    }

    #[test]
    fn a_gap_behind_us_is_filled_and_any_other_begins_an_epoch() {
        assert_eq!(decide(&Answer::Refused(Refusal::Gap { expected: 3 }), &sent()), Step::ResendFrom(3));
        assert_eq!(decide(&Answer::Refused(Refusal::Gap { expected: 9 }), &sent()), Step::NewEpoch);
    }

    #[test]
    fn two_copies_of_one_agent_wait_for_a_human() {
        assert_eq!(decide(&Answer::Refused(Refusal::Fork), &sent()), Step::Stop(Refusal::Fork));
    }

    #[test]
    fn a_refused_key_waits_to_be_vouched_for_and_one_that_was_replaced_is_given_up() {
        let unknown = Answer::Refused(Refusal::Unauthorized);

        assert_eq!(decide(&unknown, &sent()), Step::Wait(Pause::Own));
        assert_eq!(decide(&unknown, &Sent { by: Key::Replaced, ..sent() }), Step::NewEpoch);
    }

    #[test]
    fn a_busy_cloud_is_no_error_and_is_given_the_time_it_asks_for() {
        let busy = Answer::Refused(Refusal::Busy { retry_after_seconds: 7 });

        assert_eq!(decide(&busy, &sent()), Step::Wait(Pause::Asked(7)));
    }
}
