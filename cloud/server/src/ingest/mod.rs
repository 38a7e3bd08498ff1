//! What agents send: limits, then the signature, then one transaction, then the answer. Nothing is inflated here.

mod refuse;
mod note;
mod verify;
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

use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::Method,
    routing::{MethodRouter, get, post},
};
use rollcall_protocol::path;

use crate::state::AppState;

/// The agent's side of the cloud.
pub fn router() -> Router<AppState> {
    let add = |router: Router<AppState>, (_, path, handler): (Method, String, _)| router.route(&path, handler);
    // Each handler has its own limit, which answers in the words of the protocol.
    routes().into_iter().fold(Router::new(), add).layer(DefaultBodyLimit::disable())
}

/// Every route: how it is asked, and who answers. `matrix_tests` asks each as everybody who must not.
fn routes() -> Vec<(Method, String, MethodRouter<AppState>)> {
    let take = |path: &str, handler| (Method::POST, path.to_owned(), handler);
    let hand_out = |path: &str, handler| (Method::GET, path.to_owned(), handler);
    vec![
        take(path::ENROL, post(enroll::handle)),
        take(path::CHECKIN, post(checkin::handle)),
        take(path::BATCHES, post(batches::handle)),
        take(path::ROTATE, post(rotate::handle)),
        take(path::BUNDLES, post(bundles::handle)),
        take(path::LEAVE, post(leave::handle)),
        hand_out(path::INSTALLER, get(installer::handle)),
        hand_out(&format!("{}/{{name}}", path::UPDATES), get(updates::handle)),
    ]
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
mod parts_tests;
#[cfg(test)]
mod desired_tests;
#[cfg(test)]
mod matrix_tests;
#[cfg(test)]
mod installer_tests;
