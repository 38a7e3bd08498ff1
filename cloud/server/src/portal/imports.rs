//! The imports of a customer: who is chosen, how often the directory is read, and what happens to people who leave.

use askama::Template;
use axum::{
    extract::{Path, Query, State},
    response::Response,
};
use chrono::{DateTime, Utc};
use rollcall_domain::{ids::ImportId, import::SelectionKind, membership::MembershipState, role::Act};
use rollcall_store::{
    directories,
    imports::{self, Import},
    memberships,
};

use super::{
    answer::{PageError, page, see},
    customer_head::{CustomerHead, Place, Tab, open},
    guard::{Done, SignedIn, require},
    pages::Pages,
    states,
    view::{Frame, Pill, Tone},
};
use crate::{
    services::{
        pauses::{self, Target},
        reach,
    },
    state::AppState,
};

pub fn routes() -> Pages {
    Pages::new().get("/c/{slug}/imports", show).post("/c/{slug}/imports/{import}/resume", resume)
}

#[derive(Debug, Clone)]
pub struct ImportCard {
    pub name: String,
    pub href: String,
    pub state: Pill,
    pub is_paused: bool,
    pub pause_note: String,
    pub people: i64,
    pub held: i64,
    pub chosen: String,
    pub schedule: String,
    pub removal: String,
}

#[derive(Debug, Template)]
#[template(path = "imports.html")]
pub struct ImportsPage {
    pub frame: Frame,
    pub customer: CustomerHead,
    pub may_edit: bool,
    pub has_directory: bool,
    pub imports: Vec<ImportCard>,
}

/// How many people stand how in each import.
#[derive(Debug, Default)]
pub struct Members(Vec<(ImportId, MembershipState, i64)>);

impl Members {
    pub fn of(counts: Vec<(ImportId, MembershipState, i64)>) -> Self {
        Self(counts)
    }

    pub fn present(&self, import: ImportId) -> i64 {
        self.count(import, &[MembershipState::Active, MembershipState::Held, MembershipState::Kept])
    }

    pub fn held(&self, import: ImportId) -> i64 {
        self.count(import, &[MembershipState::Held])
    }

    fn count(&self, import: ImportId, wanted: &[MembershipState]) -> i64 {
        self.0.iter().filter(|(id, state, _)| *id == import && wanted.contains(state)).map(|(_, _, count)| count).sum()
    }
}

/// `3 units, 1 group, 1 left out`.
pub fn chosen_of(import: &Import) -> String {
    let count = |kind| import.selections.0.iter().filter(|selection| selection.kind == kind).count();
    let parts: Vec<String> = [
        (count(SelectionKind::Ou), "unit", "units"),
        (count(SelectionKind::Group), "group", "groups"),
        (import.excludes.0.len(), "left out", "left out"),
    ]
    .into_iter()
    .filter(|(count, ..)| *count > 0)
    .map(|(count, one, many)| format!("{count} {}", if count == 1 { one } else { many }))
    .collect();
    parts.join(", ")
}

pub fn pill(import: &Import, held: i64, now: DateTime<Utc>) -> Pill {
    let is_paused = import.pause.set().is_some_and(|pause| pause.holds(now));
    match (held, is_paused) {
        (_, true) => Pill::new(Tone::Calm, "Paused").with_icon("circle-pause"),
        (0, false) => Pill::new(Tone::Good, "Active"),
        (_, false) => Pill::new(Tone::Held, "Removals held"),
    }
}

fn card(import: Import, members: &Members, slug: &str, now: DateTime<Utc>) -> ImportCard {
    let pause = import.pause.set().filter(|pause| pause.holds(now));
    let held = members.held(import.id);
    ImportCard {
        href: format!("/c/{slug}/imports/{}", import.id),
        state: pill(&import, held, now),
        is_paused: pause.is_some(),
        pause_note: pause.map(|pause| format!("by {}: {}", pause.by, pause.reason)).unwrap_or_default(),
        people: members.present(import.id),
        held,
        chosen: chosen_of(&import),
        schedule: states::schedule(&import.schedule.0),
        removal: states::removal(import.removal_policy),
        name: import.name,
    }
}

async fn show(
    State(state): State<AppState>,
    signed: SignedIn,
    Path(slug): Path<String>,
    Query(done): Query<Done>,
) -> Result<Response, PageError> {
    let mut opened = open(&state, &signed, &slug, Place::tab(Tab::Imports, "Imports")).await?;
    let members = Members::of(memberships::count_by_state(&mut opened.tx, &opened.scope).await?);
    let found = imports::list(&mut opened.tx, &opened.scope).await?;
    let has_directory = !directories::list(&mut opened.tx, &opened.scope).await?.is_empty();
    opened.frame.notice = done.notice();
    Ok(page(&ImportsPage {
        may_edit: signed.may(Act::EditImport),
        has_directory,
        imports: found.into_iter().map(|import| card(import, &members, &slug, opened.now)).collect(),
        frame: opened.frame,
        customer: opened.customer,
    }))
}

async fn resume(
    State(state): State<AppState>,
    signed: SignedIn,
    Path((slug, import)): Path<(String, String)>,
) -> Result<Response, PageError> {
    require(&signed, Act::Pause)?;
    let (_, customer) = reach::customer_by_slug(&state, &signed.who, &slug).await?;
    let import = import.parse()?;
    pauses::resume(&state, &signed.who, Target::Import(customer.id, import)).await?;
    Ok(see(&format!("/c/{slug}/imports?done=resumed")))
}
