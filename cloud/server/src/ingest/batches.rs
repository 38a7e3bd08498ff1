//! `POST /agent/v1/batches`: the chain decides, then inbox row and job are one transaction, and only then comes a receipt.

use axum::{Json, body::Body, extract::State, http::HeaderMap};
use rollcall_domain::ids::JobId;
use rollcall_protocol::{
    answer::{Receipt, Refusal},
    batch::{BatchLink, CyclePart},
    chain::{self, ChainHead, Verdict},
    hash::Hash,
    jws::Kind,
    limits, path, scan,
};
use rollcall_store::{
    WriteTx,
    agents::{self, Agent, Head},
    inbox::{self, NewBatch, Part, Waiting},
    jobs::{self, NewJob},
};

use super::{
    new_key::{self, Left},
    quarantine::{self, Why},
    refuse::Refused,
    standing::{self, Held},
    told,
    verify::{self, Route, Verified, column, protocol},
};
use crate::{admission::Errand, state::AppState};

const ROUTE: Route =
    Route { kind: Kind::Batch, path: path::BATCHES, body_limit: limits::BODY_COMPRESSED, errand: Errand::Batch };

pub async fn handle(State(state): State<AppState>, headers: HeaderMap, body: Body) -> Result<Json<Receipt>, Refused> {
    let batch: Verified<BatchLink> = verify::verify(&state, &headers, body, ROUTE).await?;
    check_part(&batch.claims.link)?;
    let jws = Hash::of(batch.jws.as_bytes());
    let mut tx = state.db.write(&batch.scope).await?;
    let held = standing::hold(&mut tx, &state, &batch).await?;
    let agent = &held.agent;
    let head = head_of(agent)?;
    let link = batch.claims.link.chain;
    let stored = inbox::find_hash(&mut tx, &batch.scope, column(link.epoch)?, column(link.seq)?).await?;
    match chain::judge(&head, stored.map(Hash::from_bytes).as_ref(), &link, &jws) {
        Verdict::Next => {}
        Verdict::Duplicate => return Ok(Json(Receipt { head })),
        Verdict::Fork => return Err(quarantine::quarantine(tx, &state, &batch.scope, agent, Why::Fork).await),
        Verdict::Gap { expected } => return Err(Refusal::Gap { expected }.into()),
        Verdict::WrongEpoch => return Err(Refusal::Epoch.into()),
    }
    check_place(&mut tx, &batch, &head).await?;
    store(&mut tx, &state, &batch, &held, jws).await?;
    tx.commit().await?;
    Ok(Json(Receipt { head: head.then(jws) }))
}

fn check_part(link: &BatchLink) -> Result<(), Refused> {
    let part = &link.cycle;
    let fits = (1..=limits::PARTS).contains(&part.parts) && (1..=part.parts).contains(&part.part);
    let is_sound = fits && part.items <= limits::ITEMS && told::is_name(&part.domain) && is_storable(link);
    if is_sound { Ok(()) } else { Err(Refusal::Malformed.into()) }
}

/// No store keeps a NUL, and what is acknowledged must be storable, whichever of its words is stored.
fn is_storable(link: &BatchLink) -> bool {
    serde_json::to_vec(link).is_ok_and(|json| scan::check(&json).is_ok())
}

/// What an agent sends faster than it is applied waits on its own disk; what continues no reading waits nowhere.
async fn check_place(tx: &mut WriteTx, batch: &Verified<BatchLink>, head: &ChainHead) -> Result<(), Refused> {
    let part = &batch.claims.link.cycle;
    let before = match head.seq.checked_sub(1) {
        Some(seq) => inbox::find_part(tx, &batch.scope, column(head.epoch)?, column(seq)?).await?,
        None => None,
    };
    let waiting = inbox::count_waiting(tx, &batch.scope, part.cycle).await?;
    if !continues(before, waiting, part) {
        return Err(Refusal::Malformed.into());
    }
    if has_room(waiting) { Ok(()) } else { Err(Refusal::Busy { retry_after_seconds: 60 }.into()) }
}

/// The first part of a new cycle, or the next one of the cycle that the newest batch belongs to: so no cycle has more parts
/// than it says.
fn continues(before: Option<Part>, waiting: Waiting, part: &CyclePart) -> bool {
    let number = i64::from(part.part);
    let is_next = number == 1 || before == Some(Part { cycle: part.cycle, part: number - 1, parts: part.parts.into() });
    is_next && waiting.own_parts == number - 1
}

fn has_room(waiting: Waiting) -> bool {
    let Waiting { parts, bytes, own_parts: _, own_bytes } = waiting;
    parts < i64::from(limits::WAITING_PARTS) && bytes < limits::WAITING_BYTES && own_bytes < limits::CYCLE_BYTES
}

fn head_of(agent: &Agent) -> Result<ChainHead, Refused> {
    let prev = Hash::try_from(agent.head.as_slice()).map_err(|_| Refusal::Unavailable { retry_after_seconds: 60 })?;
    Ok(ChainHead { epoch: protocol(agent.epoch), seq: protocol(agent.next_seq), prev })
}

async fn store(
    tx: &mut WriteTx,
    state: &AppState,
    batch: &Verified<BatchLink>,
    held: &Held,
    jws: Hash,
) -> Result<(), Refused> {
    let now = state.now();
    let head = head_of(&held.agent)?;
    let part = &batch.claims.link.cycle;
    let new = NewBatch {
        epoch: column(head.epoch)?,
        seq: column(head.seq)?,
        cycle: part.cycle,
        part: i64::from(part.part),
        parts: i64::from(part.parts),
        jws_hash: *jws.as_bytes(),
        jws: &batch.jws,
        body: &batch.body,
        received_at: now,
    };
    inbox::insert(tx, &batch.scope, new).await?;
    let from = Head { epoch: column(head.epoch)?, next_seq: column(head.seq)?, prev: *head.prev.as_bytes() };
    if !agents::advance(tx, &batch.scope, from, *jws.as_bytes(), now).await? {
        // Another request took this place between our look and now; the agent asks again and is then a duplicate.
        return Err(Refusal::Busy { retry_after_seconds: 1 }.into());
    }
    // A rotation waits until all that the old key signed has left.
    new_key::take_over(tx, state, &batch.scope, (batch.kid, held.key), Left::Nothing).await?;
    if part.is_last() {
        jobs::enqueue(tx, NewJob::apply_cycle(&batch.scope, state.mint(JobId::mint), now)).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_cycle_is_not_stopped_by_its_own_parts() {
        let first = Waiting { parts: 0, bytes: 0, own_parts: 700, own_bytes: 300 << 20 };
        assert!(has_room(first), "two million people, nearly all of them here");
        assert!(!has_room(Waiting { own_bytes: limits::CYCLE_BYTES, ..first }));
        assert!(!has_room(Waiting { bytes: limits::WAITING_BYTES, ..first }));
        assert!(!has_room(Waiting { parts: i64::from(limits::WAITING_PARTS), ..first }));
    }
}
