//! Decides when the agent's key changes, and changes it so that a working key is on the disk at every moment.
//!
//! The new key is written beside the old one, then introduced to the cloud, then put in its place. Killed anywhere
//! between, the next start asks with the same new key again, which the cloud takes as the same rotation. The old key
//! holds there until the agent works with the new one.

use std::path::Path;

use chrono::{DateTime, TimeDelta, Utc};
use rollcall_protocol::answer::Answer;
use rollcall_protocol::key::PrivateKey;
use rollcall_protocol::path;
use rollcall_protocol::rotate::{RotateRequest, RotateResponse};
use zeroize::Zeroizing;

use super::link::{Link, LinkError, REQUEST_TIMEOUT};
use crate::clock::is_of_the_future;
use crate::diagnostic::Diagnostic;
use crate::identity::Identity;
use crate::previous_key;
use crate::signer::Signer;

/// A key is this old at most, while the cloud can be reached.
const KEY_LIFE: TimeDelta = TimeDelta::days(90);

/// Whether somebody asked for a new key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ordered {
    Yes,
    No,
}

/// Whether the key should change now. A rotation that was begun is ended, whoever began it.
pub fn is_due(identity: &Identity, ordered: Ordered, now: DateTime<Utc>) -> bool {
    let is_begun = !matches!(identity.find_next_key(), Ok(None));
    let since = identity.key_since();
    // The clock was ahead when the key was made, so that its age is not known.
    let is_of_no_age = is_of_the_future(since, now);
    is_begun || ordered == Ordered::Yes || is_of_no_age || now - since >= KEY_LIFE
}

/// The steps of a rotation, each of which leaves a working key on the disk.
pub async fn rotate(link: &Link, folder: &Path, identity: &Identity) -> Result<Identity, Diagnostic> {
    let proposed = propose(link, folder, identity)?;
    let Some(next) = proposed.find_next_key()? else { return Ok(proposed) };
    introduce(link, &next).await.map_err(|error| Diagnostic::from(&error))?;
    let now = link.clock.now();
    previous_key::keep(folder, identity.agent, &link.keys.signer().key, now);
    let renewed = proposed.with_next_key_in_force(now);
    renewed.save(folder)?;
    link.keys.replace(renewed.signer()?);
    tracing::info!(key = %next.id(), "the agent signs with a new key");
    Ok(renewed)
}

fn propose(link: &Link, folder: &Path, identity: &Identity) -> Result<Identity, Diagnostic> {
    if identity.find_next_key()?.is_some() {
        return Ok(identity.clone());
    }
    let mut seed = Zeroizing::new([0; 32]);
    link.chance.fill(seed.as_mut_slice());
    let proposed = identity.with_next_key(&PrivateKey::from_seed(&seed));
    proposed.save(folder)?;
    Ok(proposed)
}

/// The old key introduces the new one. Asked twice for the same key, the cloud answers as the first time.
async fn introduce(link: &Link, next: &PrivateKey) -> Result<(), LinkError> {
    let signer = link.keys.signer();
    let request = RotateRequest::new(signer.agent, signer.key.id(), next)?;
    let body = serde_json::to_vec(&request).map_err(|error| LinkError::Setup(error.to_string()))?;
    let answer: RotateResponse = link.ask(path::ROTATE, &body, REQUEST_TIMEOUT).await?;
    if answer.key == next.id() { Ok(()) } else { Err(LinkError::Odd { status: 200 }) }
}

/// Whether the key before could vouch for the present one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vouched {
    Yes,
    /// None is kept.
    NoKey,
}

/// The cloud does not know the key that signs: it may have been restored from before the change. The key before, which it
/// then still takes for the present one, introduces the new one again. A cloud that has seen the change refuses it.
pub async fn introduce_again(link: &Link, folder: &Path) -> Result<Vouched, LinkError> {
    let present = link.keys.signer();
    let Some(key) = previous_key::find(folder, present.agent, link.clock.now()) else { return Ok(Vouched::NoKey) };
    let before = Signer { key, agent: present.agent, cloud: present.cloud };
    let request = RotateRequest::new(before.agent, before.key.id(), &present.key)?;
    let body = serde_json::to_vec(&request).map_err(|error| LinkError::Setup(error.to_string()))?;
    let jws = before.sign_request(path::ROTATE, &body, link.stamp())?;
    match link.post::<RotateResponse>(path::ROTATE, &jws, body, REQUEST_TIMEOUT).await? {
        Answer::Accepted(answer) if answer.key == present.key.id() => {
            tracing::warn!(key = %present.key.id(), "the cloud had forgotten this key; the one before introduced it again");
            Ok(Vouched::Yes)
        }
        Answer::Accepted(_) => Err(LinkError::Odd { status: 200 }),
        Answer::Refused(refusal) => Err(LinkError::Refused(refusal)),
        Answer::Unintelligible { status } => Err(LinkError::Odd { status }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Enrolled;

    fn identity() -> Identity {
        Identity::new(Enrolled::example(), &PrivateKey::from_seed(&[7; 32]))
    }

    fn day(number: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::days(number)
    }

    #[test]
    fn a_key_changes_every_ninety_days_on_demand_and_when_a_change_was_begun() {
        let next = PrivateKey::from_seed(&[9; 32]);

        assert!(!is_due(&identity(), Ordered::No, day(89)));
        assert!(is_due(&identity(), Ordered::No, day(90)));
        assert!(is_due(&identity(), Ordered::Yes, day(1)));
        assert!(is_due(&identity().with_next_key(&next), Ordered::No, day(1)));
        let renewed = identity().with_next_key(&next).with_next_key_in_force(day(90));
        assert!(!is_due(&renewed, Ordered::No, day(179)));
        assert!(is_due(&renewed, Ordered::No, day(1)), "made by a clock that was ahead");
        assert_eq!(renewed.signer().unwrap().key.id(), next.id());
    }
}
