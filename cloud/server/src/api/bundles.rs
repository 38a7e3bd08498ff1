//! Support bundles in the API: ask for one, list them, take one.

use axum::{
    Json,
    extract::{Path, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use chrono::{DateTime, Utc};
use rollcall_domain::ids::{AgentId, BundleId};
use rollcall_store::bundles as store;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    asking::{Id, Key, Page},
    idempotency::Once,
    problem::Problem,
};
use crate::{services::bundles, state::AppState};

pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(request)).routes(routes!(list)).routes(routes!(download))
}

/// A support bundle that an agent sent; kept for seven days.
#[derive(Debug, Serialize, ToSchema)]
pub struct Bundle {
    #[schema(value_type = String)]
    pub id: BundleId,
    pub received_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    pub bytes: i64,
    /// Of the zip, in hexadecimal.
    pub sha256: String,
}

impl Bundle {
    fn show(bundle: store::Bundle) -> Self {
        let sha256 = crate::keys::to_hex(&bundle.sha256);
        let store::Bundle { id, received_at, expires_at, size, .. } = bundle;
        Self { id, received_at, expires_at, bytes: size, sha256 }
    }
}

/// Asks the agent for a support bundle. It is listed when it has come.
#[utoipa::path(post, path = "/agents/{id}/bundles", tag = "agents", params(("id" = String, Path), Once),
    responses((status = ACCEPTED), (status = NOT_FOUND, body = Problem), (status = UNPROCESSABLE_ENTITY, body = Problem)))]
async fn request(State(state): State<AppState>, Key(who): Key, Id(id): Id<AgentId>) -> Result<StatusCode, Problem> {
    bundles::request(&state, &who, id).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Lists the agent's bundles, newest first.
#[utoipa::path(get, path = "/agents/{id}/bundles", tag = "agents", params(("id" = String, Path)),
    responses((status = OK, body = Page<Bundle>), (status = NOT_FOUND, body = Problem)))]
async fn list(
    State(state): State<AppState>,
    Key(who): Key,
    Id(id): Id<AgentId>,
) -> Result<Json<Page<Bundle>>, Problem> {
    let mut tx = state.db.read(&who.scope).await?;
    let shelf = bundles::list(&mut tx, &who, id, state.now()).await?;
    Ok(Json(Page::whole(shelf.bundles.into_iter().map(Bundle::show).collect())))
}

/// The zip itself.
#[utoipa::path(get, path = "/agents/{id}/bundles/{bundle}", tag = "agents",
    params(("id" = String, Path), ("bundle" = String, Path)),
    responses((status = OK, content_type = "application/zip"), (status = NOT_FOUND, body = Problem)))]
async fn download(
    State(state): State<AppState>,
    Key(who): Key,
    Path((agent, bundle)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let agent: AgentId = agent.parse().map_err(|_| Problem::not_found())?;
    let bundle: BundleId = bundle.parse().map_err(|_| Problem::not_found())?;
    let body = bundles::fetch(&state, &who, agent, bundle).await?;
    Ok(([(header::CONTENT_TYPE, HeaderValue::from_static("application/zip"))], body).into_response())
}
