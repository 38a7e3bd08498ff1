//! What agents send: limits, then the signature, then one transaction, then the answer. Nothing is inflated here.

mod refuse;
mod note;
mod verify;
mod room;
mod standing;
mod token_trace;
mod enroll;
mod told;
mod checkin;
mod restored;
mod desired;
mod quarantine;
mod new_key;
mod batches;
mod rotate;
mod bundles;
mod leave;
mod installer;
mod updates;
mod updating;

pub use room::Room;
pub use updating::Looks;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    routing::{get, post},
};
use rollcall_protocol::path;

use crate::state::AppState;

/// The agent's side of the cloud.
pub fn router() -> Router<AppState> {
    Router::new()
        .route(path::ENROL, post(enroll::handle))
        .route(path::CHECKIN, post(checkin::handle))
        .route(path::BATCHES, post(batches::handle))
        .route(path::ROTATE, post(rotate::handle))
        .route(path::BUNDLES, post(bundles::handle))
        .route(path::LEAVE, post(leave::handle))
        .route(path::INSTALLER, get(installer::handle))
        .route(&format!("{}/{{name}}", path::UPDATES), get(updates::handle))
        // Each handler has its own limit, which answers in the words of the protocol.
        .layer(DefaultBodyLimit::disable())
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod bundle_tests;
#[cfg(test)]
mod hostile_tests;
#[cfg(test)]
mod room_tests;
#[cfg(test)]
mod installer_tests;
