//! Support bundles on an agent's page: ask for one, take one away.

use axum::{
    extract::{Path, State},
    http::{HeaderValue, header},
    response::{IntoResponse as _, Response},
};
use chrono::{DateTime, Utc};
use rollcall_domain::{
    ids::{AgentId, BundleId},
    role::Act,
};
use rollcall_store::bundles::Bundle;

use super::{
    answer::{PageError, see},
    guard::{SignedIn, require},
    pages::Pages,
    view::Moment,
};
use crate::{services::bundles, state::AppState};

pub fn routes() -> Pages {
    Pages::new().post("/agents/{agent}/bundles", request).get("/agents/{agent}/bundles/{bundle}", download)
}

/// A bundle as the page lists it.
#[derive(Debug, Clone)]
pub struct BundleLine {
    pub href: String,
    pub received: Moment,
    pub expires: Moment,
    pub size: String,
    pub sha256: String,
}

impl BundleLine {
    pub fn of(bundle: &Bundle, now: DateTime<Utc>) -> Self {
        Self {
            href: format!("/agents/{}/bundles/{}", bundle.agent_id, bundle.id),
            received: Moment::new(bundle.received_at, now),
            expires: Moment::new(bundle.expires_at, now),
            size: format!("{} KiB", bundle.size.saturating_add(1023) / 1024),
            sha256: super::view::hex::hex(&bundle.sha256),
        }
    }
}

async fn request(
    State(state): State<AppState>,
    signed: SignedIn,
    Path(id): Path<String>,
) -> Result<Response, PageError> {
    require(&signed, Act::InstallAgent)?;
    let id: AgentId = id.parse()?;
    bundles::request(&state, &signed.who, id).await?;
    Ok(see(&format!("/agents/{id}?done=bundle")))
}

async fn download(
    State(state): State<AppState>,
    signed: SignedIn,
    Path((agent, bundle)): Path<(String, String)>,
) -> Result<Response, PageError> {
    require(&signed, Act::InstallAgent)?;
    let agent: AgentId = agent.parse()?;
    let bundle: BundleId = bundle.parse()?;
    let body = bundles::fetch(&state, &signed.who, agent, bundle).await?;
    let name = HeaderValue::from_str(&format!("attachment; filename=\"{bundle}.zip\""));
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/zip")),
        (header::CONTENT_DISPOSITION, name.unwrap_or_else(|_| HeaderValue::from_static("attachment"))),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    Ok((headers, body).into_response())
}
