//! The first page after signing in: how all customers do, and what needs a person.

use std::collections::BTreeMap;

use askama::Template;
use axum::{
    extract::{Query, State},
    response::Response,
};
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use rollcall_domain::{
    health::{self, Health, State as Standing},
    ids::RunId,
    role::Act,
};
use rollcall_store::{
    Tx, across,
    customers::{self, Overview},
    msps,
};

use super::{
    answer::{PageError, page},
    guard::{Done, SignedIn, require},
    pages::Pages,
    runs::{RunRow, row_of},
    states,
    view::{DayBars, Frame, Link, Section, Step, StepState, Trouble, chart::Day, grouped},
};
use crate::state::AppState;

pub fn routes() -> Pages {
    Pages::new().get("/", show)
}

/// A number that leads somewhere.
#[derive(Debug, Clone)]
pub struct Tile {
    pub label: &'static str,
    pub value: String,
    pub detail: String,
    pub icon: &'static str,
    pub class: &'static str,
    pub href: String,
}

/// One customer's trouble in the list of what needs a person.
#[derive(Debug, Clone)]
pub struct Need {
    pub customer: String,
    pub customer_href: String,
    pub trouble: Trouble,
}

#[derive(Debug, Template)]
#[template(path = "dashboard.html")]
pub struct DashboardPage {
    pub frame: Frame,
    pub summary: String,
    pub checklist: Vec<Step>,
    pub checklist_done: usize,
    pub tiles: Vec<Tile>,
    pub needs: Vec<Need>,
    pub chart: DayBars,
    pub runs: Vec<RunRow>,
    pub runs_of_all: bool,
}

/// Customers that one look at the dashboard takes in.
const CUSTOMERS: i64 = 5_000;
const DAYS: i64 = 14;
/// Troubles shown; the customers' list has them all.
const NEEDS: usize = 12;

async fn show(
    State(state): State<AppState>,
    signed: SignedIn,
    Query(done): Query<Done>,
) -> Result<Response, PageError> {
    require(&signed, Act::ViewCustomers)?;
    let now = state.now();
    let scope = &signed.who.scope;
    let mut tx = state.db.read(scope).await?;
    let mut frame = signed.frame(&mut tx, "Dashboard", Section::Dashboard).await?;
    frame.live = Some("/events".into());
    frame.refresh_without_script = Some(30);
    frame.notice = done.notice();
    let msp_pause = msps::get(&mut tx).await?.pause.set();
    let wanted = customers::Page { limit: CUSTOMERS, ..customers::Page::default() };
    let all: Vec<(Overview, Health)> = customers::list(&mut tx, scope, &wanted)
        .await?
        .into_iter()
        .map(|overview| {
            let health = health::decide(&overview.facts(msp_pause.as_ref(), now), now);
            (overview, health)
        })
        .collect();
    let runs = across::list_runs(&mut tx, scope, None, None, 8).await?;
    let checklist = checklist(&all);
    Ok(page(&DashboardPage {
        frame,
        summary: summary(&all),
        checklist_done: checklist.iter().filter(|step| step.state == StepState::Done).count(),
        tiles: if all.is_empty() { vec![] } else { tiles(&all) },
        needs: needs(&all, now),
        chart: chart(&mut tx, &signed, now).await?,
        runs: runs.iter().map(|of| row_of(&of.row, &of.customer_slug, &of.customer_name, now)).collect(),
        runs_of_all: true,
        checklist,
    }))
}

fn count(all: &[(Overview, Health)], wanted: &[Standing]) -> usize {
    all.iter().filter(|(_, health)| wanted.contains(&health.state())).count()
}

fn summary(all: &[(Overview, Health)]) -> String {
    let healthy = count(all, &[Standing::Healthy]);
    match all.len() {
        0 => "Welcome. Five steps lead to the first synchronised customer.".to_owned(),
        1 if healthy == 1 => "Your customer is healthy.".to_owned(),
        total if healthy == total => format!("All {total} customers are healthy."),
        total => format!("{healthy} of {total} customers are healthy."),
    }
}

/// Until the first customer has synchronised.
fn checklist(all: &[(Overview, Health)]) -> Vec<Step> {
    if all.iter().any(|(overview, _)| overview.last_good_run_at.is_some()) {
        return Vec::new();
    }
    let slug = all.first().map(|(overview, _)| overview.customer.slug.clone()).unwrap_or_default();
    let has_customer = !all.is_empty();
    let has_agent = all.iter().any(|(overview, _)| overview.agents > 0);
    let has_import = all.iter().any(|(overview, _)| overview.imports > 0);
    let mut is_first_open = true;
    let mut step = |is_done: bool, what: &str, detail: &str, link: Link| {
        if is_done {
            return Step::new(StepState::Done, what, detail);
        }
        let step = Step::new(if is_first_open { StepState::Doing } else { StepState::Open }, what, detail);
        if std::mem::replace(&mut is_first_open, false) { step.with(link.primary()) } else { step }
    };
    vec![
        Step::new(StepState::Done, "Sign in", "Your password is set."),
        step(
            has_customer,
            "Add your first customer",
            "One organisation you look after.",
            Link::to("Add customer", "/customers/add"),
        ),
        step(
            has_agent,
            "Install the agent",
            "One line on one server of the customer.",
            Link::to("Install", format!("/c/{slug}/agent")),
        ),
        step(
            has_import,
            "Choose who to import",
            "Organisational units or security groups.",
            Link::to("Choose", format!("/c/{slug}/imports")),
        ),
        step(false, "First sync", "Runs by itself once people are chosen.", Link::to("Watch", format!("/c/{slug}"))),
    ]
}

fn tiles(all: &[(Overview, Health)]) -> Vec<Tile> {
    let sum = |of: fn(&Overview) -> i64| all.iter().map(|(overview, _)| of(overview)).sum::<i64>();
    let customers_with_held = all.iter().filter(|(overview, _)| overview.held > 0).count();
    let number = |count: usize| grouped(i64::try_from(count).unwrap_or(i64::MAX));
    let tile = |label, value: String, detail: String, icon, class, href: &str| Tile {
        label,
        value,
        detail,
        icon,
        class,
        href: href.to_owned(),
    };
    let of_customers =
        if all.len() == 1 { "of 1 customer".to_owned() } else { format!("of {} customers", number(all.len())) };
    let at = match customers_with_held {
        1 => "at 1 customer".to_owned(),
        many => format!("at {} customers", number(many)),
    };
    vec![
        tile(
            "Healthy",
            number(count(all, &[Standing::Healthy])),
            of_customers,
            "circle-check",
            "good",
            "/customers?state=healthy",
        ),
        tile(
            "Attention",
            number(count(all, &[Standing::Attention, Standing::Quarantined])),
            "failed or partial".into(),
            "triangle-alert",
            "warn",
            "/customers?state=attention",
        ),
        tile("Removals held", grouped(sum(|overview| overview.held)), at, "hand", "held", "/customers?state=held"),
        tile(
            "Agents offline",
            number(count(all, &[Standing::AgentOffline])),
            format!("of {} agents", grouped(sum(|overview| overview.agents))),
            "unplug",
            "bad",
            "/agents?state=offline",
        ),
        tile("People", grouped(sum(|overview| overview.people)), "in all imports".into(), "users", "info", "/people"),
    ]
}

/// Oldest first. Who has not begun yet is on the checklist, and a pause is wanted.
fn needs(all: &[(Overview, Health)], now: DateTime<Utc>) -> Vec<Need> {
    let mut waiting: Vec<(DateTime<Utc>, Need)> = all
        .iter()
        .filter_map(|(overview, health)| {
            let Health::Not { state, since, .. } = health else { return None };
            if matches!(state, Standing::Paused | Standing::NeverSynced) {
                return None;
            }
            let slug = &overview.customer.slug;
            let detail = (overview.held > 0).then(|| format!("{} held", states::people(overview.held)));
            let trouble = states::trouble(health, slug, detail, now)?;
            Some((
                *since,
                Need { customer: overview.customer.name.clone(), customer_href: format!("/c/{slug}"), trouble },
            ))
        })
        .collect();
    waiting.sort_by_key(|(since, _)| *since);
    waiting.into_iter().map(|(_, need)| need).take(NEEDS).collect()
}

async fn chart(tx: &mut Tx, signed: &SignedIn, now: DateTime<Utc>) -> Result<DayBars, PageError> {
    let first = now.date_naive() - TimeDelta::days(DAYS - 1);
    let since = RunId::mint(first.and_time(chrono::NaiveTime::MIN).and_utc(), [0; 10]);
    let mut days: BTreeMap<NaiveDate, Day> = (0..DAYS)
        .map(|offset| first + TimeDelta::days(offset))
        .map(|date| (date, Day { date, added: 0, changed: 0, gone: 0, errors: 0 }))
        .collect();
    let number = |count: i64| u64::try_from(count).unwrap_or_default();
    for change in across::list_changes(tx, &signed.who.scope, since).await? {
        if let Some(day) = days.get_mut(&change.finished_at.date_naive()) {
            day.added += number(change.added + change.returned);
            day.changed += number(change.updated);
            day.gone += number(change.departed);
            day.errors += number(change.set_aside);
        }
    }
    Ok(DayBars { days: days.into_values().collect() })
}
