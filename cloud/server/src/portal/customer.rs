//! One customer: its state as a sentence, its imports, its agent and its newest runs.

use askama::Template;
use axum::{
    extract::{Path, Query, State},
    response::Response,
};
use chrono::{DateTime, TimeDelta, Utc};
use rollcall_domain::{health, role::Act};
use rollcall_store::{
    agents::{self, Agent},
    directories, imports, memberships, runs,
};

use super::{
    answer::{PageError, page, see},
    customer_head::{CustomerHead, Opened, Place, Tab, open},
    dashboard::Tile,
    guard::{Done, SignedIn, require},
    imports::{Members, chosen_of},
    pages::Pages,
    runs::{RunRow, row_of},
    states,
    view::{Frame, Link, Moment, Pill, Step, StepState, Trouble, grouped},
};
use crate::{
    services::{
        ServiceError,
        agents::{self as agent_acts, Ask},
        pauses::{self, Target},
        reach,
    },
    state::AppState,
};

pub fn routes() -> Pages {
    Pages::new().get("/c/{slug}", show).post("/c/{slug}/sync", sync).post("/c/{slug}/resume", resume)
}

/// The newest good run as a sentence.
#[derive(Debug, Clone)]
pub struct LastSync {
    pub at: Moment,
    pub sentence: String,
}

#[derive(Debug, Clone)]
pub struct ImportLine {
    pub name: String,
    pub href: String,
    pub schedule: String,
    pub chosen: String,
    pub people: i64,
    pub state: Pill,
}

#[derive(Debug, Clone)]
pub struct AgentLine {
    pub host: String,
    pub href: String,
    pub detail: String,
    pub last_seen: Option<Moment>,
    pub state: Pill,
}

#[derive(Debug, Template)]
#[template(path = "customer.html")]
pub struct CustomerPage {
    pub frame: Frame,
    pub customer: CustomerHead,
    pub can_sync: bool,
    pub last_sync: Option<LastSync>,
    pub next_sync: Option<Moment>,
    pub not_yet: &'static str,
    pub running: Option<String>,
    pub troubles: Vec<Trouble>,
    pub progress: Vec<Step>,
    pub tiles: Vec<Tile>,
    pub imports: Vec<ImportLine>,
    pub imports_why_empty: &'static str,
    pub agents: Vec<AgentLine>,
    pub runs: Vec<RunRow>,
    pub runs_of_all: bool,
}

async fn show(
    State(state): State<AppState>,
    signed: SignedIn,
    Path(slug): Path<String>,
    Query(done): Query<Done>,
) -> Result<Response, PageError> {
    let place = Place { tab: Tab::Overview, heading: None, between: vec![] };
    let mut opened = open(&state, &signed, &slug, place).await?;
    opened.frame.notice = done.notice();
    let now = opened.now;
    let newest = runs::list(&mut opened.tx, &opened.scope, None, 8).await?;
    let all_agents = agents::list(&mut opened.tx, &opened.scope).await?;
    let living: Vec<&Agent> = all_agents.iter().filter(|agent| agent.revoked_at.is_none()).collect();
    let lines = import_lines(&mut opened, now).await?;
    let seen: i64 = directories::list(&mut opened.tx, &opened.scope).await?.iter().map(|d| d.people_seen).sum();
    let last_good = newest.iter().find(|run| run.result != rollcall_domain::run::RunResult::Failed);
    let is_new = opened.overview.last_good_run_at.is_none();
    let view = CustomerPage {
        can_sync: !living.is_empty(),
        last_sync: last_good.map(|run| LastSync { at: Moment::new(run.finished_at, now), sentence: sentence(run) }),
        next_sync: next_sync(&lines, last_good.map(|run| run.finished_at), now).filter(|_| !opened.customer.is_paused),
        not_yet: if living.is_empty() { "No agent has been installed yet." } else { "No sync has finished yet." },
        running: living.iter().find_map(|agent| phase_of(agent)),
        troubles: troubles(&opened, &living, now),
        progress: if is_new { progress(&opened, &living, seen) } else { vec![] },
        tiles: if is_new { vec![] } else { tiles(&opened, seen) },
        imports: lines.into_iter().map(|(line, _)| line).collect(),
        imports_why_empty: if seen > 0 {
            "Choose who comes over."
        } else {
            "When the agent has reached the directory, choose who comes over."
        },
        agents: living.iter().map(|agent| agent_line(agent, now)).collect(),
        runs: newest.iter().map(|run| row_of(run, &slug, "", now)).collect(),
        runs_of_all: false,
        frame: opened.frame,
        customer: opened.customer,
    };
    Ok(page(&view))
}

async fn import_lines(opened: &mut Opened, now: DateTime<Utc>) -> Result<Vec<(ImportLine, i64)>, PageError> {
    let members = Members::of(memberships::count_by_state(&mut opened.tx, &opened.scope).await?);
    let slug = opened.customer.slug.clone();
    let mut lines = Vec::new();
    for import in imports::list(&mut opened.tx, &opened.scope).await? {
        let rollcall_domain::import::Schedule::Interval { minutes } = import.schedule.0;
        let line = ImportLine {
            href: format!("/c/{slug}/imports/{}", import.id),
            schedule: states::interval(minutes),
            chosen: chosen_of(&import),
            people: members.present(import.id),
            state: super::imports::pill(&import, members.held(import.id), now),
            name: import.name,
        };
        lines.push((line, i64::from(minutes)));
    }
    Ok(lines)
}

/// The shortest interval of the imports tells when the agent reads next, give or take its jitter.
fn next_sync(lines: &[(ImportLine, i64)], last: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Option<Moment> {
    let minutes = lines.iter().map(|(_, minutes)| *minutes).min()?;
    let at = last? + TimeDelta::minutes(minutes);
    (at > now).then(|| Moment::new(at, now))
}

/// What a run did, as one would say it.
pub fn sentence(run: &runs::Run) -> String {
    let counts = run.counts;
    let parts: Vec<String> = [
        (counts.added + counts.returned, "added"),
        (counts.updated, "changed"),
        (counts.departed, "departed"),
        (counts.held, "held"),
    ]
    .into_iter()
    .filter(|(count, _)| *count > 0)
    .map(|(count, what)| format!("{} {what}", grouped(count)))
    .collect();
    if parts.is_empty() { "nothing had changed.".to_owned() } else { format!("{}.", parts.join(", ")) }
}

/// What an agent is doing right now, from its last check-in.
fn phase_of(agent: &Agent) -> Option<String> {
    let phase = agent.report.as_ref()?.0.get("phase")?;
    let count = |key: &str| phase.get(key).and_then(serde_json::Value::as_i64).unwrap_or_default();
    match phase.get("is")?.as_str()? {
        "reading" => Some(format!("reading, {} so far", states::people(count("people")))),
        "pushing" => Some(format!("sending, {} to go", count("batches_left"))),
        _ => None,
    }
}

fn troubles(opened: &Opened, agents: &[&Agent], now: DateTime<Utc>) -> Vec<Trouble> {
    let slug = &opened.customer.slug;
    let is_begun = opened.overview.agents > 0 && opened.overview.imports > 0;
    let detail = match &opened.health {
        health::Health::Not { state: health::State::Paused, .. } => {
            opened.overview.customer.pause.set().map(|pause| format!("{} (by {})", pause.reason, pause.by))
        }
        health::Health::Not { reason_code, .. } => states::cause_of(reason_code),
        health::Health::Healthy { .. } => None,
    };
    // Before the first sync the checklist says the same, better.
    let own = states::trouble(&opened.health, slug, detail, now)
        .filter(|_| is_begun || opened.health.state() != health::State::NeverSynced);
    let code = own.as_ref().map(|trouble| trouble.code.clone());
    let of_agents = agents.iter().filter_map(|agent| super::agent::trouble(agent, slug, now));
    own.into_iter().chain(of_agents.filter(|trouble| Some(&trouble.code) != code.as_ref())).collect()
}

fn progress(opened: &Opened, agents: &[&Agent], seen: i64) -> Vec<Step> {
    let slug = &opened.customer.slug;
    let has_agent = !agents.is_empty();
    let has_import = opened.overview.imports > 0;
    let state = |done: bool, before: bool| match (done, before) {
        (true, _) => StepState::Done,
        (false, true) => StepState::Doing,
        (false, false) => StepState::Open,
    };
    let install = Step::new(state(has_agent, true), "Install the agent", "One line on one domain-joined server.");
    let reach = Step::new(
        state(seen > 0, has_agent),
        "Reach the directory",
        match seen {
            0 => "The agent finds a domain controller and reads the structure.".to_owned(),
            seen => format!("{} seen.", states::people(seen)),
        },
    );
    let choose =
        Step::new(state(has_import, seen > 0), "Choose who to import", "Organisational units or security groups.");
    let first = Step::new(state(false, has_import), "First sync", "Runs by itself, within a minute.");
    vec![
        if has_agent { install } else { install.with(Link::to("Install", format!("/c/{slug}/agent")).primary()) },
        reach,
        if has_import || seen == 0 {
            choose
        } else {
            choose.with(Link::to("Choose people", format!("/c/{slug}/imports/add")).primary())
        },
        first,
    ]
}

fn tiles(opened: &Opened, seen: i64) -> Vec<Tile> {
    let slug = &opened.customer.slug;
    let overview = &opened.overview;
    let tile = |label, value: i64, detail: String, icon, class, path: &str| Tile {
        label,
        value: grouped(value),
        detail,
        icon,
        class,
        href: format!("/c/{slug}{path}"),
    };
    vec![
        tile("People", overview.people, "in the imports".into(), "users", "info", "/people"),
        tile("In the directory", seen, "that the agent can see".into(), "network", "calm", "/agent"),
        tile("Imports", overview.imports, "choices of people".into(), "folder-tree", "calm", "/imports"),
        tile("Removals held", overview.held, "wait for a decision".into(), "hand", "held", "/held"),
    ]
}

pub fn agent_line(agent: &Agent, now: DateTime<Utc>) -> AgentLine {
    let way = match (&agent.transport, &agent.dc_host) {
        (Some(transport), Some(dc)) => format!("{transport} to {dc}"),
        (None, Some(dc)) => dc.clone(),
        (_, None) => "no domain controller yet".to_owned(),
    };
    AgentLine {
        host: agent.hostname.clone(),
        href: format!("/agents/{}", agent.id),
        detail: format!("{way} · version {}", agent.version),
        last_seen: agent.last_seen_at.map(|at| Moment::new(at, now)),
        state: states::agent(agent, now),
    }
}

async fn sync(
    State(state): State<AppState>,
    signed: SignedIn,
    Path(slug): Path<String>,
) -> Result<Response, PageError> {
    require(&signed, Act::SyncNow)?;
    let (_, customer) = reach::customer_by_slug(&state, &signed.who, &slug).await?;
    match agent_acts::ask(&state, &signed.who, customer.id, Ask::SyncNow).await {
        Ok(_) => Ok(see(&format!("/c/{slug}?done=sync"))),
        Err(ServiceError::Invalid { .. }) => Ok(see(&format!("/c/{slug}?done=no-agent"))),
        Err(error) => Err(error.into()),
    }
}

async fn resume(
    State(state): State<AppState>,
    signed: SignedIn,
    Path(slug): Path<String>,
) -> Result<Response, PageError> {
    require(&signed, Act::Pause)?;
    let (_, customer) = reach::customer_by_slug(&state, &signed.who, &slug).await?;
    pauses::resume(&state, &signed.who, Target::Customer(customer.id)).await?;
    Ok(see(&format!("/c/{slug}?done=resumed")))
}
