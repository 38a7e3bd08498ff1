//! Every refusal of the API as RFC 9457 `application/problem+json`, with its words from the one catalogue.

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use rollcall_protocol::catalogue::{self, Fault};
use rollcall_store::StoreError;
use serde::Serialize;
use utoipa::ToSchema;

use crate::services::ServiceError;

/// What the API says when it does not do what it was asked for.
#[derive(Debug, Serialize, ToSchema)]
pub struct Problem {
    /// Where the code is explained.
    #[schema(value_type = String)]
    pub r#type: Box<str>,
    pub title: &'static str,
    pub status: u16,
    /// A code of the catalogue; its meaning never changes.
    #[schema(example = "RC-7009")]
    pub code: &'static str,
    pub detail: String,
    /// What to do, in order.
    pub fix: &'static [&'static str],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldFault>,
}

/// One member of the body that cannot be accepted.
#[derive(Debug, Serialize, ToSchema)]
pub struct FieldFault {
    /// RFC 6901.
    #[schema(example = "/name")]
    pub pointer: String,
    pub message: String,
}

impl Problem {
    pub fn new(status: StatusCode, fault: &'static Fault) -> Self {
        Self {
            r#type: fault.help_path().into(),
            title: fault.title,
            status: status.as_u16(),
            code: fault.code,
            detail: fault.cause.to_owned(),
            fix: fault.fix,
            errors: Vec::new(),
        }
    }

    pub fn unauthenticated() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, &catalogue::UNAUTHENTICATED)
    }

    pub fn invalid(pointer: impl Into<String>, message: impl Into<String>) -> Self {
        let errors = vec![FieldFault { pointer: pointer.into(), message: message.into() }];
        Self { errors, ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, &catalogue::INVALID) }
    }

    pub fn not_found() -> Self {
        ServiceError::NotFound.into()
    }
}

impl From<ServiceError> for Problem {
    fn from(error: ServiceError) -> Self {
        match error {
            ServiceError::NotFound => Self::new(StatusCode::NOT_FOUND, &catalogue::NOT_FOUND),
            ServiceError::Forbidden { needed } => Self {
                detail: format!("This needs the role {needed}."),
                ..Self::new(StatusCode::FORBIDDEN, &catalogue::FORBIDDEN)
            },
            ServiceError::Invalid { field, message } => Self::invalid(format!("/{}", field.replace('.', "/")), message),
            ServiceError::ChangedMeanwhile => Self::new(StatusCode::CONFLICT, &catalogue::CHANGED_MEANWHILE),
            ServiceError::Store(error) => Self::from(error),
            ServiceError::Internal(what) => {
                tracing::error!(what, "an API request failed");
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, &catalogue::UNEXPECTED)
            }
        }
    }
}

/// Logged here, once; the caller learns only that it was us.
impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "an API request failed");
        match error {
            StoreError::Unavailable(_) => Self::new(StatusCode::SERVICE_UNAVAILABLE, &catalogue::DATABASE_UNREACHABLE),
            StoreError::Busy(_) => Self::new(StatusCode::SERVICE_UNAVAILABLE, &catalogue::DATABASE_BUSY),
            StoreError::Unwritable(_) => Self::new(StatusCode::SERVICE_UNAVAILABLE, &catalogue::DATABASE_UNWRITABLE),
            StoreError::Taken
            | StoreError::WrongCount { .. }
            | StoreError::Unreadable(_)
            | StoreError::RoleBypassesWall
            | StoreError::Migration(_)
            | StoreError::Database(_) => Self::new(StatusCode::INTERNAL_SERVER_ERROR, &catalogue::UNEXPECTED),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(self)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
        }
        response
    }
}
