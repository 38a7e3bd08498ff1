//! Enrolment tokens: issuing one, shown once, and taking one back.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use rollcall_domain::{
    ids::{CustomerId, EnrolTokenId},
    role::Act,
};
use rollcall_protocol::{enrol, limits};
use rollcall_store::{
    enrol_tokens::{self, NewToken},
    keyring::SecretHash,
};
use serde_json::json;

use super::who::{Note, ServiceError, Who};
use crate::state::AppState;

/// A token as shown this once.
#[derive(Clone)]
pub struct Issued {
    pub id: EnrolTokenId,
    pub token: String,
    pub expires_at: DateTime<Utc>,
}

impl std::fmt::Debug for Issued {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Issued").field("id", &self.id).field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

/// `life`: `None` for the default of an hour.
pub async fn issue(
    state: &AppState,
    who: &Who,
    customer: CustomerId,
    life: Option<TimeDelta>,
) -> Result<Issued, ServiceError> {
    who.may(Act::InstallAgent)?;
    let life = check_life(life)?;
    let now = state.now();
    let id = state.mint(EnrolTokenId::mint);
    let expires_at = now + life;
    let mut tx = state.db.write(&who.scope).await?;
    let (scope, _) = who.customer(&mut tx, customer).await?;
    let claims = enrol::EnrolToken {
        iss: state.cloud.id,
        url: state.public_url.to_string(),
        customer: customer.uuid(),
        jti: URL_SAFE_NO_PAD.encode(state.entropy.bytes::<18>()),
        exp: expires_at.timestamp(),
    };
    let token = claims.sign(&state.cloud.key).map_err(|_| ServiceError::Internal("a token could not be signed"))?;
    let new = NewToken {
        id,
        hash: SecretHash::of(token.as_bytes()),
        created_by: &who.actor.name,
        created_at: now,
        expires_at,
    };
    enrol_tokens::insert(&mut tx, &scope, new).await?;
    who.note(
        &mut tx,
        now,
        "enrol_token.issue",
        Some(customer),
        Note::of(id).after(json!({ "expires_at": expires_at })),
    );
    tx.commit().await?;
    Ok(Issued { id, token, expires_at })
}

fn check_life(life: Option<TimeDelta>) -> Result<TimeDelta, ServiceError> {
    let of = |life| TimeDelta::from_std(life).unwrap_or(TimeDelta::hours(1));
    let life = life.unwrap_or_else(|| of(limits::TOKEN_LIFE_DEFAULT));
    if (TimeDelta::minutes(1)..=of(limits::TOKEN_LIFE_MAX)).contains(&life) {
        Ok(life)
    } else {
        Err(ServiceError::invalid("lifetime_minutes", "a token lives between one minute and seven days"))
    }
}

pub async fn revoke(state: &AppState, who: &Who, customer: CustomerId, id: EnrolTokenId) -> Result<(), ServiceError> {
    who.may(Act::InstallAgent)?;
    let now = state.now();
    let mut tx = state.db.write(&who.scope).await?;
    let (scope, _) = who.customer(&mut tx, customer).await?;
    if !enrol_tokens::revoke(&mut tx, &scope, id, now).await? {
        return Err(ServiceError::NotFound);
    }
    who.note(&mut tx, now, "enrol_token.revoke", Some(customer), Note::of(id));
    Ok(tx.commit().await?)
}
