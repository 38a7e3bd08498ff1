//! Decides whether a request comes from an agent: header limit, key, signature, claims, then the body against its hash.

use std::time::Duration;

use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, header},
};
use chrono::TimeDelta;
use rollcall_domain::{agent::KeyState, ids::DirectoryId};
use rollcall_protocol::{
    answer::Refusal,
    hash::BodyDigest,
    jws::{Kind, Unverified},
    key::PublicKey,
    limits, path,
    request::{Expected, Mismatch, RequestClaims},
    scan,
};
use rollcall_store::{
    AgentScope, WriteTx,
    agent_keys::{self, Proven},
    keyring::SecretHash,
    nonces,
};
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::{refuse::Refused, standing};
use crate::{
    admission::{Errand, Turn},
    state::AppState,
};

/// A body that does not come in this time holds a connection for nothing.
const BODY_DEADLINE: Duration = Duration::from_mins(2);

/// A request whose signature, claims and body hold.
pub struct Verified<L> {
    pub scope: AgentScope,
    pub claims: RequestClaims<L>,
    pub kid: SecretHash,
    /// `None`: it has not joined one yet.
    pub directory: Option<DirectoryId>,
    pub jws: String,
    pub body: Bytes,
    /// Held for as long as the request takes.
    _turn: Turn,
}

/// What kind of request a handler takes.
#[derive(Debug, Clone, Copy)]
pub struct Route {
    pub kind: Kind,
    pub path: &'static str,
    pub body_limit: usize,
    pub errand: Errand,
}

pub async fn verify<L: DeserializeOwned>(
    state: &AppState,
    headers: &HeaderMap,
    body: Body,
    route: Route,
) -> Result<Verified<L>, Refused> {
    let jws = bearer(headers)?;
    check_length(headers, route.body_limit)?;
    let proven = check_signature::<L>(state, jws, route.kind).await?;
    let (Proven { scope, claims, directory, .. }, kid) = check_sender(state, proven, "POST", route.path).await?;
    state.pace.pass(scope.agent(), route.errand)?;
    let turn = state.room.enter(scope.agent(), route.path, route.body_limit, told_length(headers))?;
    let body = read_body(body, route.body_limit).await?;
    claims.check_body(&BodyDigest::of(&body)).map_err(|_| Refusal::Unauthorized)?;
    Ok(Verified { scope, claims, kid, directory, jws: jws.to_owned(), body, _turn: turn })
}

/// A request that only fetches: it has no body, and asking twice changes nothing.
pub async fn verify_fetch(state: &AppState, headers: &HeaderMap, path: &str) -> Result<AgentScope, Refused> {
    let proven = check_signature::<()>(state, bearer(headers)?, Kind::Request).await?;
    let (Proven { scope, claims, .. }, _) = check_sender(state, proven, "GET", path).await?;
    state.pace.pass(scope.agent(), Errand::Fetch)?;
    claims.check_body(&BodyDigest::of(b"")).map_err(|_| Refusal::Unauthorized)?;
    check_fresh(state, &claims)?;
    Ok(scope)
}

/// Who signed it, that it is meant for this very route, and that its signer may be heard.
async fn check_sender<L>(
    state: &AppState,
    (proven, kid): (Proven<RequestClaims<L>>, SecretHash),
    method: &str,
    route: &str,
) -> Result<(Proven<RequestClaims<L>>, SecretHash), Refused> {
    let Proven { scope, claims, .. } = &proven;
    standing::check(state, scope, proven.agent_state)?;
    let expected = Expected { agent: scope.agent().uuid(), cloud: state.cloud.id, method, path: route };
    claims.check_route(&expected).map_err(|_| Refusal::Unauthorized)?;
    match proven.key_state {
        KeyState::Active | KeyState::Pending => Ok((proven, kid)),
        // An agent that a proxy refuses believes that we were restored, and lets its former key vouch for the present one. A
        // copy without the present one checks in as well, and is found by that.
        KeyState::Retired if route == path::ROTATE => Err(Refusal::Unauthorized.into()),
        // It was told, and its holder learns nothing from asking again.
        KeyState::Retired if proven.reused_at.is_some() => Err(Refusal::Unauthorized.into()),
        KeyState::Retired => Err(standing::refuse_replaced_key(state, scope, kid, proven.retired_at, claims).await),
    }
}

pub fn bearer(headers: &HeaderMap) -> Result<&str, Refused> {
    let value = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let jws = value.and_then(|value| value.strip_prefix("Bearer ")).ok_or(Refusal::Unauthorized)?;
    if jws.len() > limits::JWS { Err(Refusal::Unauthorized.into()) } else { Ok(jws) }
}

/// What a body says of its own length is enough to refuse it; what it really has is counted while it comes.
pub fn check_length(headers: &HeaderMap, limit: usize) -> Result<(), Refused> {
    if told_length(headers).is_some_and(|told| told > limit) { Err(too_large(limit)) } else { Ok(()) }
}

pub fn told_length(headers: &HeaderMap) -> Option<usize> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn too_large(limit: usize) -> Refused {
    Refusal::TooLarge { limit: limit as u64 }.into()
}

pub async fn read_body(body: Body, limit: usize) -> Result<Bytes, Refused> {
    match tokio::time::timeout(BODY_DEADLINE, axum::body::to_bytes(body, limit)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        // Too long, or cut off: the two cannot be told apart here, and nobody is left to hear of a cut.
        Ok(Err(_)) => Err(too_large(limit)),
        Err(_) => Err(Refusal::Busy { retry_after_seconds: 5 }.into()),
    }
}

async fn check_signature<L: DeserializeOwned>(
    state: &AppState,
    jws: &str,
    kind: Kind,
) -> Result<(Proven<RequestClaims<L>>, SecretHash), Refused> {
    let statement = Unverified::parse(jws).map_err(|_| Refusal::Unauthorized)?;
    let kid = SecretHash::from_digest(*statement.kid().hash().as_bytes());
    let key = agent_keys::find(&state.db, kid, state.now()).await?.ok_or(Refusal::Unauthorized)?;
    let proven = key.prove(|key| {
        let public = PublicKey::from_bytes(key.public_key()).map_err(|_| Refusal::Unauthorized)?;
        statement.verify(kind, &public).map_err(|_| Refusal::Unauthorized)
    })?;
    Ok((proven, kid))
}

/// A plain message, with the bounds of an item: no depth, length or character that the store cannot take.
pub fn read_message<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refused> {
    scan::check(body).map_err(|_| Refusal::Malformed)?;
    serde_json::from_slice(body).map_err(|_| Refused(Refusal::Malformed))
}

/// Only for requests without a place in the chain: their time, and that they were not seen before.
pub async fn take_once<L>(
    tx: &mut WriteTx,
    state: &AppState,
    scope: &AgentScope,
    claims: &RequestClaims<L>,
) -> Result<(), Refused> {
    let keep = TimeDelta::from_std(limits::SKEW * 2).unwrap_or(TimeDelta::minutes(30));
    let fresh = nonces::take(tx, scope, claims.jti, state.now(), keep).await?;
    if fresh { Ok(()) } else { Err(Refusal::Unauthorized.into()) }
}

pub fn check_fresh<L>(state: &AppState, claims: &RequestClaims<L>) -> Result<(), Refused> {
    let now = state.now();
    claims.check_fresh(now).map_err(|mismatch| match mismatch {
        Mismatch::Skew => Refused(Refusal::Skew { server_time: now }),
        Mismatch::Proto | Mismatch::Agent | Mismatch::Cloud | Mismatch::Route | Mismatch::Body => {
            Refused(Refusal::Unauthorized)
        }
    })
}

/// A number of the protocol as the database keeps it. One that does not fit was never issued by this cloud.
pub fn column(number: u64) -> Result<i64, Refused> {
    i64::try_from(number).map_err(|_| Refused(Refusal::Malformed))
}

pub fn protocol(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

pub const NOBODY: Uuid = Uuid::nil();
