//! `POST /agent/v1/rotate`: the old key introduces a new one. Both hold until the agent works with the new one.

use axum::{Json, body::Body, extract::State, http::HeaderMap};
use rollcall_domain::agent::KeyState;
use rollcall_protocol::{
    answer::Refusal,
    hash::Hash,
    jws::{Kind, Unverified},
    limits, path,
    rotate::{RotateRequest, RotateResponse},
};
use rollcall_store::{
    WriteTx,
    agent_keys::{self, NewKey},
    keyring::SecretHash,
};
use serde_json::json;

use super::{
    note::{self, Note},
    refuse::Refused,
    standing,
    verify::{self, Route, Verified},
};
use crate::{admission::Errand, state::AppState};

const ROUTE: Route =
    Route { kind: Kind::Request, path: path::ROTATE, body_limit: limits::MESSAGE, errand: Errand::Rare };

pub async fn handle(
    State(state): State<AppState>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<RotateResponse>, Refused> {
    let verified: Verified<()> = verify::verify(&state, &headers, body, ROUTE).await?;
    verify::check_fresh(&state, &verified.claims)?;
    let request: RotateRequest = verify::read_message(&verified.body)?;
    let old = Unverified::parse(&verified.jws).map_err(|_| Refusal::Unauthorized)?;
    request.check(verified.scope.agent().uuid(), *old.kid()).map_err(|_| Refusal::Malformed)?;
    let key: Hash = *request.new_key.id().hash();
    introduce(&state, &verified, &request, SecretHash::from_digest(*key.as_bytes())).await?;
    Ok(Json(RotateResponse { key: request.new_key.id() }))
}

async fn introduce(
    state: &AppState,
    verified: &Verified<()>,
    request: &RotateRequest,
    kid: SecretHash,
) -> Result<(), Refused> {
    let mut tx = state.db.write(&verified.scope).await?;
    verify::take_once(&mut tx, state, &verified.scope, &verified.claims).await?;
    standing::hold(&mut tx, state, verified).await?;
    match agent_keys::find_state(&mut tx, &verified.scope, kid).await? {
        None => insert(&mut tx, state, verified, request, kid).await?,
        // Asked again, because the answer got lost.
        Some(KeyState::Active | KeyState::Pending) => {}
        // An agent that took it up would be heard by nobody.
        Some(KeyState::Retired) => return Err(Refusal::Malformed.into()),
    }
    Ok(tx.commit().await?)
}

async fn insert(
    tx: &mut WriteTx,
    state: &AppState,
    verified: &Verified<()>,
    request: &RotateRequest,
    kid: SecretHash,
) -> Result<(), Refused> {
    agent_keys::retire_pending(tx, &verified.scope, verified.kid, state.now()).await?;
    let public_key = request.new_key.to_bytes();
    let key = NewKey {
        kid,
        customer: verified.scope.customer().customer(),
        agent: verified.scope.agent(),
        public_key: &public_key,
        state: KeyState::Pending,
        created_at: state.now(),
    };
    agent_keys::insert(tx, key)
        .await
        .map_err(|error| if error.is_taken() { Refused(Refusal::Malformed) } else { error.into() })?;
    let by = Unverified::parse(&verified.jws).map_err(|_| Refusal::Unauthorized)?;
    let after = json!({ "key": request.new_key.id(), "by": by.kid() });
    let note = Note { action: "agent.key_introduced", before: None, after: Some(after) };
    note::append(tx, state, &verified.scope, note);
    Ok(())
}
