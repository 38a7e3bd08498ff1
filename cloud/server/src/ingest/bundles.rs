//! `POST /agent/v1/bundles`: the zip that somebody in the portal asked for, stored with the signature it came with.

use axum::{Json, body::Body, extract::State, http::HeaderMap};
use rollcall_domain::ids::{BundleId, CommandId, JobId};
use rollcall_protocol::{
    answer::Refusal,
    bundle::{BundleLink, BundleReceipt},
    desired::Order,
    hash::Hash,
    jws::Kind,
    limits, path,
};
use rollcall_store::{
    bundles::{self, NewBundle},
    commands,
    jobs::{self, NewJob},
    live::{Event, Topic},
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
    Route { kind: Kind::Bundle, path: path::BUNDLES, body_limit: limits::BUNDLE, errand: Errand::Rare };

pub async fn handle(
    State(state): State<AppState>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<BundleReceipt>, Refused> {
    let sent: Verified<BundleLink> = verify::verify(&state, &headers, body, ROUTE).await?;
    verify::check_fresh(&state, &sent.claims)?;
    let now = state.now();
    let command = CommandId::from(sent.claims.link.command);
    let mut tx = state.db.write(&sent.scope).await?;
    verify::take_once(&mut tx, &state, &sent.scope, &sent.claims).await?;
    let agent = standing::hold(&mut tx, &state, &sent).await?.agent;
    if let Some(stored) = bundles::find_by_command(&mut tx, &sent.scope, command).await? {
        return Ok(Json(BundleReceipt { bundle: stored.uuid() }));
    }
    // Nobody asked: an agent must not fill the store on its own account.
    if !commands::is_open(&mut tx, &sent.scope, command, &json!(Order::Bundle)).await? {
        return Err(Refusal::Malformed.into());
    }
    let id = state.mint(BundleId::mint);
    let sha256 = *Hash::of(&sent.body).as_bytes();
    let bundle = NewBundle { id, command, sha256, jws: &sent.jws, body: &sent.body, received_at: now };
    let expires_at = bundles::insert(&mut tx, &sent.scope, bundle).await?;
    jobs::enqueue(&mut tx, NewJob::drop_bundles(state.mint(JobId::mint), expires_at)).await?;
    let after = json!({ "bundle": id, "bytes": sent.body.len() });
    let note = Note { action: "bundle.receive", before: None, after: Some(after) };
    note::append(&mut tx, &state, &sent.scope, note);
    let event = Event::of(tx.msp(), Topic::Agent).customer(agent.customer_id).agent(agent.id);
    tx.tell(event);
    tx.commit().await?;
    Ok(Json(BundleReceipt { bundle: id.uuid() }))
}
