//! Runs in the API: what came of each reading, and the removals of a run that wait for a human.

use axum::{Json, extract::State};
use chrono::{DateTime, Utc};
use rollcall_domain::ids::{AccountId, AgentId, CustomerId, ImportId, RunId};
use rollcall_store::{memberships, runs as store};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use super::{
    asking::{Asked, Body, Id, Key, Page, PageQuery},
    idempotency::Once,
    problem::Problem,
};
use crate::{
    services::{
        held::{self, Decision, Seen, Which},
        reach,
    },
    state::AppState,
};

pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(get))
        .routes(routes!(list_held))
        .routes(routes!(approve))
        .routes(routes!(reject))
}

/// What the cloud made of one reading.
#[derive(Debug, Serialize, ToSchema)]
pub struct Run {
    #[schema(value_type = String)]
    pub id: RunId,
    #[schema(value_type = String)]
    pub customer_id: CustomerId,
    #[schema(value_type = String)]
    pub agent_id: AgentId,
    /// Why the agent read: `schedule`, `sync_now` …
    pub cause: String,
    /// `full` or `delta`.
    pub kind: String,
    /// `ok`, `partial`, `failed` or `cancelled`.
    pub result: String,
    #[schema(example = "RC-2303")]
    pub reason_code: Option<String>,
    pub reason_detail: Option<String>,
    pub started_at: DateTime<Utc>,
    pub finished_at: DateTime<Utc>,
    pub counts: Counts,
    /// Whether count and digest of agent and cloud were equal afterwards.
    pub digest_agrees: Option<bool>,
    pub dc_host: Option<String>,
    pub epoch: i64,
    pub first_seq: i64,
    pub last_seq: i64,
    /// The reading, by the agent's own name for it; every complete one has one run.
    pub cycle: Option<Uuid>,
    pub batches: i64,
    /// As sent: compressed bodies and their signed statements.
    pub bytes: i64,
}

/// Counts of a run, from the committed transaction.
#[derive(Debug, Serialize, ToSchema)]
pub struct Counts {
    pub people: i64,
    pub added: i64,
    pub updated: i64,
    pub returned: i64,
    pub departed: i64,
    pub held: i64,
    pub unchanged: i64,
    pub set_aside: i64,
}

impl From<store::Run> for Run {
    fn from(run: store::Run) -> Self {
        let counts = run.counts;
        Self {
            id: run.id,
            customer_id: run.customer_id,
            agent_id: run.agent_id,
            cause: run.cause,
            kind: run.kind.as_str().to_owned(),
            result: run.result.as_str().to_owned(),
            reason_code: run.reason_code,
            reason_detail: run.reason_detail,
            started_at: run.started_at,
            finished_at: run.finished_at,
            counts: Counts {
                people: counts.people,
                added: counts.added,
                updated: counts.updated,
                returned: counts.returned,
                departed: counts.departed,
                held: counts.held,
                unchanged: counts.unchanged,
                set_aside: counts.set_aside,
            },
            digest_agrees: run.digest_agrees,
            dc_host: run.dc_host,
            epoch: run.epoch,
            first_seq: run.first_seq,
            last_seq: run.last_seq,
            cycle: run.cycle,
            batches: run.batches,
            bytes: run.bytes,
        }
    }
}

/// Lists the runs of a customer, newest first.
#[utoipa::path(get, path = "/customers/{id}/runs", tag = "runs", params(("id" = String, Path), PageQuery),
    responses((status = OK, body = Page<Run>), (status = NOT_FOUND, body = Problem)))]
async fn list(
    State(state): State<AppState>,
    Key(who): Key,
    Id(id): Id<CustomerId>,
    Asked(query): Asked<PageQuery>,
) -> Result<Json<Page<Run>>, Problem> {
    let (scope, _) = reach::customer(&state, &who, id).await?;
    let mut tx = state.db.read(&scope).await?;
    let rows = store::list(&mut tx, &scope, query.after()?, query.limit()).await?;
    Ok(Json(Page::of(rows, query.limit(), |row| row.id, Run::from)))
}

/// Shows one run.
#[utoipa::path(get, path = "/runs/{id}", tag = "runs", params(("id" = String, Path)),
    responses((status = OK, body = Run), (status = NOT_FOUND, body = Problem)))]
async fn get(State(state): State<AppState>, Key(who): Key, Id(id): Id<RunId>) -> Result<Json<Run>, Problem> {
    let (_, run) = reach::run(&state, &who, id).await?;
    Ok(Json(Run::from(run)))
}

/// A removal that waits for a human.
#[derive(Debug, Serialize, ToSchema)]
pub struct HeldRemoval {
    #[schema(value_type = String)]
    pub account_id: AccountId,
    #[schema(value_type = String)]
    pub import_id: ImportId,
    pub display_name: String,
    pub account_name: String,
    pub since: DateTime<Utc>,
    pub evidence: Option<Value>,
}

/// Lists the removals of a run that still wait.
#[utoipa::path(get, path = "/runs/{id}/held", tag = "runs", params(("id" = String, Path)),
    responses((status = OK, body = Page<HeldRemoval>), (status = NOT_FOUND, body = Problem)))]
async fn list_held(
    State(state): State<AppState>,
    Key(who): Key,
    Id(id): Id<RunId>,
) -> Result<Json<Page<HeldRemoval>>, Problem> {
    let (scope, _) = reach::run(&state, &who, id).await?;
    let mut tx = state.db.read(&scope).await?;
    let show = |row: memberships::Held| HeldRemoval {
        account_id: row.account_id,
        import_id: row.import_id,
        display_name: row.display_name,
        account_name: row.sam,
        since: row.since,
        evidence: row.evidence.map(|value| value.0),
    };
    Ok(Json(Page::whole(memberships::list_held_by_run(&mut tx, &scope, id).await?.into_iter().map(show).collect())))
}

/// Says that the list was looked at.
#[derive(Debug, Deserialize, ToSchema)]
pub struct Approval {
    /// How many removals are approved: exactly as many as wait.
    pub count: usize,
}

/// How many were decided.
#[derive(Debug, Serialize, ToSchema)]
pub struct Decided {
    pub people: usize,
}

/// Approves the held removals of a run: these people leave.
#[utoipa::path(post, path = "/runs/{id}/held/approve", tag = "runs", params(("id" = String, Path), Once),
    request_body = Approval,
    responses((status = OK, body = Decided), (status = UNPROCESSABLE_ENTITY, body = Problem)))]
async fn approve(
    State(state): State<AppState>,
    Key(who): Key,
    Id(id): Id<RunId>,
    Body(approval): Body<Approval>,
) -> Result<Json<Decided>, Problem> {
    let (_, run) = reach::run(&state, &who, id).await?;
    let seen = [Seen::Count(approval.count)];
    let people = held::decide(&state, &who, run.customer_id, Which::OfRun(id), &seen, Decision::Approve).await?;
    Ok(Json(Decided { people }))
}

/// Rejects the held removals of a run: these people stay.
#[utoipa::path(post, path = "/runs/{id}/held/reject", tag = "runs", params(("id" = String, Path), Once),
    responses((status = OK, body = Decided), (status = NOT_FOUND, body = Problem)))]
async fn reject(State(state): State<AppState>, Key(who): Key, Id(id): Id<RunId>) -> Result<Json<Decided>, Problem> {
    let (_, run) = reach::run(&state, &who, id).await?;
    let people = held::decide(&state, &who, run.customer_id, Which::OfRun(id), &[], Decision::Reject).await?;
    Ok(Json(Decided { people }))
}
