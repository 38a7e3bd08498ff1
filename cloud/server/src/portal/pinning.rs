//! Updates at one customer: which version each agent runs, and whether they go with the others or stay at one.

use std::cmp::Reverse;

use askama::Template;
use axum::{
    Form,
    extract::{Path, Query, State},
    http::StatusCode,
    response::Response,
};
use rollcall_domain::{role::Act, rollout::UpdateState};
use rollcall_protocol::update::Version;
use rollcall_store::{
    agents,
    updates::{asked, pins},
};
use serde::Deserialize;

use super::{
    answer::{PageError, field_errors, page_with, see},
    customer_head::{CustomerHead, Place, Tab, open},
    delaying::{UpcomingRow, list_upcoming},
    guard::{Done, SignedIn, require},
    pages::Pages,
    view::{FieldError, Frame, Moment, Notice, Pill, Tone},
};
use crate::{
    releases::Shelf,
    services::{reach, updates as acts},
    state::AppState,
};

pub fn routes() -> Pages {
    Pages::new().get("/c/{slug}/updates", show).post("/c/{slug}/updates", pin)
}

#[derive(Debug, Clone)]
pub struct AgentRow {
    pub host: String,
    pub href: String,
    pub version: String,
    /// What became of the last version it was asked for.
    pub update: Option<(Pill, String)>,
}

#[derive(Debug, Template)]
#[template(path = "pinning.html")]
pub struct PinningPage {
    pub frame: Frame,
    pub customer: CustomerHead,
    pub errors: Vec<FieldError>,
    pub agents: Vec<AgentRow>,
    /// Version, by whom, when.
    pub pinned: Option<(String, String, Moment)>,
    /// What these agents wait for, unless they are pinned.
    pub upcoming: Vec<UpcomingRow>,
    pub versions: Vec<String>,
    pub may_manage: bool,
}

async fn show(
    State(state): State<AppState>,
    signed: SignedIn,
    Path(slug): Path<String>,
    Query(done): Query<Done>,
) -> Result<Response, PageError> {
    Ok(page_with(StatusCode::OK, &draw(&state, &signed, &slug, done.notice(), vec![]).await?))
}

async fn draw(
    state: &AppState,
    signed: &SignedIn,
    slug: &str,
    notice: Option<Notice>,
    errors: Vec<FieldError>,
) -> Result<PinningPage, PageError> {
    require(signed, Act::ViewCustomers)?;
    // Before the transaction: a folder on a share may take its time.
    let shelf = state.releases.shelf(state.now()).await;
    let mut opened = open(state, signed, slug, Place::tab(Tab::Agent, "Updates")).await?;
    opened.frame.notice = notice;
    opened.frame.refresh_without_script = None;
    let now = opened.now;
    let (mut rows, mut platforms) = (Vec::new(), Vec::new());
    for agent in agents::list(&mut opened.tx, &opened.scope).await? {
        if agent.revoked_at.is_some() {
            continue;
        }
        let asked = asked::find_of_agent(&mut opened.tx, agent.id).await?;
        rows.push(AgentRow {
            href: format!("/agents/{}", agent.id),
            host: agent.hostname,
            version: agent.version,
            update: asked.map(|asked| (pill_of(&asked), asked.detail.unwrap_or_default())),
        });
        platforms.extend(agent.platform);
    }
    let pinned = pins::find(&mut opened.tx, &opened.scope).await?;
    let mut upcoming = if pinned.is_some() { Vec::new() } else { list_upcoming(&mut opened.tx, &shelf, now).await? };
    upcoming.retain(|one| platforms.contains(&one.platform));
    let mut versions: Vec<String> = match &*shelf {
        Shelf::Open(stock) => stock.versions().into_iter().map(ToString::to_string).collect(),
        Shelf::None | Shelf::Unusable(_) => Vec::new(),
    };
    versions.extend(rows.iter().map(|row| row.version.clone()));
    versions.extend(pinned.iter().map(|pin| pin.version.clone()));
    Ok(PinningPage {
        errors,
        agents: rows,
        pinned: pinned.map(|pin| (pin.version, pin.pinned_by, Moment::new(pin.pinned_at, now))),
        upcoming,
        versions: newest_first(versions),
        may_manage: signed.may(Act::ManageUpdates),
        frame: opened.frame,
        customer: opened.customer,
    })
}

/// Each once. 0.10.0 is newer than 0.9.0; what is no version comes last.
fn newest_first(mut versions: Vec<String>) -> Vec<String> {
    versions.sort_by_cached_key(|text| (Reverse(text.parse::<Version>().ok()), text.clone()));
    versions.dedup();
    versions
}

fn pill_of(asked: &asked::AgentUpdate) -> Pill {
    let version = &asked.version;
    match asked.state {
        UpdateState::Offered => Pill::new(Tone::Info, format!("Asked for {version}")),
        UpdateState::Updated => Pill::new(Tone::Good, format!("Updated to {version}")),
        UpdateState::Refused => Pill::new(Tone::Warn, format!("Refused {version}")),
        UpdateState::TakenBack => Pill::new(Tone::Bad, format!("Went back from {version}")).with_icon("history"),
    }
}

/// Empty: with the others.
#[derive(Debug, Deserialize)]
struct PinForm {
    #[serde(default)]
    version: String,
}

async fn pin(
    State(state): State<AppState>,
    signed: SignedIn,
    Path(slug): Path<String>,
    Form(form): Form<PinForm>,
) -> Result<Response, PageError> {
    require(&signed, Act::ManageUpdates)?;
    let (_, customer) = reach::customer_by_slug(&state, &signed.who, &slug).await?;
    let version = Some(form.version.as_str()).filter(|version| !version.is_empty());
    match acts::pin(&state, &signed.who, customer.id, version).await {
        Ok(()) => Ok(see(&format!("/c/{slug}/updates?done=pinned"))),
        Err(error) => {
            let view = draw(&state, &signed, &slug, None, field_errors(error)?).await?;
            Ok(page_with(StatusCode::UNPROCESSABLE_ENTITY, &view))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_stand_in_the_order_of_their_numbers() {
        let versions = ["0.9.0", "0.10.0", "unknown", "0.9.0", "1.0.0"].map(str::to_owned).to_vec();
        assert_eq!(newest_first(versions), ["1.0.0", "0.10.0", "0.9.0", "unknown"]);
    }
}
