//! `POST /agent/v1/leave`: an agent that is taken off its machine ends its own identity, as an operator's revoking would.

use axum::{Json, body::Body, extract::State, http::HeaderMap};
use rollcall_domain::agent::AgentState;
use rollcall_protocol::{answer::Refusal, bundle::Farewell, jws::Kind, limits, path};
use rollcall_store::agents;
use serde_json::{Value, json};

use super::{
    note::{self, Note},
    refuse::Refused,
    standing,
    verify::{self, Route, Verified},
};
use crate::{
    admission::Errand,
    reader::{hand_over, hold_directory},
    state::AppState,
};

const ROUTE: Route =
    Route { kind: Kind::Request, path: path::LEAVE, body_limit: limits::MESSAGE, errand: Errand::Rare };

pub async fn handle(State(state): State<AppState>, headers: HeaderMap, body: Body) -> Result<Json<Value>, Refused> {
    let sent: Verified<()> = verify::verify(&state, &headers, body, ROUTE).await?;
    verify::check_fresh(&state, &sent.claims)?;
    let farewell: Farewell = verify::read_message(&sent.body)?;
    if farewell.leaves != sent.scope.agent().uuid() {
        return Err(Refusal::Malformed.into());
    }
    let now = state.now();
    let mut tx = state.db.write(&sent.scope).await?;
    verify::take_once(&mut tx, &state, &sent.scope, &sent.claims).await?;
    hold_directory(&mut tx, &sent.scope).await?;
    let agent = standing::hold(&mut tx, &state, &sent).await?.agent;
    agents::set_state(&mut tx, &sent.scope, AgentState::Revoked, now).await?;
    hand_over(&mut tx, now, &sent.scope, &agent).await?;
    let note = Note {
        action: "agent.leave",
        before: Some(json!({ "state": agent.state, "host": agent.hostname })),
        after: Some(json!({ "state": AgentState::Revoked })),
    };
    note::append(&mut tx, &state, &sent.scope, note);
    tx.commit().await?;
    Ok(Json(json!({})))
}
