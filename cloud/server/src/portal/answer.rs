//! How a page becomes an answer, and what is answered when there is no page to show.

use askama::Template;
use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{Html, IntoResponse, Redirect, Response},
};
use rollcall_domain::ids::IdError;
use rollcall_protocol::catalogue::{self, Fault};
use rollcall_store::StoreError;

use super::{
    refusal::DeadEndPage,
    view::{FieldError, Link},
};
use crate::services::ServiceError;

/// A drawn page. Pages of signed-in people are never kept by anybody on the way.
pub fn page(template: &impl Template) -> Response {
    page_with(StatusCode::OK, template)
}

pub fn page_with(status: StatusCode, template: &impl Template) -> Response {
    match template.render() {
        Ok(html) => {
            let mut response = (status, Html(html)).into_response();
            response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
            response
        }
        Err(error) => {
            tracing::error!(%error, "a page could not be drawn");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// After a form: the browser asks for the page it leads to.
pub fn see(address: &str) -> Response {
    Redirect::to(address).into_response()
}

/// Why a page is not shown.
#[derive(Debug)]
pub enum PageError {
    NotFound,
    Forbidden,
    /// Something else was changed meanwhile.
    Changed,
    /// An input that no form of ours sends.
    Odd(String),
    /// The database cannot do it now.
    Away(&'static Fault),
    Internal,
}

impl From<ServiceError> for PageError {
    fn from(error: ServiceError) -> Self {
        match error {
            ServiceError::NotFound => Self::NotFound,
            ServiceError::Forbidden { .. } => Self::Forbidden,
            ServiceError::ChangedMeanwhile => Self::Changed,
            ServiceError::Invalid { message, .. } => Self::Odd(message),
            ServiceError::Store(error) => Self::from(error),
            ServiceError::Internal(what) => {
                tracing::error!(what, "a page failed");
                Self::Internal
            }
        }
    }
}

/// What is not an id of the right kind does not exist.
impl From<IdError> for PageError {
    fn from(IdError { .. }: IdError) -> Self {
        Self::NotFound
    }
}

/// Logged here, once; the reader learns only that it was us.
impl From<StoreError> for PageError {
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "a page failed");
        match error {
            StoreError::Unavailable(_) => Self::Away(&catalogue::DATABASE_UNREACHABLE),
            StoreError::Busy(_) => Self::Away(&catalogue::DATABASE_BUSY),
            StoreError::Unwritable(_) => Self::Away(&catalogue::DATABASE_UNWRITABLE),
            StoreError::Taken
            | StoreError::WrongCount { .. }
            | StoreError::Unreadable(_)
            | StoreError::RoleBypassesWall
            | StoreError::Migration(_)
            | StoreError::Database(_) => Self::Internal,
        }
    }
}

impl PageError {
    fn face(&self) -> (StatusCode, &'static Fault) {
        match self {
            Self::NotFound => (StatusCode::NOT_FOUND, &catalogue::NOT_FOUND),
            Self::Forbidden => (StatusCode::FORBIDDEN, &catalogue::FORBIDDEN),
            Self::Changed => (StatusCode::CONFLICT, &catalogue::CHANGED_MEANWHILE),
            Self::Odd(_) => (StatusCode::UNPROCESSABLE_ENTITY, &catalogue::INVALID),
            Self::Away(fault) => (StatusCode::SERVICE_UNAVAILABLE, fault),
            Self::Internal => (StatusCode::INTERNAL_SERVER_ERROR, &catalogue::UNEXPECTED),
        }
    }
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        let (status, fault) = self.face();
        let detail = match &self {
            Self::Odd(message) => message.clone(),
            Self::NotFound | Self::Forbidden | Self::Changed | Self::Away(_) | Self::Internal => fault.cause.to_owned(),
        };
        dead_end(status, fault, detail, Link::to("Go to the dashboard", "/"))
    }
}

/// A page that says no, with code, sentence and a way on.
pub fn dead_end(status: StatusCode, fault: &'static Fault, detail: String, action: Link) -> Response {
    let fix = fault.fix.first().copied().unwrap_or_default();
    page_with(status, &DeadEndPage { code: fault.code, title: fault.title, detail, fix, action })
}

/// What a form shows again beside its fields; anything but a wrong input is a page of its own.
pub fn field_errors(error: ServiceError) -> Result<Vec<FieldError>, PageError> {
    match error {
        ServiceError::Invalid { field, message } => Ok(vec![FieldError::new(field, sentence(&message))]),
        other @ (ServiceError::NotFound
        | ServiceError::Forbidden { .. }
        | ServiceError::ChangedMeanwhile
        | ServiceError::Store(_)
        | ServiceError::Internal(_)) => Err(other.into()),
    }
}

/// The services' words as a sentence.
fn sentence(words: &str) -> String {
    let mut letters = words.chars();
    let first: String = letters.next().map(|c| c.to_uppercase().collect()).unwrap_or_default();
    let rest: String = letters.collect();
    let end = if words.ends_with(['.', '!', '?']) { "" } else { "." };
    format!("{first}{rest}{end}")
}
