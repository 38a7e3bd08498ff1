//! One agent: its health as it last told it, who it is, and the way to retire it.

use std::collections::HashMap;

use askama::Template;
use axum::{
    Form,
    extract::{Path, Query, State},
    response::Response,
};
use chrono::{DateTime, Utc};
use rollcall_domain::{
    agent::{AgentState, is_silent},
    ids::AgentId,
    role::Act,
};
use rollcall_protocol::{
    catalogue,
    checkin::{Clearing, Problem},
};
use rollcall_store::{
    agent_keys,
    agents::{self as store, Agent},
    customers, imports, restores,
};
use serde::Deserialize;
use uuid::Uuid;

use super::{
    answer::{PageError, page, see},
    bundles::BundleLine,
    ceiling::CeilingView,
    customer_head::{CustomerHead, Place, Tab, open},
    guard::{Done, SignedIn, require},
    pages::Pages,
    person::Fact,
    states,
    view::{Frame, Link, Moment, Pill, Tone, Trouble, grouped},
};
use crate::{
    services::{
        agents, bundles,
        clearings::{self, Meant},
        reach, told,
    },
    state::AppState,
};

pub fn routes() -> Pages {
    Pages::new()
        .get("/agents/{agent}", show)
        .post("/agents/{agent}/revoke", revoke)
        .post("/agents/{agent}/release", release)
        .post("/agents/{agent}/rotate", rotate)
        .post("/agents/{agent}/accept-clearing", accept_clearing)
}

#[derive(Debug, Template)]
#[template(path = "agent.html")]
pub struct AgentPage {
    pub frame: Frame,
    pub customer: CustomerHead,
    pub here: String,
    pub host: String,
    pub state: Pill,
    pub troubles: Vec<Trouble>,
    pub health: Vec<Fact>,
    pub last_seen: Option<Moment>,
    pub retired: Option<Moment>,
    /// When it was noticed, lately, that this agent knows more than the database does.
    pub outlived_restore: Option<Moment>,
    pub identity: Vec<Fact>,
    pub enrolled: Moment,
    /// `None` until the agent has told it.
    pub ceiling: Option<CeilingView>,
    /// Only for those who may ask for one.
    pub bundles: Option<BundleShelf>,
    pub may_revoke: bool,
    pub may_release: bool,
    pub may_rotate: bool,
    /// Attributes that vanished from many people at once, and wait for a human.
    pub clearings: Vec<Lost>,
    pub may_accept: bool,
}

/// One of them, in words.
#[derive(Debug, Clone)]
pub struct Lost {
    pub attribute: String,
    /// What is sent when the line is ticked.
    pub tick: String,
    pub sentence: String,
}

/// The support bundles of this agent.
#[derive(Debug, Clone)]
pub struct BundleShelf {
    pub lines: Vec<BundleLine>,
    pub is_awaited: bool,
    pub may_ask: bool,
}

/// Everything that is wrong with an agent, worst first.
fn troubles(agent: &Agent, slug: &str, now: DateTime<Utc>) -> Vec<Trouble> {
    let first = trouble(agent, slug, now);
    let is_told = |code: &str| first.as_ref().is_some_and(|first| first.code == code);
    let others = told::problems(agent).into_iter().filter(|problem| !is_told(&problem.code));
    let others: Vec<Trouble> = match (agent.state, &first) {
        // One that is gone or stopped tells nothing new.
        (AgentState::Revoked | AgentState::Quarantined, _) | (_, None) => Vec::new(),
        (AgentState::Active | AgentState::Standby, Some(_)) => others.map(|told| told_trouble(&told, now)).collect(),
    };
    first.into_iter().chain(others).collect()
}

fn told_trouble(told: &Problem, now: DateTime<Utc>) -> Trouble {
    let fix = catalogue::find(&told.code).and_then(|fault| fault.fix.first().copied()).unwrap_or_default();
    Trouble {
        tone: Tone::Warn,
        title: states::title_of(&told.code),
        detail: Some([told.detail.as_str(), fix].join(" ").trim().to_owned()),
        since: Moment::new(told.since, now),
        action: Link::to("Read what to do", format!("/docs/codes#{}", told.code.to_lowercase())),
        code: told.code.clone(),
    }
}

/// What is wrong with an agent, worst first; `None` if it is well.
pub fn trouble(agent: &Agent, slug: &str, now: DateTime<Utc>) -> Option<Trouble> {
    let of = |tone, fault: &catalogue::Fault, since, label: &str, href: String| Trouble {
        tone,
        code: fault.code.to_owned(),
        title: fault.title.to_owned(),
        detail: Some(fault.cause.to_owned()),
        since: Moment::new(since, now),
        action: Link::to(label, href),
    };
    let own_page = format!("/agents/{}", agent.id);
    match agent.state {
        AgentState::Revoked => return None,
        AgentState::Quarantined => {
            let since = agent.quarantined_at.unwrap_or(agent.enrolled_at);
            return Some(of(Tone::Bad, &catalogue::AGENT_CLONED, since, "Decide", format!("{own_page}#decide")));
        }
        AgentState::Active | AgentState::Standby => {}
    }
    if is_silent(agent.last_seen_at, now) {
        let since = agent.last_seen_at.unwrap_or(agent.enrolled_at);
        return Some(of(Tone::Bad, &catalogue::AGENT_SILENT, since, "Check the agent", own_page));
    }
    let code = agent.reason_code.as_ref()?;
    let fault = catalogue::find(code);
    let fix = fault.and_then(|fault| fault.fix.first().copied()).unwrap_or_default();
    let detail = [agent.reason_detail.as_deref().unwrap_or_default(), fix].join(" ").trim().to_owned();
    Some(Trouble {
        tone: Tone::Warn,
        code: code.clone(),
        title: states::title_of(code),
        detail: (!detail.is_empty()).then_some(detail),
        since: Moment::new(agent.reason_since.unwrap_or(agent.enrolled_at), now),
        action: Link::to("See the agent", format!("/c/{slug}/agent")),
    })
}

async fn show(
    State(state): State<AppState>,
    signed: SignedIn,
    Path(id): Path<String>,
    Query(done): Query<Done>,
) -> Result<Response, PageError> {
    let id: AgentId = id.parse()?;
    let (scope, agent) = reach::agent(&state, &signed.who, id).await?;
    let slug = {
        let mut tx = state.db.read(&scope.customer()).await?;
        customers::get(&mut tx, &scope.customer()).await?.slug
    };
    let place = Place::tab(Tab::Agent, &agent.hostname).below("Agent", format!("/c/{slug}/agent"));
    let mut opened = open(&state, &signed, &slug, place).await?;
    opened.frame.notice = done.notice();
    let keys = agent_keys::list(&mut opened.tx, &scope).await?;
    let restored = restores::find(&mut opened.tx, id).await?;
    let vanished = clearings::list(&mut opened.tx, &agent).await?;
    let listed = imports::list_with_ended(&mut opened.tx, &scope.customer()).await?;
    let names = listed.into_iter().map(|import| (import.id.uuid(), import.name)).collect();
    let now = opened.now;
    let shelf = if signed.may(Act::InstallAgent) { Some(shelf(&state, &signed, &agent, now).await?) } else { None };
    Ok(page(&AgentPage {
        here: format!("/agents/{id}"),
        host: agent.hostname.clone(),
        state: states::agent(&agent, now),
        troubles: troubles(&agent, &slug, now),
        health: health_facts(&agent),
        last_seen: agent.last_seen_at.map(|at| Moment::new(at, now)),
        retired: agent.revoked_at.map(|at| Moment::new(at, now)),
        outlived_restore: restored.filter(|at| now - *at < restores::NEWS_FOR).map(|at| Moment::new(at, now)),
        identity: identity_facts(&agent, &keys),
        enrolled: Moment::new(agent.enrolled_at, now),
        ceiling: told::ceiling(&agent).map(CeilingView::of),
        bundles: shelf,
        may_revoke: signed.may(Act::RevokeAgent) && agent.state != AgentState::Revoked,
        clearings: vanished.into_iter().map(|clearing| lost(clearing, &names)).collect(),
        may_accept: signed.may(Act::DecideHeldRemovals),
        may_release: signed.may(Act::RevokeAgent) && agent.state == AgentState::Quarantined,
        may_rotate: signed.may(Act::RevokeAgent) && matches!(agent.state, AgentState::Active | AgentState::Standby),
        frame: opened.frame,
        customer: opened.customer,
    }))
}

async fn shelf(
    state: &AppState,
    signed: &SignedIn,
    agent: &Agent,
    now: DateTime<Utc>,
) -> Result<BundleShelf, PageError> {
    let shelf = bundles::list(state, &signed.who, agent.id).await?;
    Ok(BundleShelf {
        lines: shelf.bundles.iter().map(|bundle| BundleLine::of(bundle, now)).collect(),
        is_awaited: shelf.is_awaited,
        may_ask: matches!(agent.state, AgentState::Active | AgentState::Standby),
    })
}

fn lost(clearing: Clearing, names: &HashMap<Uuid, String>) -> Lost {
    let (people, of) = (grouped(count(clearing.people)), grouped(count(clearing.of)));
    let whose = clearing.import.and_then(|import| names.get(&import)).map(|name| format!(" of {name}"));
    Lost {
        sentence: format!("{people} of {of} people{} lost it", whose.unwrap_or_default()),
        tick: write_tick(&clearing),
        attribute: clearing.attribute,
    }
}

fn count(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn health_facts(agent: &Agent) -> Vec<Fact> {
    let unknown = || "not yet".to_owned();
    let clock = agent.clock_skew_ms.map_or_else(unknown, |millis| match millis {
        -999..=999 => "right".to_owned(),
        late if late > 0 => format!("{} s behind", late / 1000),
        early => format!("{} s ahead", -early / 1000),
    });
    let wanted = match (agent.applied_version, agent.handed_version, agent.desired_version) {
        (applied, _, desired) if applied >= desired => "in force",
        (_, handed, desired) if handed >= desired => "handed out",
        (_, _, _) => "on their way",
    };
    vec![
        Fact::new("Domain controller", agent.dc_host.clone().unwrap_or_else(unknown)),
        Fact::new("Transport", agent.transport.clone().unwrap_or_else(unknown)),
        Fact::new("Clock", clock),
        Fact::new("Waiting to be sent", format!("{} batches", agent.queued)),
        Fact::new("Settings", wanted),
        Fact::new("Check-ins", grouped(agent.checkins)),
    ]
}

fn identity_facts(agent: &Agent, keys: &[agent_keys::ShownKey]) -> Vec<Fact> {
    let fingerprint = keys.first().map(|key| {
        let pairs: Vec<String> = key.kid.iter().take(16).map(|byte| format!("{byte:02X}")).collect();
        format!("SHA256 {}", pairs.join(":"))
    });
    vec![
        Fact::new("Version", agent.version.clone()),
        Fact::new("System", agent.os.clone()),
        Fact::new("Key", fingerprint.unwrap_or_default()).mono(),
        Fact::new(
            "Key made",
            keys.first().map(|key| key.created_at.format("%-d %b %Y").to_string()).unwrap_or_default(),
        ),
        Fact::new("Chain", format!("epoch {}, next number {}", agent.epoch, agent.next_seq)),
        Fact::new("Id", agent.id.to_string()).mono(),
    ]
}

#[derive(Debug, Deserialize)]
struct Confirmation {
    confirm: String,
}

async fn revoke(
    State(state): State<AppState>,
    signed: SignedIn,
    Path(id): Path<String>,
    Form(form): Form<Confirmation>,
) -> Result<Response, PageError> {
    require(&signed, Act::RevokeAgent)?;
    let id: AgentId = id.parse()?;
    let (_, agent): (_, store::Agent) = reach::agent(&state, &signed.who, id).await?;
    if !form.confirm.trim().eq_ignore_ascii_case(&agent.hostname) {
        return Err(PageError::Odd(format!("Type {} to confirm.", agent.hostname)));
    }
    agents::revoke(&state, &signed.who, id).await?;
    Ok(see(&format!("/agents/{id}?done=agent-retired")))
}

/// A line of the list: the attribute, of how many people the page shows it gone, and whose.
fn write_tick(clearing: &Clearing) -> String {
    let import = clearing.import.map(|import| import.to_string());
    format!("{}:{}:{}", clearing.attribute, clearing.people, import.unwrap_or_default())
}

fn read_tick(value: &str) -> Meant {
    let mut parts = value.split(':');
    let mut next = || parts.next().unwrap_or_default();
    let (attribute, seen, import) = (next().to_owned(), next().parse().unwrap_or(0), next().parse().ok());
    Meant { attribute, import, seen: Some(seen) }
}

/// Pairs, since each ticked attribute is a field of the same name.
async fn accept_clearing(
    State(state): State<AppState>,
    signed: SignedIn,
    Path(id): Path<String>,
    Form(pairs): Form<Vec<(String, String)>>,
) -> Result<Response, PageError> {
    require(&signed, Act::DecideHeldRemovals)?;
    let id: AgentId = id.parse()?;
    let meant: Vec<Meant> =
        pairs.iter().filter(|(key, _)| key == "attribute").map(|(_, value)| read_tick(value)).collect();
    if meant.is_empty() {
        return Err(PageError::Odd("Tick what was cleared on purpose.".to_owned()));
    }
    clearings::accept(&state, &signed.who, id, &meant).await?;
    Ok(see(&format!("/agents/{id}?done=clearing-accepted")))
}

async fn release(
    State(state): State<AppState>,
    signed: SignedIn,
    Path(id): Path<String>,
) -> Result<Response, PageError> {
    require(&signed, Act::RevokeAgent)?;
    let id: AgentId = id.parse()?;
    agents::release(&state, &signed.who, id).await?;
    Ok(see(&format!("/agents/{id}?done=agent-released")))
}

async fn rotate(
    State(state): State<AppState>,
    signed: SignedIn,
    Path(id): Path<String>,
) -> Result<Response, PageError> {
    require(&signed, Act::RevokeAgent)?;
    let id: AgentId = id.parse()?;
    agents::rotate_key(&state, &signed.who, id).await?;
    Ok(see(&format!("/agents/{id}?done=key-asked")))
}
