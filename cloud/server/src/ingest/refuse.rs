//! How a refusal of the answer table becomes an HTTP answer.

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use rollcall_protocol::answer::Refusal;
use rollcall_store::StoreError;

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
        let mut response = (status, Json(&self.0)).into_response();
        if let Some(seconds) = wait {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
