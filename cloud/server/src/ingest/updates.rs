//! `GET /agent/v1/updates/{name}`: hands the files of a publication to enrolled agents, which check every byte.

use axum::{
    extract::{Path, Request, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse as _, Response},
};
use rollcall_protocol::{answer::Refusal, path};
use tower::ServiceExt as _;
use tower_http::services::ServeFile;

use super::{refuse::Refused, verify};
use crate::{releases::Found, state::AppState};

pub async fn handle(
    State(state): State<AppState>,
    Path(name): Path<String>,
    headers: HeaderMap,
    request: Request,
) -> Result<Response, Refused> {
    verify::verify_fetch(&state, &headers, &format!("{}/{name}", path::UPDATES)).await?;
    let file = match state.releases.find(&name).await {
        Found::File(file) => file,
        Found::Nothing => return Ok(StatusCode::NOT_FOUND.into_response()),
        Found::Silent => return Err(Refusal::Busy { retry_after_seconds: 60 }.into()),
    };
    Ok(match ServeFile::new(file).oneshot(request).await {
        Ok(response) => response.into_response(),
        Err(never) => match never {},
    })
}
