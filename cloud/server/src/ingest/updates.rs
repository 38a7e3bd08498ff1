//! `GET /agent/v1/updates/{name}`: hands the files of a publication to enrolled agents, which check every byte.

use axum::{
    extract::{Path, Request, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse as _, Response},
};
use rollcall_protocol::path;
use tower::ServiceExt as _;
use tower_http::services::ServeFile;

use super::{refuse::Refused, verify};
use crate::state::AppState;

pub async fn handle(
    State(state): State<AppState>,
    Path(name): Path<String>,
    headers: HeaderMap,
    request: Request,
) -> Result<Response, Refused> {
    verify::verify_fetch(&state, &headers, &format!("{}/{name}", path::UPDATES)).await?;
    let Some(file) = state.releases.find(&name).await else { return Ok(StatusCode::NOT_FOUND.into_response()) };
    Ok(match ServeFile::new(file).oneshot(request).await {
        Ok(response) => response.into_response(),
        Err(never) => match never {},
    })
}
