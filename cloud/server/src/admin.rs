//! What machines ask: alive, ready, version, metrics. Metrics are on the admin address only.

use axum::{
    Json, Router,
    extract::{Query, State},
    http::StatusCode,
    response::{IntoResponse as _, Response},
    routing::get,
};
use metrics_exporter_prometheus::PrometheusHandle;
use rollcall_domain::job::{JobKind, JobState};
use serde::Deserialize;
use serde_json::json;

use crate::{readiness::Writes, state::AppState};

/// On both addresses.
pub fn health_router() -> Router<AppState> {
    Router::new().route("/livez", get(livez)).route("/readyz", get(readyz)).route("/version", get(version))
}

pub fn router(state: AppState, metrics: PrometheusHandle) -> Router {
    let recorded = move |State(state): State<AppState>| {
        let metrics = metrics.clone();
        async move {
            measure_queue(&state).await;
            metrics.render()
        }
    };
    health_router().route("/metrics", get(recorded)).with_state(state)
}

async fn livez() -> &'static str {
    "ok\n"
}

async fn version() -> Json<serde_json::Value> {
    Json(json!({ "version": env!("CARGO_PKG_VERSION"), "protocol": rollcall_protocol::PROTO }))
}

#[derive(Deserialize)]
struct Detail {
    verbose: Option<String>,
}

/// Ready: the database answers and takes writes, and the program is not about to end.
async fn readyz(State(state): State<AppState>, Query(detail): Query<Detail>) -> Response {
    let database = match state.db.ping().await {
        Ok(()) => "ok",
        Err(error) => {
            tracing::warn!(%error, "the database does not answer");
            "does not answer"
        }
    };
    let disk = match state.readiness.look(state.db.refusals().count(), state.now()) {
        Writes::Taken => "ok",
        Writes::Refused => "full or read-only",
    };
    let serving = if state.shutdown.has_begun() { "shutting down" } else { "ok" };
    let ready = [database, disk, serving].iter().all(|part| *part == "ok");
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    match detail.verbose {
        Some(_) => (status, Json(json!({ "database": database, "disk": disk, "serving": serving }))).into_response(),
        None => (status, if ready { "ready\n" } else { "not ready\n" }).into_response(),
    }
}

async fn measure_queue(state: &AppState) {
    match rollcall_store::jobs::count_all(&state.db).await {
        Ok(counts) => {
            for kind in JobKind::ALL {
                for standing in JobState::ALL {
                    // What is not counted is none: a gauge that was set once keeps its value.
                    let found = counts.iter().find(|(k, s, _)| k == kind.as_str() && s == standing.as_str());
                    let count = found.map_or(0, |(_, _, count)| *count);
                    #[expect(clippy::cast_precision_loss, reason = "a gauge; queues stay far below 2^52")]
                    metrics::gauge!("rollcall_job_queue_depth", "kind" => kind.as_str(), "state" => standing.as_str())
                        .set(count as f64);
                }
            }
        }
        Err(error) => tracing::warn!(%error, "the queue could not be counted"),
    }
}
