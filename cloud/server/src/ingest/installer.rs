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

use super::{
    enroll,
    refuse::Refused,
    token_trace::{self, Act},
    verify,
};
use crate::state::AppState;

pub async fn handle(State(state): State<AppState>, headers: HeaderMap) -> Result<Response, Refused> {
    let token = verify::bearer(&headers)?;
    let holder = enroll::find_holder(&state, token).await?;
    let mut tx = state.db.write(&holder).await?;
    let (customer, standing) = enrol_tokens::get_standing(&mut tx, holder, state.now()).await?;
    let fault = judge(standing);
    let act = fault.map_or(Act::Fetch, Act::FetchRefused);
    token_trace::leave(&mut tx, &state, holder, customer.customer(), act).await?;
    tx.commit().await?;
    if let Some(reason) = fault {
        return Err(Refusal::Token { reason }.into());
    }
    state.installer.admit(SecretHash::of(token.as_bytes()), state.now()).map_err(wait)?;
    Ok(match state.installer.find(state.now()).await {
        Some(msi) => msi.into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    })
}

const fn judge(standing: Standing) -> Option<TokenFault> {
    match standing {
        Standing::Open => None,
        Standing::Used => Some(TokenFault::Used),
        Standing::Revoked => Some(TokenFault::Revoked),
        Standing::Expired => Some(TokenFault::Expired),
    }
}

fn wait(time: TimeDelta) -> Refusal {
    Refusal::Busy { retry_after_seconds: u32::try_from(time.num_seconds()).unwrap_or(u32::MAX) }
}
