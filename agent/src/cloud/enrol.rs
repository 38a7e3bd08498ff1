//! Decides how this machine becomes an agent: a key made here, a token used up there, the cloud's key pinned.

use chrono::{DateTime, Utc};
use rollcall_protocol::answer::{Answer, Refusal, TokenFault};
use rollcall_protocol::chain::Epoch;
use rollcall_protocol::enrol::{EnrolLink, EnrolRequest, EnrolResponse, EnrolToken, MachineFacts};
use rollcall_protocol::hash::Hash;
use rollcall_protocol::key::PrivateKey;
use rollcall_protocol::path;
use uuid::Uuid;

use super::link::{Link, LinkError, REQUEST_TIMEOUT};
use crate::clock::{Chance, Clock};
use crate::config::Cloud;
use crate::identity::{Enrolled, Identity};
use crate::signer::Signer;

/// A new identity and where its chain begins.
#[derive(Debug)]
pub struct NewAgent {
    pub identity: Identity,
    pub epoch: Epoch,
}

/// Spends the token, or hears again what became of it: the same key with the same token is the same enrolment. Nothing is
/// written here: the caller saves what comes back.
pub async fn enrol(
    token: &str,
    key: PrivateKey,
    settings: &Cloud,
    machine: MachineFacts,
    clock: &Clock,
    chance: &Chance,
) -> Result<NewAgent, LinkError> {
    let says = EnrolToken::peek(token).map_err(|_| refused(TokenFault::Unknown))?;
    let request = EnrolRequest { token: token.to_owned(), public_key: key.public(), machine };
    let body = serde_json::to_vec(&request).map_err(|error| LinkError::Setup(error.to_string()))?;
    let signer = Signer { key: PrivateKey::from_seed(&key.to_seed()), agent: Uuid::nil(), cloud: says.iss };
    let link = Link::new(&says.url, settings, signer, None, clock.clone(), chance.clone())?;
    let answer = send(&link, token, &body).await?;
    check(&answer, &says, token)?;
    clock.learn(answer.server_time);
    Ok(NewAgent { identity: identity(answer.clone(), says.url, &key, clock.now()), epoch: answer.epoch })
}

fn refused(reason: TokenFault) -> LinkError {
    LinkError::Refused(Refusal::Token { reason })
}

/// Two tries: the second with the clock difference that the first one taught us.
async fn send(link: &Link, token: &str, body: &[u8]) -> Result<EnrolResponse, LinkError> {
    let mut skew = None;
    for _ in 0..2 {
        let enrolment = EnrolLink { token_sha256: Hash::of(token.as_bytes()) };
        let jws = link.keys.signer().sign_enrolment(body, link.stamp(), enrolment)?;
        match link.post(path::ENROL, &jws, body.to_vec(), REQUEST_TIMEOUT).await? {
            Answer::Accepted(answer) => return Ok(answer),
            Answer::Refused(Refusal::Skew { server_time }) => {
                link.clock.learn(server_time);
                skew = Some(server_time);
            }
            Answer::Refused(refusal) => return Err(LinkError::Refused(refusal)),
            Answer::Unintelligible { status } => return Err(LinkError::Odd { status }),
        }
    }
    Err(LinkError::Refused(Refusal::Skew { server_time: skew.unwrap_or_else(|| link.clock.now()) }))
}

/// Whoever answered must be the one who signed the token; only then the key it names is pinned.
fn check(answer: &EnrolResponse, says: &EnrolToken, token: &str) -> Result<(), LinkError> {
    let is_same_cloud = answer.cloud == says.iss && EnrolToken::verify(token, &answer.cloud_key).is_ok();
    if is_same_cloud { Ok(()) } else { Err(LinkError::Odd { status: 200 }) }
}

fn identity(answer: EnrolResponse, url: String, key: &PrivateKey, at: DateTime<Utc>) -> Identity {
    let enrolled = Enrolled {
        agent: answer.agent,
        cloud: answer.cloud,
        cloud_key: answer.cloud_key,
        url,
        msp: answer.msp,
        customer: answer.customer,
        at,
    };
    Identity::new(enrolled, key)
}
