//! `POST /agent/v1/enroll`: a one-time token and a new key become an agent, in one transaction.

use axum::{Json, body::Body, extract::State, http::HeaderMap};
use rollcall_domain::{
    agent::{AgentState, KeyState},
    ids::AgentId,
};
use rollcall_protocol::{
    answer::{Refusal, TokenFault},
    chain::Epoch,
    enrol::{EnrolLink, EnrolRequest, EnrolResponse, EnrolToken},
    hash::{BodyDigest, Hash},
    jws::{Kind, Unverified},
    limits, path,
    request::{Expected, RequestClaims},
};
use rollcall_store::{
    AgentScope, CustomerScope, Tx, WriteTx,
    agent_keys::{self, NewKey},
    agents::{self, NewAgent},
    customers,
    enrol_tokens::{self, TokenHolder, Use},
    keyring::SecretHash,
    live::{Event, Topic},
    msps,
};
use serde_json::json;

use super::{
    note::{self, Note},
    refuse::Refused,
    token_trace::{self, Act},
    told,
    verify::{self, NOBODY},
};
use crate::state::AppState;

pub async fn handle(
    State(state): State<AppState>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<EnrolResponse>, Refused> {
    let jws = verify::bearer(&headers)?;
    Unverified::parse(jws).map_err(|_| Refusal::Unauthorized)?;
    verify::check_length(&headers, limits::MESSAGE)?;
    // Nobody knows the caller yet, so all callers share one small place.
    let _place = state.room.admit_stranger(verify::told_length(&headers))?;
    let body = verify::read_body(body, limits::MESSAGE).await?;
    let mut request: EnrolRequest = verify::read_message(&body)?;
    told::tidy_machine(&mut request.machine);
    let claims = prove_possession(&state, jws, &request, &body)?;
    verify::check_fresh(&state, &claims)?;
    let holder = find_holder(&state, &request.token).await?;
    enrol(&state, holder, &request).await.map(Json)
}

/// The new key signs the whole request, the token's hash with it: nobody enrols a key they do not hold.
fn prove_possession(
    state: &AppState,
    jws: &str,
    request: &EnrolRequest,
    body: &[u8],
) -> Result<RequestClaims<EnrolLink>, Refused> {
    let statement = Unverified::parse(jws).map_err(|_| Refusal::Unauthorized)?;
    let claims: RequestClaims<EnrolLink> =
        statement.verify(Kind::Enrol, &request.public_key).map_err(|_| Refusal::Unauthorized)?;
    let expected = Expected { agent: NOBODY, cloud: state.cloud.id, method: "POST", path: path::ENROL };
    claims.check_route(&expected).map_err(|_| Refusal::Unauthorized)?;
    claims.check_body(&BodyDigest::of(body)).map_err(|_| Refusal::Unauthorized)?;
    let same_token = claims.link.token_sha256 == Hash::of(request.token.as_bytes());
    if same_token { Ok(claims) } else { Err(Refusal::Unauthorized.into()) }
}

pub(super) async fn find_holder(state: &AppState, token: &str) -> Result<TokenHolder, Refused> {
    let unknown = Refusal::Token { reason: TokenFault::Unknown };
    EnrolToken::verify(token, &state.cloud.public()).map_err(|_| unknown.clone())?;
    let hash = SecretHash::of(token.as_bytes());
    Ok(enrol_tokens::find_holder(&state.db, hash, state.now()).await?.ok_or(unknown)?)
}

async fn enrol(state: &AppState, holder: TokenHolder, request: &EnrolRequest) -> Result<EnrolResponse, Refused> {
    let now = state.now();
    let agent = state.mint(AgentId::mint);
    let mut tx = state.db.write(&holder).await?;
    let fault = match enrol_tokens::use_up(&mut tx, holder, agent, now).await? {
        Use::Granted(customer) => return create_and_answer(tx, state, &customer, agent, request).await,
        Use::Expired => TokenFault::Expired,
        Use::AlreadyUsed(by) => match repeat(&mut tx, state, by, request).await? {
            Some(response) => return Ok(response),
            None => TokenFault::Used,
        },
        Use::Revoked => TokenFault::Revoked,
    };
    let (customer, _) = enrol_tokens::get_standing(&mut tx, holder, now).await?;
    let act = Act::Enrol { host: &request.machine.host, refused: fault };
    token_trace::leave(&mut tx, state, holder, customer.customer(), act).await?;
    tx.commit().await?;
    Err(Refusal::Token { reason: fault }.into())
}

async fn create_and_answer(
    mut tx: WriteTx,
    state: &AppState,
    customer: &CustomerScope,
    agent: AgentId,
    request: &EnrolRequest,
) -> Result<EnrolResponse, Refused> {
    let epoch = Epoch { number: 1, start: Hash::from_bytes(state.entropy.bytes()) };
    create(&mut tx, state, customer, agent, request, epoch).await?;
    let response = respond(&mut tx, state, customer, agent, epoch).await?;
    tx.commit().await?;
    Ok(response)
}

async fn respond(
    tx: &mut Tx,
    state: &AppState,
    customer: &CustomerScope,
    agent: AgentId,
    epoch: Epoch,
) -> Result<EnrolResponse, Refused> {
    Ok(EnrolResponse {
        agent: agent.uuid(),
        cloud: state.cloud.id,
        cloud_key: state.cloud.public(),
        msp: msps::get(tx).await?.name,
        customer: customers::get(tx, customer).await?.name,
        epoch,
        server_time: state.now(),
    })
}

/// The answer got lost, and the same key asks again with the same token: it is the same agent, and hears the same.
/// `None` once that agent has sent anything, and for any other key: the token is used.
async fn repeat(
    tx: &mut Tx,
    state: &AppState,
    by: Option<AgentScope>,
    request: &EnrolRequest,
) -> Result<Option<EnrolResponse>, Refused> {
    let Some(scope) = by else { return Ok(None) };
    let kid = SecretHash::from_digest(*request.public_key.id().hash().as_bytes());
    let agent = agents::get(tx, &scope).await?;
    let is_untouched = agent.checkins == 0 && agent.epoch == 1 && agent.next_seq == 1;
    if !is_untouched || agent.state == AgentState::Revoked || agent_keys::find_state(tx, &scope, kid).await?.is_none() {
        return Ok(None);
    }
    let Ok(start) = Hash::try_from(agent.epoch_start.as_slice()) else { return Ok(None) };
    respond(tx, state, &scope.customer(), agent.id, Epoch { number: 1, start }).await.map(Some)
}

async fn create(
    tx: &mut WriteTx,
    state: &AppState,
    customer: &CustomerScope,
    agent: AgentId,
    request: &EnrolRequest,
    epoch: Epoch,
) -> Result<(), Refused> {
    let now = state.now();
    let machine = &request.machine;
    let new = NewAgent {
        id: agent,
        hostname: &machine.host,
        os: &machine.os,
        version: &machine.agent_version,
        facts: json!(machine),
        epoch_start: *epoch.start.as_bytes(),
        enrolled_at: now,
    };
    agents::insert(tx, customer, new).await?;
    let public_key = request.public_key.to_bytes();
    let key = NewKey {
        kid: SecretHash::from_digest(*request.public_key.id().hash().as_bytes()),
        customer: customer.customer(),
        agent,
        public_key: &public_key,
        state: KeyState::Active,
        created_at: now,
    };
    agent_keys::insert(tx, key).await.map_err(|error| {
        // A key is one agent for ever; a second enrolment makes a second key.
        if error.is_taken() { Refused(Refusal::Malformed) } else { error.into() }
    })?;
    let after = json!({ "host": machine.host, "key": request.public_key.id() });
    let note = Note { action: "agent.enrol", before: None, after: Some(after) };
    note::append_of(tx, state, (customer.customer(), agent), note);
    let event = Event::of(tx.msp(), Topic::Agent).customer(customer.customer()).agent(agent);
    tx.tell(event);
    Ok(())
}
