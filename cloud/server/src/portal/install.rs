//! The page that installs an agent: a one-time token, the line to run, and a panel that turns green by itself.

use askama::Template;
use axum::{
    Form,
    extract::{Path, Query, State},
    response::Response,
};
use chrono::{DateTime, TimeDelta, Utc};
use rollcall_domain::{agent::is_silent, role::Act};
use rollcall_store::{
    agents::{self, Agent},
    directories::{self, Directory},
    enrol_tokens::{self, EnrolToken},
    imports,
};
use serde::Deserialize;

use super::{
    answer::{PageError, page, see},
    customer::{AgentLine, agent_line},
    customer_head::{CustomerHead, Opened, Place, Tab, open},
    guard::{Done, SignedIn, require},
    pages::Pages,
    view::{Frame, Link, Moment, Pill, Step, StepState, Tone, Trouble, grouped},
};
use crate::{
    services::{
        installing::{self, Way},
        reach,
        tokens::{self, Issued},
    },
    state::AppState,
};

pub fn routes() -> Pages {
    Pages::new()
        .get("/c/{slug}/agent", show)
        .post("/c/{slug}/agent/token", make_token)
        .post("/c/{slug}/agent/token/{token}/revoke", revoke_token)
}

/// A token that was made just now; it is shown once.
#[derive(Debug, Clone)]
pub struct NewToken {
    pub expires: Moment,
}

/// The installer to download, the same for every customer.
#[derive(Debug, Clone)]
pub struct MsiLink {
    pub size: String,
    pub sha256: String,
}

#[derive(Debug, Clone)]
pub struct TokenRow {
    pub id: String,
    pub created: Moment,
    pub by: String,
    pub state: Pill,
    pub note: String,
    pub can_revoke: bool,
}

#[derive(Debug, Template)]
#[template(path = "install.html")]
pub struct InstallPage {
    pub frame: Frame,
    pub customer: CustomerHead,
    pub token: Option<NewToken>,
    pub ways: Vec<Way>,
    pub may_install: bool,
    pub msi: Option<MsiLink>,
    pub open_tokens: Vec<TokenRow>,
    pub live_title: &'static str,
    pub steps: Vec<Step>,
    pub trouble: Option<Trouble>,
    pub public_host: String,
    pub agents: Vec<AgentLine>,
}

async fn show(
    State(state): State<AppState>,
    signed: SignedIn,
    Path(slug): Path<String>,
    Query(done): Query<Done>,
) -> Result<Response, PageError> {
    let mut opened = open(&state, &signed, &slug, Place::tab(Tab::Agent, "Agent")).await?;
    opened.frame.notice = done.notice();
    draw(&state, &signed, opened, None).await
}

#[derive(Debug, Deserialize)]
struct NewTokenForm {
    hours: i64,
}

/// The answer shows the token itself: it is kept nowhere, so no other page could.
async fn make_token(
    State(state): State<AppState>,
    signed: SignedIn,
    Path(slug): Path<String>,
    Form(form): Form<NewTokenForm>,
) -> Result<Response, PageError> {
    require(&signed, Act::InstallAgent)?;
    let (_, customer) = reach::customer_by_slug(&state, &signed.who, &slug).await?;
    let life = TimeDelta::try_hours(form.hours);
    let issued = tokens::issue(&state, &signed.who, customer.id, life).await?;
    let opened = open(&state, &signed, &slug, Place::tab(Tab::Agent, "Agent")).await?;
    draw(&state, &signed, opened, Some(&issued)).await
}

async fn revoke_token(
    State(state): State<AppState>,
    signed: SignedIn,
    Path((slug, token)): Path<(String, String)>,
) -> Result<Response, PageError> {
    require(&signed, Act::InstallAgent)?;
    let (_, customer) = reach::customer_by_slug(&state, &signed.who, &slug).await?;
    let token = token.parse()?;
    tokens::revoke(&state, &signed.who, customer.id, token).await?;
    Ok(see(&format!("/c/{slug}/agent?done=token-revoked")))
}

async fn draw(
    state: &AppState,
    signed: &SignedIn,
    opened: Opened,
    issued: Option<&Issued>,
) -> Result<Response, PageError> {
    let Opened { scope, mut tx, overview: _, health: _, mut frame, customer, now } = opened;
    let tokens = enrol_tokens::list(&mut tx, &scope, 10).await?;
    let all_agents = agents::list(&mut tx, &scope).await?;
    let directories = directories::list(&mut tx, &scope).await?;
    frame.refresh_without_script = issued.is_none().then_some(5);
    let newest = all_agents.iter().find(|agent| agent.revoked_at.is_none());
    let msi = state.installer.find(state.now()).await;
    let sha256 = msi.as_ref().map(|msi| msi.sha256.as_str());
    let chosen = imports::list(&mut tx, &scope).await?;
    let steps = steps(&tokens, newest, &directories, now);
    let steps = if chosen.is_empty() { with_next(steps, &customer.slug) } else { steps };
    let is_ready = steps.iter().all(|step| step.state == StepState::Done);
    let is_begun = steps.iter().any(|step| step.state == StepState::Done);
    Ok(page(&InstallPage {
        token: issued.map(|issued| NewToken { expires: Moment::exact(issued.expires_at) }),
        ways: issued.map(|issued| installing::ways(&state.public_url, &issued.token, sha256)).unwrap_or_default(),
        may_install: signed.may(Act::InstallAgent),
        msi: msi.as_ref().map(|msi| MsiLink { size: size(msi.bytes.len()), sha256: msi.sha256.clone() }),
        open_tokens: tokens.iter().map(|token| token_row(token, now)).collect(),
        live_title: if is_ready {
            "Connected"
        } else if is_begun {
            "Waiting for the agent"
        } else {
            "What will happen here"
        },
        trouble: newest.and_then(|agent| super::agent::trouble(agent, &customer.slug, now)),
        public_host: state.public_url.split_once("://").map_or(&*state.public_url, |(_, host)| host).to_owned(),
        agents: all_agents.iter().map(|agent| agent_line(agent, now)).collect(),
        steps,
        frame,
        customer,
    }))
}

/// `5.4 MB`
fn size(bytes: usize) -> String {
    let tenths = bytes / 100_000;
    format!("{}.{} MB", tenths / 10, tenths % 10)
}

fn token_row(token: &EnrolToken, now: DateTime<Utc>) -> TokenRow {
    let (state, note) = if token.used_at.is_some() {
        (Pill::new(Tone::Good, "Used"), String::new())
    } else if token.revoked_at.is_some() {
        (Pill::new(Tone::Calm, "Revoked").with_icon("x"), String::new())
    } else if token.expires_at <= now {
        (Pill::new(Tone::Calm, "Expired").with_icon("clock"), String::new())
    } else {
        let minutes = (token.expires_at - now).num_minutes();
        let left = if minutes < 90 { format!("{minutes} min left") } else { format!("{} h left", minutes / 60) };
        (Pill::new(Tone::Info, "Open").with_icon("key-round"), left)
    };
    TokenRow {
        id: token.id.to_string(),
        created: Moment::new(token.created_at, now),
        by: token.created_by.clone(),
        can_revoke: token.used_at.is_none() && token.revoked_at.is_none() && token.expires_at > now,
        state,
        note,
    }
}

/// One thing that happens on the way to the first people seen: whether it has, its name, and what to say of it.
type Milestone = (bool, &'static str, String);

fn milestones(
    tokens: &[EnrolToken],
    agent: Option<&Agent>,
    directory: Option<&Directory>,
    seen: i64,
    now: DateTime<Utc>,
) -> [Milestone; 4] {
    let is_open = |token: &EnrolToken| token.used_at.is_none() && token.revoked_at.is_none() && token.expires_at > now;
    let of_token = if agent.is_some() { "Used." } else { "It works once." };
    let of_agent = agent.map_or_else(
        || "The agent shows its key and the token.".to_owned(),
        |agent| format!("{}, {}", agent.hostname, agent.os),
    );
    let of_directory = directory.map_or_else(
        || "It finds a domain controller and checks its certificate.".to_owned(),
        |directory| {
            let way = agent.and_then(|agent| agent.transport.clone()).unwrap_or_default();
            format!("{}: {way} to {}", directory.dns_name, directory.dc_host.clone().unwrap_or_default())
        },
    );
    let of_people = match seen {
        0 => "It counts, and sends nobody yet.".to_owned(),
        seen => format!("{} people", grouped(seen)),
    };
    [
        (agent.is_some() || tokens.iter().any(is_open), "Token made", of_token.to_owned()),
        (agent.is_some(), "Agent enrolled", of_agent),
        (directory.is_some(), "Directory reached", of_directory),
        (seen > 0, "People seen", of_people),
    ]
}

/// The first that has not happened is under way; before there is a token nothing is.
fn steps(tokens: &[EnrolToken], agent: Option<&Agent>, directories: &[Directory], now: DateTime<Utc>) -> Vec<Step> {
    let seen: i64 = directories.iter().map(|directory| directory.people_seen).sum();
    let milestones = milestones(tokens, agent, directories.first(), seen, now);
    let is_begun = milestones[0].0;
    let is_silent = agent.is_some_and(|agent| is_silent(agent.last_seen_at, now));
    let mut is_next = is_begun;
    let mut steps: Vec<Step> = Vec::with_capacity(milestones.len());
    for (has_happened, what, detail) in milestones {
        let state = match (has_happened, is_next) {
            (true, _) => StepState::Done,
            (false, true) if is_silent => StepState::Failed,
            (false, true) => StepState::Doing,
            (false, false) => StepState::Open,
        };
        is_next = is_next && has_happened;
        steps.push(Step::new(state, what, detail));
    }
    steps
}

/// Who has seen people and chosen none is shown the way.
fn with_next(mut steps: Vec<Step>, slug: &str) -> Vec<Step> {
    if let Some(last) = steps.pop() {
        steps.push(match last.state {
            StepState::Done => last.with(Link::to("Choose people", format!("/c/{slug}/imports/add")).primary()),
            StepState::Open | StepState::Doing | StepState::Failed => last,
        });
    }
    steps
}
