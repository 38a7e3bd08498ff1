//! The JSON API: the same services as the portal, for scripts with a key.

pub mod problem;
pub mod asking;
pub mod idempotency;
pub mod customers;
pub mod agents;
pub mod bundles;
pub mod clearings;
pub mod updates;
pub mod directories;
pub mod imports;
pub mod accounts;
pub mod runs;

use axum::{
    Json, Router,
    extract::DefaultBodyLimit,
    http::StatusCode,
    middleware,
    response::{IntoResponse as _, Response},
    routing::get,
};
use rollcall_protocol::catalogue;
use utoipa::{
    Modify, OpenApi,
    openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
};
use utoipa_axum::router::OpenApiRouter;
use utoipa_swagger_ui::SwaggerUi;

use crate::state::AppState;
use problem::Problem;

/// Largest body of a request: settings with two times 500 selections fit well.
const LARGEST_BODY: usize = 256 * 1024;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Rollcall API",
        description = "Customers, agents, imports, people and runs of your MSP. Send a key from Settings as `Authorization: Bearer rck_…`. Every refusal is `application/problem+json` with a code."
    ),
    modifiers(&KeyInHeader),
    security(("key" = [])),
    tags(
        (name = "customers", description = "The organisations you look after."),
        (name = "agents", description = "The readers inside their networks."),
        (name = "updates", description = "How new versions of the agent go out."),
        (name = "imports", description = "Whom each directory brings over."),
        (name = "accounts", description = "The people."),
        (name = "runs", description = "What came of each reading.")
    )
)]
struct Description;

struct KeyInHeader;

impl Modify for KeyInHeader {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("rck_…").build();
        openapi.components.get_or_insert_default().add_security_scheme("key", SecurityScheme::Http(bearer));
    }
}

fn described() -> OpenApiRouter<AppState> {
    OpenApiRouter::with_openapi(Description::openapi()).nest(
        "/api/v1",
        OpenApiRouter::new()
            .merge(customers::routes())
            .merge(agents::routes())
            .merge(bundles::routes())
            .merge(clearings::routes())
            .merge(updates::routes())
            .merge(directories::routes())
            .merge(imports::routes())
            .merge(accounts::routes())
            .merge(runs::routes()),
    )
}

/// The specification, as it is served.
pub fn specification() -> utoipa::openapi::OpenApi {
    described().into_openapi()
}

/// Everything below `/api`.
pub fn router(state: AppState) -> Router {
    let (router, openapi) = described().split_for_parts();
    let document = openapi.clone();
    router
        .layer(middleware::from_fn_with_state(state.clone(), idempotency::once))
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .route("/api/openapi.json", get(move || async move { Json(document) }))
        .route("/api/v1/{*rest}", axum::routing::any(unknown))
        .merge(SwaggerUi::new("/api/docs").config(utoipa_swagger_ui::Config::from("/api/openapi.json")))
        .method_not_allowed_fallback(wrong_method)
        .with_state(state)
}

async fn unknown() -> Response {
    Problem::not_found().into_response()
}

async fn wrong_method() -> Response {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, &catalogue::NOT_FOUND).into_response()
}
