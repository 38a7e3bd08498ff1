//! Decides what a check-in brought: new instructions are obeyed only if they are signed, ours and not older.

use std::time::Duration;

use rollcall_protocol::chain::Epoch;
use rollcall_protocol::checkin::{CheckinRequest, CheckinResponse};
use rollcall_protocol::desired::{DesiredState, Disobey, Reader};
use rollcall_protocol::directory::DomainPin;
use rollcall_protocol::path;

use super::link::{Link, LinkError};
use crate::identity::Identity;

/// An answered check-in.
#[derive(Debug)]
pub struct Heard {
    pub instructions: Instructions,
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
    Ok(Heard { instructions, epoch: answer.epoch })
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
        Ok(desired) => Instructions::New { desired: Box::new(desired), text },
        Err(disobey) => Instructions::Refused(disobey),
    }
}
