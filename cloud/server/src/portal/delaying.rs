//! How long a published release waits before it reaches agents: the forms, and which ones wait for their day.

use axum::{
    Form,
    extract::{Path, State},
    http::StatusCode,
    response::Response,
};
use chrono::{DateTime, Utc};
use rollcall_domain::{role::Act, rollout::Delay};
use rollcall_store::Tx;
use serde::Deserialize;

use super::{
    answer::{PageError, field_errors, page_with, see},
    guard::{SignedIn, require},
    pages::Pages,
    updates::draw,
    view::{FieldError, Moment},
};
use crate::{releases::Shelf, services::updates as acts, state::AppState};

pub fn routes() -> Pages {
    Pages::new().post("/updates/delay", set_delay).post("/updates/{version}/begin", begin)
}

/// A release that waits for its day on one platform.
#[derive(Debug, Clone)]
pub struct UpcomingRow {
    pub version: String,
    pub platform: String,
    pub day: String,
    pub published: Moment,
}

/// The first to come first.
pub async fn list_upcoming(tx: &mut Tx, shelf: &Shelf, now: DateTime<Utc>) -> Result<Vec<UpcomingRow>, PageError> {
    let upcoming = acts::list_upcoming(tx, shelf, now).await?.into_iter().map(|one| UpcomingRow {
        version: one.version.to_string(),
        platform: one.platform.to_string(),
        day: one.from.format("%-d %b %Y").to_string(),
        published: Moment::new(one.published_at, now),
    });
    Ok(upcoming.collect())
}

#[derive(Debug, Deserialize)]
struct DelayForm {
    #[serde(default)]
    days: String,
}

async fn set_delay(
    State(state): State<AppState>,
    signed: SignedIn,
    Form(form): Form<DelayForm>,
) -> Result<Response, PageError> {
    require(&signed, Act::ManageUpdates)?;
    match Delay::parse(&form.days) {
        Ok(delay) => {
            acts::set_delay(&state, &signed.who, delay).await?;
            Ok(see("/updates?done=delay-set"))
        }
        Err(error) => refuse(&state, &signed, vec![FieldError::new("days", format!("Give {error}."))]).await,
    }
}

async fn begin(
    State(state): State<AppState>,
    signed: SignedIn,
    Path(version): Path<String>,
) -> Result<Response, PageError> {
    require(&signed, Act::ManageUpdates)?;
    match acts::begin(&state, &signed.who, &version).await {
        Ok(()) => Ok(see("/updates?done=rollout-begun")),
        Err(error) => refuse(&state, &signed, field_errors(error)?).await,
    }
}

async fn refuse(state: &AppState, signed: &SignedIn, errors: Vec<FieldError>) -> Result<Response, PageError> {
    Ok(page_with(StatusCode::UNPROCESSABLE_ENTITY, &draw(state, signed, errors).await?))
}
