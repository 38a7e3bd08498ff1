//! `GET /agent/v1/installer`: the installer for a machine that holds a token which could be spent. Asking spends nothing.

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse as _, Response},
};
use rollcall_protocol::answer::{Refusal, TokenFault};
use rollcall_store::enrol_tokens;

use super::{enroll, refuse::Refused, verify};
use crate::state::AppState;

pub async fn handle(State(state): State<AppState>, headers: HeaderMap) -> Result<Response, Refused> {
    let token = verify::bearer(&headers)?;
    let holder = enroll::find_holder(&state, token).await?;
    let mut tx = state.db.read(&holder).await?;
    if !enrol_tokens::is_open(&mut tx, holder, state.now()).await? {
        return Err(Refusal::Token { reason: TokenFault::Used }.into());
    }
    drop(tx);
    Ok(match state.installer.find(state.now()).await {
        Some(msi) => msi.into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    })
}
