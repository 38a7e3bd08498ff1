//! All agents of all customers, with what is wrong with each.

use askama::Template;
use axum::{
    extract::{Query, State},
    response::Response,
};
use chrono::{DateTime, Utc};
use rollcall_domain::{
    agent::{AgentState, is_silent},
    role::Act,
};
use rollcall_store::{across, agents::Agent};
use serde::Deserialize;

use super::{
    answer::{PageError, page},
    cursor,
    guard::{SignedIn, require},
    pages::Pages,
    runs::Chip,
    states,
    view::{Frame, Moment, Pager, Pill, Section, pager::Query as Address},
};
use crate::state::AppState;

pub fn routes() -> Pages {
    Pages::new().get("/agents", show)
}

#[derive(Debug, Clone)]
pub struct AgentRow {
    pub href: String,
    pub host: String,
    pub customer: String,
    pub customer_href: String,
    pub state: Pill,
    pub reason: String,
    pub dc: String,
    pub transport: String,
    pub version: String,
    pub last_seen: Option<Moment>,
}

#[derive(Debug, Template)]
#[template(path = "agents.html")]
pub struct AgentsPage {
    pub frame: Frame,
    pub here: String,
    pub chips: Vec<Chip>,
    pub rows: Vec<AgentRow>,
    pub pager: Pager,
}

#[derive(Debug, Deserialize)]
struct Asked {
    #[serde(default)]
    state: String,
    #[serde(default)]
    after: String,
}

const PAGE: i64 = 100;
/// With a filter, so many are looked at for one page.
const LOOKED_AT: i64 = 5_000;

fn matches_filter(filter: &str, agent: &Agent, now: DateTime<Utc>) -> bool {
    let is_offline = is_silent(agent.last_seen_at, now);
    match filter {
        "online" => !is_offline && agent.state != AgentState::Quarantined,
        "offline" => is_offline,
        "attention" => agent.reason_code.is_some() || agent.state == AgentState::Quarantined,
        _ => true,
    }
}

async fn show(
    State(state): State<AppState>,
    signed: SignedIn,
    Query(asked): Query<Asked>,
) -> Result<Response, PageError> {
    require(&signed, Act::ViewCustomers)?;
    let now = state.now();
    let mut tx = state.db.read(&signed.who.scope).await?;
    let limit = if asked.state.is_empty() { PAGE } else { LOOKED_AT };
    let found = across::list_agents(&mut tx, &signed.who.scope, cursor::read(&asked.after), limit).await?;
    let mut frame = signed.frame(&mut tx, "Agents", Section::Agents).await?;
    frame.live = Some("/events".into());
    let base = Address::new("/agents").with("state", &asked.state);
    let chip = |label: &str, state: &str| Chip {
        label: label.to_owned(),
        href: Address::new("/agents").with("state", state).address(),
        here: asked.state == state,
    };
    let place = |of: &across::Of<Agent>| cursor::write(&(&of.row.hostname, of.row.id));
    Ok(page(&AgentsPage {
        frame,
        here: base.with("after", &asked.after).address(),
        chips: vec![
            chip("All", ""),
            chip("Online", "online"),
            chip("Offline", "offline"),
            chip("Attention", "attention"),
        ],
        pager: Pager::of(&base, &asked.after, &found, limit, place),
        rows: found
            .into_iter()
            .filter(|of| matches_filter(&asked.state, &of.row, now))
            .map(|of| row_of(of, now))
            .collect(),
    }))
}

fn row_of(of: across::Of<Agent>, now: DateTime<Utc>) -> AgentRow {
    let agent = of.row;
    AgentRow {
        href: format!("/agents/{}", agent.id),
        customer: of.customer_name,
        customer_href: format!("/c/{}", of.customer_slug),
        state: states::agent(&agent, now),
        reason: agent.reason_code.as_ref().map(|code| format!("{code} {}", states::title_of(code))).unwrap_or_default(),
        last_seen: agent.last_seen_at.map(|at| Moment::new(at, now)),
        host: agent.hostname,
        dc: agent.dc_host.unwrap_or_default(),
        transport: agent.transport.unwrap_or_default(),
        version: agent.version,
    }
}
