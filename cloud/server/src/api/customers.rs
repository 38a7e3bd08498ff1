//! Customers in the API: list, add, look at, pause, resume, sync.

use axum::{Json, extract::State, http::StatusCode};
use chrono::{DateTime, Utc};
use rollcall_domain::{
    health::{self, Health},
    ids::CustomerId,
    pause::Pause,
};
use rollcall_protocol::catalogue;
use rollcall_store::customers::{self as store, Overview};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    asking::{Asked, Body, Id, Key, Page, PageQuery},
    idempotency::Once,
    problem::Problem,
};
use crate::{
    services::{
        ServiceError, Who,
        agents::{self, Ask},
        customers,
        pauses::{self, Target, Wish},
        reach,
    },
    state::AppState,
};

pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(get))
        .routes(routes!(sync))
        .routes(routes!(refresh_structure))
        .routes(routes!(pause))
        .routes(routes!(resume))
}

/// One organisation that the MSP looks after.
#[derive(Debug, Serialize, ToSchema)]
pub struct Customer {
    #[schema(value_type = String, example = "cus_0191f2c4-7b1e-7c3a-9c55-0d8f6f1f4b21")]
    pub id: CustomerId,
    pub slug: String,
    pub name: String,
    pub created_at: DateTime<Utc>,
    /// `healthy`, `never_synced`, `attention`, `held`, `paused`, `agent_offline` or `quarantined`.
    pub state: String,
    /// Set unless healthy.
    pub reason: Option<Reason>,
    pub pause: Option<PauseState>,
    pub agents: i64,
    pub imports: i64,
    /// Present people; the departed do not count.
    pub people: i64,
    /// Removals that wait for a human.
    pub held: i64,
    pub last_good_run_at: Option<DateTime<Utc>>,
}

/// Why something is not healthy, since when, and what to do next.
#[derive(Debug, Serialize, ToSchema)]
pub struct Reason {
    #[schema(example = "RC-4003")]
    pub code: String,
    pub title: String,
    pub since: DateTime<Utc>,
    #[schema(example = "review_held")]
    pub next_action: String,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct PauseState {
    pub since: DateTime<Utc>,
    pub until: Option<DateTime<Utc>>,
    pub reason: String,
    pub by: String,
}

impl From<Pause> for PauseState {
    fn from(pause: Pause) -> Self {
        Self { since: pause.at, until: pause.until, reason: pause.reason, by: pause.by }
    }
}

impl Customer {
    fn show(overview: Overview, msp_pause: Option<&Pause>, now: DateTime<Utc>) -> Self {
        let last_good_run_at = overview.worst_good_run_at();
        let health = health::decide(&overview.facts(msp_pause, now), now);
        let reason = match &health {
            Health::Healthy { .. } => None,
            Health::Not { reason_code, since, next, .. } => Some(Reason {
                title: catalogue::find(reason_code).map_or("", |fault| fault.title).to_owned(),
                code: reason_code.clone(),
                since: *since,
                next_action: next.as_str().to_owned(),
            }),
        };
        let pause = overview.customer.pause.set().filter(|pause| pause.holds(now)).map(PauseState::from);
        Self {
            id: overview.customer.id,
            slug: overview.customer.slug,
            name: overview.customer.name,
            created_at: overview.customer.created_at,
            state: health.state().as_str().to_owned(),
            reason,
            pause,
            agents: overview.agents,
            imports: overview.imports,
            people: overview.people,
            held: overview.held,
            last_good_run_at,
        }
    }
}

/// Which customers are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Filter {
    /// Part of the name.
    #[serde(default)]
    pub q: String,
    pub after: Option<String>,
    pub limit: Option<i64>,
}

/// Lists customers in order of their names.
#[utoipa::path(get, path = "/customers", tag = "customers", params(Filter), responses((status = OK, body = Page<Customer>)))]
async fn list(
    State(state): State<AppState>,
    Key(who): Key,
    Asked(filter): Asked<Filter>,
) -> Result<Json<Page<Customer>>, Problem> {
    who.may(rollcall_domain::role::Act::ViewCustomers)?;
    let query = PageQuery { after: filter.after, limit: filter.limit };
    let page = store::Page { search: filter.q, after: query.after()?, limit: query.limit() };
    let now = state.now();
    let mut tx = state.db.read(&who.scope).await?;
    let msp_pause = rollcall_store::msps::get(&mut tx).await?.pause.set();
    let rows = store::list(&mut tx, &who.scope, &page).await?;
    let cursor = |row: &Overview| (row.customer.name.clone(), row.customer.id);
    Ok(Json(Page::of(rows, page.limit, cursor, |row| Customer::show(row, msp_pause.as_ref(), now))))
}

/// A customer to be added.
#[derive(Debug, Deserialize, ToSchema)]
pub struct NewCustomer {
    #[schema(example = "Contoso Legal LLP", min_length = 1, max_length = 120)]
    pub name: String,
}

/// Adds a customer.
#[utoipa::path(post, path = "/customers", tag = "customers", params(Once), request_body = NewCustomer,
    responses((status = CREATED, body = Customer), (status = UNPROCESSABLE_ENTITY, body = Problem)))]
async fn create(
    State(state): State<AppState>,
    Key(who): Key,
    Body(new): Body<NewCustomer>,
) -> Result<(StatusCode, Json<Customer>), Problem> {
    let customer = customers::create(&state, &who, &new.name).await?;
    Ok((StatusCode::CREATED, Json(load(&state, &who, customer.id).await?)))
}

/// Shows one customer.
#[utoipa::path(get, path = "/customers/{id}", tag = "customers", params(("id" = String, Path)),
    responses((status = OK, body = Customer), (status = NOT_FOUND, body = Problem)))]
async fn get(State(state): State<AppState>, Key(who): Key, Id(id): Id<CustomerId>) -> Result<Json<Customer>, Problem> {
    Ok(Json(load(&state, &who, id).await?))
}

async fn load(state: &AppState, who: &Who, id: CustomerId) -> Result<Customer, ServiceError> {
    let (scope, _) = reach::customer(state, who, id).await?;
    let mut tx = state.db.read(&scope).await?;
    let msp_pause = rollcall_store::msps::get(&mut tx).await?.pause.set();
    Ok(Customer::show(store::get_overview(&mut tx, &scope).await?, msp_pause.as_ref(), state.now()))
}

/// Asks the agents of this customer to read their directory now.
#[utoipa::path(post, path = "/customers/{id}/sync", tag = "customers", params(("id" = String, Path), Once),
    responses((status = ACCEPTED), (status = CONFLICT, body = Problem)))]
async fn sync(State(state): State<AppState>, Key(who): Key, Id(id): Id<CustomerId>) -> Result<StatusCode, Problem> {
    agents::ask(&state, &who, id, Ask::SyncNow).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Asks the agents of this customer to read OUs and groups anew.
#[utoipa::path(post, path = "/customers/{id}/refresh-structure", tag = "customers", params(("id" = String, Path), Once),
    responses((status = ACCEPTED), (status = CONFLICT, body = Problem)))]
async fn refresh_structure(
    State(state): State<AppState>,
    Key(who): Key,
    Id(id): Id<CustomerId>,
) -> Result<StatusCode, Problem> {
    agents::ask(&state, &who, id, Ask::RefreshStructure).await?;
    Ok(StatusCode::ACCEPTED)
}

/// A pause to be set.
#[derive(Debug, Deserialize, ToSchema)]
pub struct NewPause {
    #[schema(example = "Server migration", min_length = 1, max_length = 200)]
    pub reason: String,
    /// When it ends by itself; without it, somebody resumes.
    pub until: Option<DateTime<Utc>>,
}

impl From<NewPause> for Wish {
    fn from(new: NewPause) -> Self {
        Self { reason: new.reason, until: new.until }
    }
}

/// Pauses a customer: its agents only check in.
#[utoipa::path(post, path = "/customers/{id}/pause", tag = "customers", params(("id" = String, Path), Once),
    request_body = NewPause, responses((status = NO_CONTENT), (status = NOT_FOUND, body = Problem)))]
async fn pause(
    State(state): State<AppState>,
    Key(who): Key,
    Id(id): Id<CustomerId>,
    Body(new): Body<NewPause>,
) -> Result<StatusCode, Problem> {
    pauses::pause(&state, &who, Target::Customer(id), new.into()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Resumes a customer.
#[utoipa::path(post, path = "/customers/{id}/resume", tag = "customers", params(("id" = String, Path), Once),
    responses((status = NO_CONTENT), (status = NOT_FOUND, body = Problem)))]
async fn resume(State(state): State<AppState>, Key(who): Key, Id(id): Id<CustomerId>) -> Result<StatusCode, Problem> {
    pauses::resume(&state, &who, Target::Customer(id)).await?;
    Ok(StatusCode::NO_CONTENT)
}
