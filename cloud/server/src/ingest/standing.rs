//! Decides whether an agent may be heard at this moment: by its own standing and its key's.
//!
//! It is looked at before the body is read, and again in the transaction that takes the request: a body may take minutes,
//! and whoever was revoked meanwhile must change nothing. What was taken waits, and is looked at a third time where it is
//! applied.

use chrono::{DateTime, Utc};
use rollcall_domain::agent::{AgentState, KeyState};
use rollcall_protocol::{answer::Refusal, limits, request::RequestClaims, revocation::Revocation};
use rollcall_store::{
    AgentScope, WriteTx, agent_keys,
    agents::{self, Agent},
    keyring::SecretHash,
};

use super::{
    quarantine::{self, Why},
    refuse::Refused,
    verify::Verified,
};
use crate::state::AppState;

pub fn check(state: &AppState, scope: &AgentScope, agent: AgentState) -> Result<(), Refused> {
    match agent {
        AgentState::Revoked => {
            let revocation = Revocation { cloud: state.cloud.id, agent: scope.agent().uuid() };
            Err(Refusal::Revoked { proof: revocation.sign(&state.cloud.key).ok() }.into())
        }
        AgentState::Quarantined => Err(Refusal::Quarantined.into()),
        AgentState::Active | AgentState::Standby => Ok(()),
    }
}

/// The agent and its key as they are now, and so until the transaction ends.
#[derive(Debug)]
pub struct Held {
    pub agent: Agent,
    pub key: KeyState,
}

pub async fn hold<L>(tx: &mut WriteTx, state: &AppState, verified: &Verified<L>) -> Result<Held, Refused> {
    let agent = agents::lock(tx, &verified.scope).await?;
    check(state, &verified.scope, agent.state)?;
    match agent_keys::find_state(tx, &verified.scope, verified.kid).await? {
        Some(key @ (KeyState::Active | KeyState::Pending)) => Ok(Held { agent, key }),
        Some(KeyState::Retired) | None => Err(Refusal::Unauthorized.into()),
    }
}

/// A valid signature by a key that was replaced. What was signed before the change is merely late. What was signed after
/// it shows that somebody still has the old key: a second copy of the agent, and nobody knows yet which one went on.
pub async fn refuse_replaced_key<L>(
    state: &AppState,
    scope: &AgentScope,
    kid: SecretHash,
    retired_at: Option<DateTime<Utc>>,
    claims: &RequestClaims<L>,
) -> Refused {
    if !is_signed_after(retired_at, claims, state.now()) {
        return Refusal::Unauthorized.into();
    }
    match stop_both(state, scope, kid).await {
        Ok(refused) | Err(refused) => refused,
    }
}

/// By any clock that the cloud would listen to.
fn is_signed_after<L>(retired_at: Option<DateTime<Utc>>, claims: &RequestClaims<L>, now: DateTime<Utc>) -> bool {
    let Some(retired_at) = retired_at else { return false };
    let skew = i64::try_from(limits::SKEW.as_secs()).unwrap_or(i64::MAX);
    claims.check_fresh(now).is_ok() && claims.iat > retired_at.timestamp().saturating_add(skew)
}

/// Once for each key: after a human has decided, its holder is refused like anybody else, and cannot stop the agent again.
async fn stop_both(state: &AppState, scope: &AgentScope, kid: SecretHash) -> Result<Refused, Refused> {
    let mut tx = state.db.write(scope).await?;
    let agent = agents::lock(&mut tx, scope).await?;
    check(state, scope, agent.state)?;
    if !agent_keys::note_reuse(&mut tx, scope, kid, state.now()).await? {
        return Ok(Refusal::Unauthorized.into());
    }
    Ok(quarantine::quarantine(tx, state, scope, &agent, Why::ReplacedKey).await)
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use rollcall_protocol::{PROTO, hash::BodyDigest};
    use uuid::Uuid;

    use super::*;

    fn signed(at: DateTime<Utc>) -> RequestClaims {
        RequestClaims {
            proto: PROTO,
            iss: Uuid::nil(),
            aud: Uuid::nil(),
            iat: at.timestamp(),
            jti: Uuid::nil(),
            method: "POST".into(),
            path: String::new(),
            body: BodyDigest::of(b""),
            link: (),
        }
    }

    #[test]
    fn only_what_was_certainly_signed_after_the_change_is_evidence() {
        let changed = DateTime::UNIX_EPOCH + TimeDelta::days(1);
        let minutes = TimeDelta::minutes;
        let is_evidence =
            |signed_at: DateTime<Utc>, heard_at| is_signed_after(Some(changed), &signed(signed_at), heard_at);

        assert!(!is_evidence(changed - minutes(1), changed), "it was on its way");
        assert!(!is_evidence(changed + minutes(10), changed), "by a clock that goes before");
        assert!(
            !is_evidence(changed - minutes(30), changed + minutes(30)),
            "a batch that waited, or a copy of a request"
        );
        assert!(is_evidence(changed + minutes(16), changed + minutes(16)));
        assert!(!is_evidence(changed + minutes(600), changed + minutes(16)), "no clock that the cloud listens to");
    }
}
