//! Updates of all agents: which versions there are, how far the newest has gone, and what did not come through.

use askama::Template;
use axum::{
    Form,
    extract::{Path, Query, State},
    http::StatusCode,
    response::Response,
};
use chrono::{DateTime, Utc};
use rollcall_domain::{
    role::{Act, Reach},
    rollout::{Delay, RolloutState, UpdateState, Window},
};
use rollcall_protocol::catalogue;
use rollcall_store::{
    Tx, customers,
    updates::{asked, delay, pins, window},
};
use serde::Deserialize;

use super::{
    answer::{PageError, field_errors, page_with, see},
    delaying::{UpcomingRow, list_upcoming},
    guard::{Done, SignedIn, require},
    pages::Pages,
    view::{FieldError, Frame, Moment, Pill, Section, Tone},
};
use crate::{
    releases::Shelf,
    services::{
        rollouts::{self, Pace, Shown},
        updates::{self as acts, Decision},
    },
    state::AppState,
};

pub fn routes() -> Pages {
    Pages::new()
        .get("/updates", show)
        .post("/updates/{version}/pause", pause)
        .post("/updates/{version}/resume", resume)
        .post("/updates/window", set_window)
}

/// The releases as the cloud finds them.
#[derive(Debug, Clone)]
pub struct Offer {
    pub tone: Tone,
    pub title: String,
    pub detail: String,
}

#[derive(Debug, Clone)]
pub struct RolloutView {
    pub version: String,
    pub platform: String,
    pub state: Pill,
    pub ring: &'static str,
    pub since: Moment,
    pub why: Option<String>,
    /// For those who reach every customer.
    pub numbers: Option<Numbers>,
    pub can_pause: bool,
    pub can_resume: bool,
}

/// What became of those who were asked.
#[derive(Debug, Clone)]
pub struct Numbers {
    pub asked: i64,
    pub updated: i64,
    pub taken_back: i64,
    pub silent: i64,
    pub left_behind: i64,
}

#[derive(Debug, Clone)]
pub struct VersionRow {
    pub version: String,
    pub agents: i64,
}

#[derive(Debug, Clone)]
pub struct FailureRow {
    pub host: String,
    pub href: String,
    pub version: String,
    pub state: Pill,
    pub detail: String,
    pub at: Option<Moment>,
}

#[derive(Debug, Clone)]
pub struct PinRow {
    pub customer: String,
    pub href: String,
    pub version: String,
    pub by: String,
    pub at: Moment,
}

#[derive(Debug, Template)]
#[template(path = "updates.html")]
pub struct UpdatesPage {
    pub frame: Frame,
    pub errors: Vec<FieldError>,
    pub offer: Offer,
    pub rollouts: Vec<RolloutView>,
    pub upcoming: Vec<UpcomingRow>,
    pub window: Option<(String, String)>,
    pub delay_days: u32,
    pub most_delay_days: u32,
    pub versions: Vec<VersionRow>,
    pub failures: Vec<FailureRow>,
    pub pins: Vec<PinRow>,
    pub may_manage: bool,
}

async fn show(
    State(state): State<AppState>,
    signed: SignedIn,
    Query(done): Query<Done>,
) -> Result<Response, PageError> {
    require(&signed, Act::ViewCustomers)?;
    let mut view = draw(&state, &signed, Vec::new()).await?;
    view.frame.notice = done.notice();
    Ok(page_with(StatusCode::OK, &view))
}

pub(super) async fn draw(
    state: &AppState,
    signed: &SignedIn,
    errors: Vec<FieldError>,
) -> Result<UpdatesPage, PageError> {
    let now = state.now();
    let shelf = state.releases.shelf(now).await;
    let scope = &signed.who.scope;
    let mut tx = state.db.read(scope).await?;
    let may_manage = signed.may(Act::ManageUpdates) && *scope.reach() == Reach::All;
    let mut frame = signed.frame(&mut tx, "Updates", Section::Agents).await?;
    frame.live = Some("/events".into());
    let mut platforms = Vec::new();
    let mut views = Vec::new();
    for shown in rollouts::list(&mut tx, scope, &shelf, now).await? {
        // One that was withdrawn began last, and is not what runs.
        let is_newest = shown.rollout.state != RolloutState::Replaced && !platforms.contains(&shown.rollout.platform);
        if is_newest {
            platforms.push(shown.rollout.platform.clone());
        }
        let may = if may_manage && is_newest { May::Decide } else { May::Look };
        views.push(view_of(shown, may, now));
    }
    let versions = asked::count_versions(&mut tx, scope).await?;
    let failures = asked::list_failures(&mut tx, scope).await?;
    Ok(UpdatesPage {
        frame,
        errors,
        offer: offer_of(&shelf),
        rollouts: views,
        upcoming: list_upcoming(&mut tx, &shelf, now).await?,
        delay_days: delay::find(&mut tx).await?.days(),
        most_delay_days: Delay::MOST_DAYS,
        window: window::find(&mut tx).await?.map(|window| (window.from(), window.to())),
        versions: versions.into_iter().map(|row| VersionRow { version: row.version, agents: row.agents }).collect(),
        failures: failures.into_iter().map(|failure| failure_row(failure, now)).collect(),
        pins: list_pins(&mut tx, signed, now).await?,
        may_manage,
    })
}

fn offer_of(shelf: &Shelf) -> Offer {
    let offer = |tone, title: &str, detail: String| Offer { tone, title: title.to_owned(), detail };
    match shelf {
        Shelf::None => offer(
            Tone::Calm,
            "No releases here",
            "This cloud has no release folder; agents are updated by other means.".into(),
        ),
        Shelf::Unusable(why) => {
            offer(Tone::Bad, &catalogue::RELEASES.to_string(), format!("Nobody is asked to update: {why}."))
        }
        Shelf::Open(stock) => {
            let newest = stock.versions().first().map_or("none".to_owned(), ToString::to_string);
            let until = stock.expires.format("%-d %b %Y");
            offer(Tone::Good, &format!("Newest release {newest}"), format!("Signed and current until {until}."))
        }
    }
}

/// Only the newest version of a platform can still be decided about.
#[derive(Debug, Clone, Copy)]
enum May {
    Look,
    Decide,
}

fn view_of(shown: Shown, may: May, now: DateTime<Utc>) -> RolloutView {
    let Shown { rollout, tally, why, pace } = shown;
    let state = match (rollout.state, pace) {
        (RolloutState::Running, Pace::Usual) => Pill::new(Tone::Info, "Running").with_icon("refresh-cw"),
        (RolloutState::Running, Pace::Late) => Pill::new(Tone::Warn, "Waits for long"),
        (RolloutState::Paused, _) => Pill::new(Tone::Calm, "Paused").with_icon("circle-pause"),
        (RolloutState::Stopped, _) => Pill::new(Tone::Bad, "Stopped by itself"),
        (RolloutState::Done, _) => Pill::new(Tone::Good, "Done"),
        (RolloutState::Replaced, _) => Pill::new(Tone::Calm, "Replaced"),
    };
    let (can_pause, can_resume) = match (may, rollout.state) {
        (May::Decide, RolloutState::Running | RolloutState::Done) => (true, false),
        (May::Decide, RolloutState::Paused | RolloutState::Stopped) => (false, true),
        (May::Decide, RolloutState::Replaced) | (May::Look, _) => (false, false),
    };
    let numbers = tally.map(|tally| Numbers {
        asked: tally.asked(),
        updated: tally.updated(),
        taken_back: tally.taken_back,
        silent: tally.silent,
        left_behind: tally.left_behind,
    });
    RolloutView {
        state,
        ring: rollout.ring.in_words(),
        since: Moment::new(rollout.ring_since, now),
        version: rollout.version,
        platform: rollout.platform,
        why,
        numbers,
        can_pause,
        can_resume,
    }
}

fn failure_row(failure: asked::Failure, now: DateTime<Utc>) -> FailureRow {
    let state = match failure.state {
        UpdateState::Refused => Pill::new(Tone::Warn, "Refused"),
        UpdateState::TakenBack => Pill::new(Tone::Bad, "Went back").with_icon("history"),
        UpdateState::Offered => Pill::new(Tone::Info, "Asked"),
        UpdateState::Updated => Pill::new(Tone::Good, "Updated"),
    };
    FailureRow {
        href: format!("/agents/{}", failure.agent_id),
        host: failure.hostname,
        version: failure.version,
        state,
        detail: failure.detail.unwrap_or_default(),
        at: failure.settled_at.map(|at| Moment::new(at, now)),
    }
}

async fn list_pins(tx: &mut Tx, signed: &SignedIn, now: DateTime<Utc>) -> Result<Vec<PinRow>, PageError> {
    let mut rows = Vec::new();
    for pin in pins::list(tx, &signed.who.scope).await? {
        if let Some((_, customer)) = customers::find(tx, &signed.who.scope, pin.customer_id).await? {
            rows.push(PinRow {
                href: format!("/c/{}/updates", customer.slug),
                customer: customer.name,
                version: pin.version,
                by: pin.pinned_by,
                at: Moment::new(pin.pinned_at, now),
            });
        }
    }
    Ok(rows)
}

#[derive(Debug, Deserialize)]
struct PauseForm {
    #[serde(default)]
    reason: String,
}

async fn pause(
    State(state): State<AppState>,
    signed: SignedIn,
    Path(version): Path<String>,
    Form(form): Form<PauseForm>,
) -> Result<Response, PageError> {
    decide(&state, &signed, &version, Decision::Pause { reason: form.reason }, "/updates?done=rollout-paused").await
}

async fn resume(
    State(state): State<AppState>,
    signed: SignedIn,
    Path(version): Path<String>,
) -> Result<Response, PageError> {
    decide(&state, &signed, &version, Decision::Resume, "/updates?done=rollout-resumed").await
}

async fn decide(
    state: &AppState,
    signed: &SignedIn,
    version: &str,
    decision: Decision,
    then: &str,
) -> Result<Response, PageError> {
    require(signed, Act::ManageUpdates)?;
    match acts::decide(state, &signed.who, version, decision).await {
        Ok(()) => Ok(see(then)),
        Err(error) => {
            let view = draw(state, signed, field_errors(error)?).await?;
            Ok(page_with(StatusCode::UNPROCESSABLE_ENTITY, &view))
        }
    }
}

/// Both empty: at any hour.
#[derive(Debug, Deserialize)]
struct WindowForm {
    #[serde(default)]
    from: String,
    #[serde(default)]
    to: String,
}

async fn set_window(
    State(state): State<AppState>,
    signed: SignedIn,
    Form(form): Form<WindowForm>,
) -> Result<Response, PageError> {
    require(&signed, Act::ManageUpdates)?;
    let is_empty = form.from.trim().is_empty() && form.to.trim().is_empty();
    let window = if is_empty { Ok(None) } else { Window::parse(form.from.trim(), form.to.trim()).map(Some) };
    match window {
        Ok(window) => {
            acts::set_window(&state, &signed.who, window).await?;
            Ok(see("/updates?done=window-set"))
        }
        Err(error) => {
            let errors = vec![FieldError::new("from", format!("Give {error}, or leave both empty."))];
            Ok(page_with(StatusCode::UNPROCESSABLE_ENTITY, &draw(&state, &signed, errors).await?))
        }
    }
}
