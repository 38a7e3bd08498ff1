//! How a refusal of the answer table becomes an HTTP answer.

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use rollcall_protocol::answer::Refusal;
use rollcall_store::StoreError;
use serde::Serialize;

/// A refusal on its way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused(pub Refusal);

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self(refusal)
    }
}

/// Seconds an agent waits before it tries a cloud again that failed; it adds jitter of its own.
const WAIT: u32 = 15;

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "an agent's request failed in the store");
        Self(Refusal::Unavailable { retry_after_seconds: WAIT })
    }
}

/// RFC 9457, with the refusal as extension members: agents read these, and people at a proxy's log the others.
#[derive(Serialize)]
struct Problem<'a> {
    r#type: &'static str,
    title: &'static str,
    status: u16,
    #[serde(flatten)]
    refusal: &'a Refusal,
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.0.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let wait = match self.0 {
            Refusal::Busy { retry_after_seconds } | Refusal::Unavailable { retry_after_seconds } => {
                Some(retry_after_seconds)
            }
            Refusal::Fork
            | Refusal::Gap { .. }
            | Refusal::Epoch
            | Refusal::Unauthorized
            | Refusal::Revoked { .. }
            | Refusal::Quarantined
            | Refusal::Skew { .. }
            | Refusal::TooLarge { .. }
            | Refusal::Malformed
            | Refusal::Token { .. } => None,
        };
        let title = status.canonical_reason().unwrap_or_default();
        let problem = Problem { r#type: "about:blank", title, status: status.as_u16(), refusal: &self.0 };
        let mut response = (status, Json(problem)).into_response();
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = wait {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
