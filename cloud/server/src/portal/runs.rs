//! The list of runs, of all customers or of one.

use askama::Template;
use axum::{
    extract::{Path, Query, State},
    response::Response,
};
use chrono::{DateTime, Utc};
use rollcall_domain::{ids::RunId, role::Act, run::RunResult};
use rollcall_store::{
    across,
    runs::{self, Run},
};
use serde::Deserialize;

use super::{
    answer::{PageError, page},
    customer_head::{CustomerHead, Place, Tab, open},
    guard::{SignedIn, require},
    pages::Pages,
    states,
    view::{Frame, Link, Moment, Pager, Pill, Section, grouped, pager::Query as Address},
};
use crate::state::AppState;

pub fn routes() -> Pages {
    Pages::new().get("/runs", show_all).get("/c/{slug}/runs", show_of_customer)
}

#[derive(Debug, Clone)]
pub struct RunRow {
    pub href: String,
    pub at: Moment,
    pub customer: String,
    pub customer_href: String,
    pub result: Pill,
    pub cause: String,
    pub added: i64,
    pub changed: i64,
    pub departed: i64,
    pub held: i64,
    pub people: i64,
    pub took: String,
}

/// A filter that can be switched by following it.
#[derive(Debug, Clone)]
pub struct Chip {
    pub label: String,
    pub href: String,
    pub here: bool,
}

#[derive(Debug, Template)]
#[template(path = "runs.html")]
pub struct RunsPage {
    pub frame: Frame,
    pub here: String,
    pub held_total: i64,
    pub held: Vec<Link>,
    pub chips: Vec<Chip>,
    pub runs: Vec<RunRow>,
    pub runs_of_all: bool,
    pub pager: Pager,
}

#[derive(Debug, Template)]
#[template(path = "runs_of_customer.html")]
pub struct CustomerRunsPage {
    pub frame: Frame,
    pub customer: CustomerHead,
    pub here: String,
    pub chips: Vec<Chip>,
    pub runs: Vec<RunRow>,
    pub runs_of_all: bool,
    pub pager: Pager,
}

/// A run as a row; `customer` is empty on the customer's own page.
pub fn row_of(run: &Run, slug: &str, customer: &str, now: DateTime<Utc>) -> RunRow {
    RunRow {
        href: format!("/c/{slug}/runs/{}", run.id),
        at: Moment::new(run.finished_at, now),
        customer: customer.to_owned(),
        customer_href: format!("/c/{slug}"),
        result: states::run(run),
        cause: states::cause(&run.cause),
        added: run.counts.added + run.counts.returned,
        changed: run.counts.updated,
        departed: run.counts.departed,
        held: run.counts.held,
        people: run.counts.people,
        took: states::took(run.started_at, run.finished_at),
    }
}

#[derive(Debug, Deserialize)]
struct Asked {
    #[serde(default)]
    result: String,
    #[serde(default)]
    after: String,
}

const PAGE: i64 = 50;

impl Asked {
    fn result(&self) -> Option<RunResult> {
        self.result.parse().ok()
    }

    fn after(&self) -> Option<RunId> {
        self.after.parse().ok()
    }

    fn address(&self, path: &str) -> Address {
        Address::new(path).with("result", self.result().map_or("", RunResult::as_str))
    }

    fn chips(&self, path: &str) -> Vec<Chip> {
        let chip = |label: &str, result: Option<RunResult>| Chip {
            label: label.to_owned(),
            href: Address::new(path).with("result", result.map_or("", RunResult::as_str)).address(),
            here: self.result() == result,
        };
        vec![
            chip("All", None),
            chip("Ok", Some(RunResult::Ok)),
            chip("Partial", Some(RunResult::Partial)),
            chip("Failed", Some(RunResult::Failed)),
        ]
    }

    fn pager<T>(&self, path: &str, rows: &[T], id: impl Fn(&T) -> RunId) -> Pager {
        Pager::of(&self.address(path), &self.after, rows, PAGE, |row| id(row).to_string())
    }
}

async fn show_all(
    State(state): State<AppState>,
    signed: SignedIn,
    Query(asked): Query<Asked>,
) -> Result<Response, PageError> {
    require(&signed, Act::ViewCustomers)?;
    let now = state.now();
    let mut tx = state.db.read(&signed.who.scope).await?;
    let found = across::list_runs(&mut tx, &signed.who.scope, asked.result(), asked.after(), PAGE).await?;
    let held = across::list_held(&mut tx, &signed.who.scope).await?;
    let mut frame = signed.frame(&mut tx, "Runs", Section::Runs).await?;
    frame.live = Some("/events".into());
    let review = |at: &across::HeldAt| {
        Link::to(
            format!("Review {} at {}", grouped(at.people), at.customer_name),
            format!("/c/{}/held", at.customer_slug),
        )
    };
    Ok(page(&RunsPage {
        frame,
        here: asked.address("/runs").with("after", &asked.after).address(),
        held_total: held.iter().map(|at| at.people).sum(),
        held: held.iter().take(8).map(review).collect(),
        chips: asked.chips("/runs"),
        pager: asked.pager("/runs", &found, |of| of.row.id),
        runs: found.iter().map(|of| row_of(&of.row, &of.customer_slug, &of.customer_name, now)).collect(),
        runs_of_all: true,
    }))
}

async fn show_of_customer(
    State(state): State<AppState>,
    signed: SignedIn,
    Path(slug): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Response, PageError> {
    let mut opened = open(&state, &signed, &slug, Place::tab(Tab::Runs, "Runs")).await?;
    let path = format!("/c/{slug}/runs");
    let found = runs::list_with_result(&mut opened.tx, &opened.scope, asked.result(), asked.after(), PAGE).await?;
    Ok(page(&CustomerRunsPage {
        here: asked.address(&path).with("after", &asked.after).address(),
        chips: asked.chips(&path),
        pager: asked.pager(&path, &found, |run| run.id),
        runs: found.iter().map(|run| row_of(run, &slug, "", opened.now)).collect(),
        runs_of_all: false,
        frame: opened.frame,
        customer: opened.customer,
    }))
}
