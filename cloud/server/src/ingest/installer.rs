//! `GET /agent/v1/installer`: the installer for a machine that holds a token which could be spent. Asking spends nothing.

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse as _, Response},
};
use chrono::TimeDelta;
use rollcall_protocol::answer::{Refusal, TokenFault};
use rollcall_store::{
    enrol_tokens::{self, Standing},
    keyring::SecretHash,
};

use super::{enroll, refuse::Refused, verify};
use crate::state::AppState;

pub async fn handle(State(state): State<AppState>, headers: HeaderMap) -> Result<Response, Refused> {
    let token = verify::bearer(&headers)?;
    let holder = enroll::find_holder(&state, token).await?;
    let mut tx = state.db.read(&holder).await?;
    judge(enrol_tokens::look(&mut tx, holder, state.now()).await?)?;
    drop(tx);
    state.installer.admit(SecretHash::of(token.as_bytes()), state.now()).map_err(wait)?;
    Ok(match state.installer.find(state.now()).await {
        Some(msi) => msi.into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    })
}

fn judge(standing: Standing) -> Result<(), Refusal> {
    let reason = match standing {
        Standing::Open => return Ok(()),
        Standing::Used => TokenFault::Used,
        Standing::Revoked => TokenFault::Revoked,
        Standing::Expired => TokenFault::Expired,
    };
    Err(Refusal::Token { reason })
}

fn wait(time: TimeDelta) -> Refusal {
    Refusal::Busy { retry_after_seconds: u32::try_from(time.num_seconds()).unwrap_or(u32::MAX) }
}
