//! Agents in the API: enrolment tokens, what each agent says of itself, retiring one.

use axum::{Json, extract::State, http::StatusCode};
use chrono::{DateTime, TimeDelta, Utc};
use rollcall_domain::{
    agent,
    ids::{AgentId, CustomerId, EnrolTokenId},
};
use rollcall_protocol::ceiling::Ceiling;
use rollcall_store::agents as store;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    asking::{Body, Id, Key, Page},
    idempotency::Once,
    problem::Problem,
};
use crate::{
    services::{
        agents,
        installing::{self, Way},
        reach, tokens, told,
    },
    state::AppState,
};

pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(create_token))
        .routes(routes!(list))
        .routes(routes!(get))
        .routes(routes!(revoke))
        .routes(routes!(release))
        .routes(routes!(rotate_key))
}

/// A token to be made.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub struct NewToken {
    /// 60 if not said; at most 10,080 (7 days).
    #[schema(minimum = 1, maximum = 10080)]
    pub lifetime_minutes: Option<u32>,
}

/// A one-time token. It is shown only here.
#[derive(Debug, Serialize, ToSchema)]
pub struct Token {
    #[schema(value_type = String)]
    pub id: EnrolTokenId,
    pub token: String,
    pub expires_at: DateTime<Utc>,
    /// Lines that install an agent with it.
    pub commands: Vec<Way>,
}

/// Makes a one-time token that enrols one agent for this customer.
#[utoipa::path(post, path = "/customers/{id}/enrol-tokens", tag = "agents", params(("id" = String, Path), Once),
    request_body = NewToken, responses((status = CREATED, body = Token), (status = NOT_FOUND, body = Problem)))]
async fn create_token(
    State(state): State<AppState>,
    Key(who): Key,
    Id(id): Id<CustomerId>,
    Body(new): Body<NewToken>,
) -> Result<(StatusCode, Json<Token>), Problem> {
    let life = new.lifetime_minutes.map(|minutes| TimeDelta::minutes(minutes.into()));
    let made = tokens::issue(&state, &who, id, life).await?;
    let msi = state.installer.find(state.now()).await;
    let commands = installing::ways(&state.public_url, &made.token, msi.as_ref().map(|msi| msi.sha256.as_str()));
    Ok((StatusCode::CREATED, Json(Token { id: made.id, token: made.token, expires_at: made.expires_at, commands })))
}

/// One installation at a customer.
#[derive(Debug, Serialize, ToSchema)]
pub struct Agent {
    #[schema(value_type = String)]
    pub id: AgentId,
    #[schema(value_type = String)]
    pub customer_id: CustomerId,
    /// `active`, `standby`, `quarantined` or `revoked`.
    pub state: String,
    /// `online` or `silent`.
    pub contact: String,
    pub hostname: String,
    pub os: String,
    pub version: String,
    pub dc_host: Option<String>,
    pub transport: Option<String>,
    pub queued_batches: i64,
    pub clock_skew_ms: Option<i64>,
    pub enrolled_at: DateTime<Utc>,
    pub last_seen_at: Option<DateTime<Utc>>,
    /// What is wrong first of all, as the agent last said.
    pub reason: Option<AgentReason>,
    /// Everything that is wrong, as the agent last said.
    pub problems: Vec<AgentReason>,
    /// What the customer's own file keeps back; absent until the agent has told it.
    pub ceiling: Option<AgentCeiling>,
}

/// The local ceiling: it narrows what the imports want, and nothing here can widen it.
#[derive(Debug, Serialize, ToSchema)]
pub struct AgentCeiling {
    /// Attributes by their LDAP names.
    pub withheld: Vec<String>,
    /// Distinguished names or objectGUIDs, as the file says them.
    pub never_read: Vec<String>,
    /// Those of them that cannot be found: then nobody joins or leaves.
    pub not_found: Vec<String>,
    pub people_left_out: Option<u64>,
}

impl From<Ceiling> for AgentCeiling {
    fn from(told: Ceiling) -> Self {
        let lost = told.never_read.iter().filter(|place| told.people_left_out.is_some() && place.guid.is_none());
        Self {
            not_found: lost.map(|place| place.place.clone()).collect(),
            never_read: told.never_read.into_iter().map(|place| place.place).collect(),
            withheld: told.withheld,
            people_left_out: told.people_left_out,
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub struct AgentReason {
    #[schema(example = "RC-2103")]
    pub code: String,
    pub detail: Option<String>,
    pub since: Option<DateTime<Utc>>,
}

impl Agent {
    fn show(agent: store::Agent, now: DateTime<Utc>) -> Self {
        let contact = if agent::is_silent(agent.last_seen_at, now) { "silent" } else { "online" };
        let (problems, ceiling) = (told::problems(&agent), told::ceiling(&agent));
        let (detail, since) = (agent.reason_detail, agent.reason_since);
        Self {
            id: agent.id,
            customer_id: agent.customer_id,
            state: agent.state.as_str().to_owned(),
            contact: contact.to_owned(),
            hostname: agent.hostname,
            os: agent.os,
            version: agent.version,
            dc_host: agent.dc_host,
            transport: agent.transport,
            queued_batches: agent.queued,
            clock_skew_ms: agent.clock_skew_ms,
            enrolled_at: agent.enrolled_at,
            last_seen_at: agent.last_seen_at,
            reason: agent.reason_code.map(|code| AgentReason { code, detail, since }),
            problems: problems
                .into_iter()
                .map(|told| AgentReason { code: told.code, detail: Some(told.detail), since: Some(told.since) })
                .collect(),
            ceiling: ceiling.map(AgentCeiling::from),
        }
    }
}

/// Lists the agents of a customer, newest first.
#[utoipa::path(get, path = "/customers/{id}/agents", tag = "agents", params(("id" = String, Path)),
    responses((status = OK, body = Page<Agent>), (status = NOT_FOUND, body = Problem)))]
async fn list(
    State(state): State<AppState>,
    Key(who): Key,
    Id(id): Id<CustomerId>,
) -> Result<Json<Page<Agent>>, Problem> {
    let (scope, _) = reach::customer(&state, &who, id).await?;
    let now = state.now();
    let mut tx = state.db.read(&scope).await?;
    let rows = store::list(&mut tx, &scope).await?;
    Ok(Json(Page::whole(rows.into_iter().map(|row| Agent::show(row, now)).collect())))
}

/// Shows one agent.
#[utoipa::path(get, path = "/agents/{id}", tag = "agents", params(("id" = String, Path)),
    responses((status = OK, body = Agent), (status = NOT_FOUND, body = Problem)))]
async fn get(State(state): State<AppState>, Key(who): Key, Id(id): Id<AgentId>) -> Result<Json<Agent>, Problem> {
    let (_, agent) = reach::agent(&state, &who, id).await?;
    Ok(Json(Agent::show(agent, state.now())))
}

/// Retires an agent for good: its key is refused from now on.
#[utoipa::path(post, path = "/agents/{id}/revoke", tag = "agents", params(("id" = String, Path), Once),
    responses((status = NO_CONTENT), (status = NOT_FOUND, body = Problem)))]
async fn revoke(State(state): State<AppState>, Key(who): Key, Id(id): Id<AgentId>) -> Result<StatusCode, Problem> {
    agents::revoke(&state, &who, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lets a quarantined agent go on, in a new epoch. What its other copy holds is refused.
#[utoipa::path(post, path = "/agents/{id}/release", tag = "agents", params(("id" = String, Path), Once),
    responses((status = NO_CONTENT), (status = NOT_FOUND, body = Problem)))]
async fn release(State(state): State<AppState>, Key(who): Key, Id(id): Id<AgentId>) -> Result<StatusCode, Problem> {
    agents::release(&state, &who, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Asks an agent to make itself a new key. The old one holds until the first batch by the new one.
#[utoipa::path(post, path = "/agents/{id}/rotate-key", tag = "agents", params(("id" = String, Path), Once),
    responses((status = NO_CONTENT), (status = NOT_FOUND, body = Problem)))]
async fn rotate_key(State(state): State<AppState>, Key(who): Key, Id(id): Id<AgentId>) -> Result<StatusCode, Problem> {
    agents::rotate_key(&state, &who, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
