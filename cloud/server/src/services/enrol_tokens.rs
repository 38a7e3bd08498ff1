//! One-time enrolment tokens: made for a customer, shown once, revoked by hand or by time.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use chrono::{DateTime, TimeDelta, Utc};
use rollcall_domain::{ids::EnrolTokenId, role::Act};
use rollcall_protocol::enrol::EnrolToken;
use rollcall_store::{CustomerScope, enrol_tokens, keyring::SecretHash};
use serde_json::json;

use super::{caller::Caller, customers::tell, journal::Journal, refusal::Refusal};
use crate::state::AppState;

const SHORTEST: TimeDelta = TimeDelta::minutes(1);
const LONGEST: TimeDelta = TimeDelta::days(7);
pub const DEFAULT_LIFETIME: TimeDelta = TimeDelta::hours(1);

/// A token that was made just now: shown once, kept only as a hash.
#[derive(Debug)]
pub struct Made {
    pub id: EnrolTokenId,
    pub token: String,
    pub expires_at: DateTime<Utc>,
}

pub async fn create(state: &AppState, caller: &Caller, scope: CustomerScope, lifetime: TimeDelta) -> Result<Made, Refusal> {
    caller.may(Act::InstallAgent)?;
    if !(SHORTEST..=LONGEST).contains(&lifetime) {
        return Err(Refusal::invalid("lifetime_minutes", "A token lives between 1 minute and 7 days."));
    }
    let now = state.now();
    let id = state.mint(EnrolTokenId::mint);
    let expires_at = now + lifetime;
    let statement = EnrolToken {
        iss: state.cloud.id,
        url: state.public_url.to_string(),
        customer: scope.customer().uuid(),
        jti: BASE64_URL_SAFE_NO_PAD.encode(state.entropy.bytes::<24>()),
        exp: expires_at.timestamp(),
    };
    let token = statement.sign(&state.cloud.key).map_err(|error| {
        tracing::error!(%error, "a token could not be signed");
        Refusal::Conflict(&rollcall_protocol::catalogue::UNEXPECTED)
    })?;
    let mut tx = state.db.write(&scope).await?;
    let row = enrol_tokens::NewToken {
        id,
        hash: SecretHash::of(token.as_bytes()),
        created_by: &caller.actor.name,
        created_at: now,
        expires_at,
    };
    enrol_tokens::insert(&mut tx, &scope, row).await?;
    let line = Journal::of(caller, "enrol_token.create").customer(scope.customer()).object(id);
    line.after(json!({"expires_at": expires_at})).write(&mut tx, now).await?;
    tell(&mut tx, scope);
    tx.commit().await?;
    Ok(Made { id, token, expires_at })
}

/// A token that was used or revoked before is not there any more to be revoked.
pub async fn revoke(state: &AppState, caller: &Caller, scope: CustomerScope, id: EnrolTokenId) -> Result<(), Refusal> {
    caller.may(Act::InstallAgent)?;
    let now = state.now();
    let mut tx = state.db.write(&scope).await?;
    if !enrol_tokens::revoke(&mut tx, &scope, id, now).await? {
        return Err(Refusal::NotFound);
    }
    Journal::of(caller, "enrol_token.revoke").customer(scope.customer()).object(id).write(&mut tx, now).await?;
    tell(&mut tx, scope);
    tx.commit().await?;
    Ok(())
}
