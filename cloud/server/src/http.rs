//! The doors of the cloud: which routes there are, plain or TLS, and how they close.

mod door;

use std::net::SocketAddr;
use std::time::Duration;

use axum::{
    Router,
    extract::Request,
    http::StatusCode,
    middleware::{self, Next},
    response::{IntoResponse as _, Response},
};
use rollcall_protocol::catalogue;

pub use door::{Door, Peer};

use crate::{admin, api, config::TlsFiles, ingest, portal, start::StartError, state::AppState};

/// How long open requests may take to end after shutdown began. Parked polls and live pages end at once.
const DRAIN: Duration = Duration::from_secs(20);

/// Everything the public address serves.
pub fn app(state: AppState) -> Router {
    Router::new()
        .merge(ingest::router())
        .merge(admin::health_router())
        .with_state(state.clone())
        .merge(api::router(state.clone()))
        .merge(portal::router(state))
        .layer(middleware::from_fn(finish_what_was_begun))
}

/// Runs a request in a task of its own: a client that goes away stops reading the answer, but no transaction half-way.
async fn finish_what_was_begun(request: Request, next: Next) -> Response {
    match tokio::spawn(next.run(request)).await {
        Ok(response) => response,
        Err(error) => {
            tracing::error!(%error, "a request panicked");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

pub async fn open(address: SocketAddr, tls: Option<&TlsFiles>) -> Result<Door, StartError> {
    Door::open(address, tls).await.map_err(|error| match error {
        door::OpenError::Address(error) => StartError::new(&catalogue::PORT_IN_USE, format!("{address}: {error}")),
        door::OpenError::Tls(why) => StartError::new(&catalogue::TLS_FILES, why),
    })
}

/// Serves until shutdown, then lets open requests end.
pub async fn serve(door: Door, app: Router, state: &AppState) {
    let shutdown = state.shutdown.clone();
    let service = app.into_make_service_with_connect_info::<Peer>();
    let begun = shutdown.clone();
    let server = axum::serve(door, service).with_graceful_shutdown(async move { begun.begun().await });
    tokio::select! {
        ended = server.into_future() => {
            if let Err(error) = ended {
                tracing::error!(%error, "the server ended");
            }
        }
        () = async { shutdown.begun().await; tokio::time::sleep(DRAIN).await } => {
            tracing::warn!("some requests did not end in time");
        }
    }
}
