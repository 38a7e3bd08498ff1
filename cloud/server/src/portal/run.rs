//! One run: what it changed, for whom, what was set aside and why, and how it went step by step.

use std::collections::BTreeMap;

use askama::Template;
use axum::{
    extract::{Path, Query, State},
    response::Response,
};
use chrono::{DateTime, Utc};
use rollcall_domain::{
    ids::{AccountId, HistoryId, RunId},
    run::{RunKind, RunResult},
};
use rollcall_protocol::catalogue;
use rollcall_store::{
    history::{self, RunLine},
    runs::{self, Run, SetAside},
};
use serde::Deserialize;

use super::{
    answer::{PageError, page},
    customer_head::{CustomerHead, Place, Tab, open},
    dashboard::Tile,
    evidence,
    guard::SignedIn,
    pages::Pages,
    person::Fact,
    person_history::differences,
    states,
    view::{Frame, Link, Moment, Pager, Pill, Step, StepState, Tone, Trouble, grouped, pager::Query as Address},
};
use crate::{services::reach, state::AppState};

pub fn routes() -> Pages {
    Pages::new().get("/c/{slug}/runs/{run}", show)
}

#[derive(Debug, Clone)]
pub struct ChangeRow {
    pub href: String,
    pub name: String,
    pub what: Pill,
    pub detail: String,
}

#[derive(Debug, Clone)]
pub struct AsideLine {
    pub line: i64,
    pub guid: String,
    pub detail: String,
}

/// Records set aside for the same reason.
#[derive(Debug, Clone)]
pub struct AsideGroup {
    pub code: String,
    pub title: &'static str,
    pub lines: Vec<AsideLine>,
}

#[derive(Debug, Template)]
#[template(path = "run.html")]
pub struct RunPage {
    pub frame: Frame,
    pub customer: CustomerHead,
    pub result: Pill,
    pub troubles: Vec<Trouble>,
    pub tiles: Vec<Tile>,
    pub changes: Vec<ChangeRow>,
    pub no_changes_title: &'static str,
    pub no_changes_detail: &'static str,
    pub pager: Pager,
    pub set_aside: Vec<AsideGroup>,
    pub steps: Vec<Step>,
    pub facts: Vec<Fact>,
}

#[derive(Debug, Deserialize)]
struct Asked {
    #[serde(default)]
    after: String,
}

const PAGE: i64 = 100;

async fn show(
    State(state): State<AppState>,
    signed: SignedIn,
    Path((slug, id)): Path<(String, String)>,
    Query(asked): Query<Asked>,
) -> Result<Response, PageError> {
    let id: RunId = id.parse()?;
    let (scope, run) = reach::run(&state, &signed.who, id).await?;
    let heading = format!("Run of {}", run.finished_at.format("%-d %b %Y, %H:%M UTC"));
    let place = Place::tab(Tab::Runs, &heading).below("Runs", format!("/c/{slug}/runs"));
    let mut opened = open(&state, &signed, &slug, place).await?;
    if opened.scope != scope {
        return Err(PageError::NotFound);
    }
    let after: Option<HistoryId> = asked.after.parse().ok();
    let lines = history::list_of_run(&mut opened.tx, &scope, id, after, PAGE).await?;
    let aside = runs::list_set_aside(&mut opened.tx, id).await?;
    let base = Address::new(format!("/c/{slug}/runs/{id}"));
    let is_failed = run.result == RunResult::Failed;
    Ok(page(&RunPage {
        result: states::run(&run),
        troubles: troubles(&run, &slug, opened.now),
        tiles: if is_failed { vec![] } else { tiles(&run) },
        changes: lines.iter().map(|line| change_row(line, &slug)).collect(),
        no_changes_title: if is_failed { "Nothing was changed" } else { "Nothing had changed" },
        no_changes_detail: if is_failed {
            "An incomplete reading changes nobody."
        } else {
            "Count and digest of the set were compared."
        },
        pager: Pager::of(&base, &asked.after, &lines, PAGE, |line| line.line.id.to_string()),
        set_aside: group(aside),
        steps: steps(&run),
        facts: facts(&run),
        frame: opened.frame,
        customer: opened.customer,
    }))
}

fn troubles(run: &Run, slug: &str, now: DateTime<Utc>) -> Vec<Trouble> {
    let mut troubles = Vec::new();
    if let Some(code) = &run.reason_code {
        let cause = run.reason_detail.clone().or_else(|| states::cause_of(code));
        troubles.push(Trouble {
            tone: if run.result == RunResult::Failed { Tone::Bad } else { Tone::Warn },
            code: code.clone(),
            title: states::title_of(code),
            detail: cause,
            since: Moment::new(run.finished_at, now),
            action: Link::to("See the agent", format!("/agents/{}", run.agent_id)),
        });
    }
    if run.counts.held > 0 {
        troubles.push(Trouble {
            tone: Tone::Held,
            code: catalogue::REMOVALS_HELD.code.to_owned(),
            title: format!(
                "{} held by this run",
                if run.counts.held == 1 {
                    "1 removal".to_owned()
                } else {
                    format!("{} removals", grouped(run.counts.held))
                }
            ),
            detail: Some("Additions and changes were applied.".to_owned()),
            since: Moment::new(run.finished_at, now),
            action: Link::to("Review", format!("/c/{slug}/held")),
        });
    }
    troubles
}

fn tiles(run: &Run) -> Vec<Tile> {
    let counts = run.counts;
    let tile = |label, value: i64, icon, class| Tile {
        label,
        value: grouped(value),
        detail: String::new(),
        icon,
        class,
        href: String::new(),
    };
    vec![
        tile("People read", counts.people, "users", "info"),
        tile("Added", counts.added + counts.returned, "user-plus", "good"),
        tile("Changed", counts.updated, "user-pen", "info"),
        tile("Departed", counts.departed, "user-minus", "calm"),
        tile("Held", counts.held, "hand", "held"),
        tile("Set aside", counts.set_aside, "triangle-alert", "warn"),
    ]
}

fn change_row(line: &RunLine, slug: &str) -> ChangeRow {
    let account: AccountId = line.line.account_id;
    let fields: Vec<String> =
        differences(line.line.before.as_ref().map(|v| &v.0), line.line.after.as_ref().map(|v| &v.0))
            .into_iter()
            .map(|field| field.label)
            .collect();
    let why = line.line.evidence.as_ref().map(|value| evidence::sentence(&value.0)).unwrap_or_default();
    ChangeRow {
        href: format!("/c/{slug}/people/{account}"),
        name: line.display_name.clone(),
        what: states::change(line.line.change).0,
        detail: if why.is_empty() { fields.join(", ") } else { why },
    }
}

fn group(records: Vec<SetAside>) -> Vec<AsideGroup> {
    let mut by_code: BTreeMap<String, Vec<AsideLine>> = BTreeMap::new();
    for record in records {
        let guid = record.object_guid.map(|guid| guid.to_string()).unwrap_or_default();
        by_code.entry(record.code).or_default().push(AsideLine { line: record.line, guid, detail: record.detail });
    }
    by_code
        .into_iter()
        .map(|(code, lines)| AsideGroup { title: catalogue::find(&code).map_or("", |fault| fault.title), code, lines })
        .collect()
}

fn steps(run: &Run) -> Vec<Step> {
    let done = |what, detail: String| Step::new(StepState::Done, what, detail);
    let dc = run.dc_host.clone().map(|dc| format!(" on {dc}")).unwrap_or_default();
    let took = states::took(run.started_at, run.received_at);
    if run.result == RunResult::Failed {
        return vec![
            Step::new(StepState::Failed, "Read", format!("stopped{dc} after {took}")),
            Step::new(StepState::Open, "Sent", ""),
        ];
    }
    let batches = if run.batches == 1 { "1 batch".to_owned() } else { format!("{} batches", run.batches) };
    let numbers = if run.first_seq == run.last_seq {
        run.first_seq.to_string()
    } else {
        format!("{} to {}", run.first_seq, run.last_seq)
    };
    let compared = match run.digest_agrees {
        Some(true) => done("Compared", "count and digest agree".into()),
        Some(false) => Step::new(StepState::Failed, "Compared", "differs; a full snapshot was ordered"),
        None => Step::new(StepState::Open, "Compared", ""),
    };
    vec![
        done("Read", format!("{}{dc} in {took}", states::people(run.counts.people))),
        done("Sent", format!("{batches}, {}, number {numbers}", states::bytes(run.bytes))),
        done("Signature verified", format!("epoch {}", run.epoch)),
        done("Applied", format!("in {}", states::took(run.received_at, run.finished_at))),
        compared,
    ]
}

fn facts(run: &Run) -> Vec<Fact> {
    let kind = match run.kind {
        RunKind::Full => "everybody was sent",
        RunKind::Delta => "changes only",
    };
    vec![
        Fact::new("Why", states::cause(&run.cause)),
        Fact::new("Kind", kind),
        Fact::new("Unchanged", grouped(run.counts.unchanged)),
        Fact::new("Run", run.id.to_string()).mono(),
        Fact::new("Cycle", run.cycle.map(|id| id.to_string()).unwrap_or_default()).mono(),
        Fact::new("Agent", run.agent_id.to_string()).mono(),
    ]
}
