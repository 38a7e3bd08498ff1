//! Decides what a check-in brought: new instructions are obeyed only if they are signed, ours and not older, and an epoch is
//! taken only by who asked for one.

use std::time::Duration;

use rollcall_protocol::chain::Epoch;
use rollcall_protocol::checkin::{CheckinRequest, CheckinResponse, EpochWish};
use rollcall_protocol::desired::{DesiredState, Disobey, Reader};
use rollcall_protocol::directory::DomainPin;
use rollcall_protocol::{limits, path};

use super::link::{Link, LinkError};
use crate::identity::Identity;

/// An answered check-in.
#[derive(Debug)]
pub struct Heard {
    pub instructions: Instructions,
    /// The one that was asked for.
    pub epoch: Option<Epoch>,
}

/// What the cloud wants now.
#[derive(Debug)]
pub enum Instructions {
    /// Nothing newer than what is in force.
    AsBefore,
    /// New ones, with the signed text they came as.
    New {
        desired: Box<DesiredState>,
        text: String,
    },
    Refused(Disobey),
}

/// How long beyond the wait we asked for an answer may take.
const GRACE: Duration = Duration::from_secs(15);

/// What instructions must fit to.
#[derive(Debug, Clone, Copy)]
pub struct InForce<'a> {
    pub domain: Option<&'a DomainPin>,
    /// The newest number that was ever obeyed.
    pub version: u64,
    /// What is obeyed now; none where it was lost.
    pub desired: Option<&'a DesiredState>,
}

/// One check-in; a long poll when the request asks to wait.
pub async fn check_in(
    link: &Link,
    identity: &Identity,
    request: &CheckinRequest,
    in_force: InForce<'_>,
) -> Result<Heard, LinkError> {
    let body = serde_json::to_vec(request).map_err(|error| LinkError::Setup(error.to_string()))?;
    let timeout = Duration::from_secs(u64::from(request.wait_seconds)) + GRACE;
    let answer: CheckinResponse = link.ask(path::CHECKIN, &body, timeout).await?;
    link.clock.learn(answer.server_time);
    let instructions = match answer.desired {
        None => Instructions::AsBefore,
        Some(text) => read(text, identity, in_force),
    };
    let epoch = answer.epoch.filter(|epoch| may_begin(epoch, request));
    if epoch.is_none() && answer.epoch.is_some() {
        tracing::warn!("the answer begins an epoch that was not asked for, or that is over; it is not begun");
    }
    Ok(Heard { instructions, epoch })
}

/// An epoch makes the agent forget what waits and read everybody, and nobody has signed it: it is taken only in answer to
/// the wish, whose pace is ours, and only above those that were worked in. A lower one would look like a second copy of this
/// agent to the cloud.
fn may_begin(epoch: &Epoch, request: &CheckinRequest) -> bool {
    match request.epoch {
        EpochWish::Keep => false,
        // Whatever number a cloud is shown, it goes on from here at most.
        EpochWish::New => {
            let last = request.last_epoch.min(limits::EPOCH);
            epoch.number > last && epoch.number <= 2 * limits::EPOCH
        }
    }
}

/// Reads a signed desired state for this agent.
pub fn read(text: String, identity: &Identity, in_force: InForce<'_>) -> Instructions {
    let reader = Reader {
        agent: identity.agent,
        cloud: identity.cloud,
        cloud_key: &identity.cloud_key,
        version: in_force.version,
        domain: in_force.domain,
    };
    match DesiredState::accept(&text, &reader) {
        Ok(desired) => match in_force.desired.filter(|known| known.version == desired.version) {
            None => Instructions::New { desired: Box::new(desired), text },
            // Shown once more, by the cloud or by whoever kept the answer: no news.
            Some(known) if known.asks_the_same(&desired) => Instructions::AsBefore,
            Some(_) => Instructions::Refused(Disobey::OtherWords),
        },
        Err(disobey) => Instructions::Refused(disobey),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cycle::scope::fixtures;
    use crate::desk::Desk;
    use crate::identity::Enrolled;
    use chrono::DateTime;
    use rollcall_protocol::hash::Hash;
    use rollcall_protocol::key::PrivateKey;

    #[test]
    fn an_epoch_is_begun_only_by_who_asked_and_only_above_those_that_were_worked_in() {
        let desk = Desk::new(None, 0, None, DateTime::UNIX_EPOCH);
        let begins = |number| may_begin(&Epoch { number, start: Hash::of(b"start") }, &desk.request(0, 0));
        assert!(!begins(8), "nobody asked");

        desk.wish_epoch(7);
        assert_eq!([0, 6, 7, 8, 9, u64::MAX].map(begins), [false, false, false, true, true, false]);

        // Whoever was told a number beyond all counting still gets on with the cloud's own count.
        desk.wish_epoch(u64::MAX);
        assert_eq!([7, limits::EPOCH, limits::EPOCH + 1].map(begins), [false, false, true]);
    }

    #[test]
    fn instructions_that_are_in_force_are_no_news_and_others_under_their_number_are_refused() {
        let cloud_key = PrivateKey::from_seed(&[8; 32]);
        let known = fixtures::desired(Vec::new());
        let enrolled = Enrolled {
            agent: known.agent,
            cloud: known.cloud,
            cloud_key: cloud_key.public(),
            url: "https://rollcall.example".into(),
            msp: "Northwind IT".into(),
            customer: "Lab".into(),
            at: DateTime::UNIX_EPOCH,
        };
        let identity = Identity::new(enrolled, &PrivateKey::from_seed(&[7; 32]));
        let shown = |desired: &DesiredState, in_force| {
            let version = known.version;
            read(desired.sign(&cloud_key).unwrap(), &identity, InForce { domain: None, version, desired: in_force })
        };
        let again = DesiredState { issued_at: DateTime::UNIX_EPOCH + chrono::TimeDelta::days(1), ..known.clone() };
        let other = DesiredState { imports: vec![fixtures::import(11, &[], &[])], ..known.clone() };
        let newer = DesiredState { version: known.version + 1, ..other.clone() };

        for same in [&known, &again] {
            assert!(matches!(shown(same, Some(&known)), Instructions::AsBefore));
            assert!(matches!(shown(same, None), Instructions::New { .. }), "they were lost");
        }
        assert!(matches!(shown(&other, Some(&known)), Instructions::Refused(Disobey::OtherWords)));
        assert!(matches!(shown(&newer, Some(&known)), Instructions::New { .. }));
    }
}
