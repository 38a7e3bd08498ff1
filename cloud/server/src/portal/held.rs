//! Removals that wait for a human: the exact list with its evidence, approved by typing its number, or rejected.

use std::collections::BTreeMap;

use askama::Template;
use axum::{
    Form,
    extract::{Path, Query, State},
    http::StatusCode,
    response::Response,
};
use chrono::{DateTime, Utc};
use rollcall_domain::{ids::ImportId, role::Act};
use rollcall_store::{
    imports::{self, Import},
    memberships::{self, Held},
};
use serde::Deserialize;

use super::{
    answer::{PageError, field_errors, page, page_with, see},
    customer_head::{CustomerHead, Place, Tab, open},
    evidence,
    guard::{Done, SignedIn, require},
    imports::Members,
    pages::Pages,
    states,
    view::{FieldError, Frame, Moment},
};
use crate::{
    services::{
        ServiceError,
        held::{self as acts, Decision, Seen, Which, fingerprint},
        pauses::{self, Target, Wish},
        reach,
    },
    state::AppState,
};

pub fn routes() -> Pages {
    Pages::new()
        .get("/c/{slug}/held", show)
        .post("/c/{slug}/held/approve", approve)
        .post("/c/{slug}/held/reject", reject)
}

#[derive(Debug, Clone)]
pub struct HeldRow {
    pub href: String,
    pub name: String,
    pub account: String,
    pub evidence: String,
    pub since: Moment,
}

#[derive(Debug, Clone)]
pub struct HeldImport {
    pub id: String,
    pub name: String,
    pub why: String,
    pub cause: String,
    pub since: Moment,
    /// Hash of exactly this list: a decision covers what was seen and nothing that came later.
    pub list: String,
    pub rows: Vec<HeldRow>,
}

#[derive(Debug, Template)]
#[template(path = "held.html")]
pub struct HeldPage {
    pub frame: Frame,
    pub customer: CustomerHead,
    pub errors: Vec<FieldError>,
    pub imports: Vec<HeldImport>,
    pub may_decide: bool,
}

async fn show(
    State(state): State<AppState>,
    signed: SignedIn,
    Path(slug): Path<String>,
    Query(done): Query<Done>,
) -> Result<Response, PageError> {
    let mut view = draw(&state, &signed, &slug, vec![]).await?;
    view.frame.notice = done.notice();
    Ok(page(&view))
}

async fn draw(state: &AppState, signed: &SignedIn, slug: &str, errors: Vec<FieldError>) -> Result<HeldPage, PageError> {
    let mut opened = open(state, signed, slug, Place::tab(Tab::Held, "Held removals")).await?;
    let members = Members::of(memberships::count_by_state(&mut opened.tx, &opened.scope).await?);
    let mut waiting = Vec::new();
    for import in imports::list_with_ended(&mut opened.tx, &opened.scope).await? {
        if members.held(import.id) > 0 {
            let held = memberships::list_held(&mut opened.tx, &opened.scope, import.id).await?;
            waiting.push(show_import(&import, &held, &members, slug, opened.now));
        }
    }
    // A list that is being decided must not change under the reader's hand.
    opened.frame.refresh_without_script = None;
    Ok(HeldPage {
        errors,
        imports: waiting,
        may_decide: signed.may(Act::DecideHeldRemovals),
        frame: opened.frame,
        customer: opened.customer,
    })
}

fn show_import(import: &Import, held: &[Held], members: &Members, slug: &str, now: DateTime<Utc>) -> HeldImport {
    let row = |removal: &Held| HeldRow {
        href: format!("/c/{slug}/people/{}", removal.account_id),
        name: removal.display_name.clone(),
        account: removal.sam.clone(),
        evidence: removal.evidence.as_ref().map(|value| evidence::sentence(&value.0)).unwrap_or_default(),
        since: Moment::new(removal.since, now),
    };
    let since = held.iter().map(|removal| removal.since).min().unwrap_or(now);
    HeldImport {
        id: import.id.to_string(),
        name: import.name.clone(),
        why: why(held.len(), members.present(import.id)),
        cause: probable_cause(held),
        since: Moment::new(since, now),
        list: fingerprint(held),
        rows: held.iter().map(row).collect(),
    }
}

fn why(held: usize, present: i64) -> String {
    let count = i64::try_from(held).unwrap_or(i64::MAX);
    if count >= present {
        return "Nobody would be left in this import".to_owned();
    }
    format!("{held} of {} would leave at once, more than may leave without a human", states::people(present))
}

/// What the evidence has in common says where to look.
fn probable_cause(held: &[Held]) -> String {
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    for removal in held {
        let kind = removal.evidence.as_ref().and_then(|value| value.0.get("kind")).and_then(|kind| kind.as_str());
        *kinds.entry(kind.unwrap_or_default()).or_default() += 1;
    }
    let commonest = kinds.into_iter().max_by_key(|(_, count)| *count);
    match commonest {
        Some(("left_scope", count)) => format!("{count} were moved out of the chosen units. Was a unit reorganised?"),
        Some(("left_group", count)) => {
            format!("{count} are no longer in the chosen group. Was it emptied or replaced?")
        }
        Some(("deselected", count)) => format!("{count} leave because a unit or group is no longer chosen."),
        Some(("deleted", count)) => format!("{count} were deleted in the directory."),
        Some(("absent", count)) => {
            format!("{count} cannot be found any more. May the agent's account still read them?")
        }
        Some(("excluded", count)) => format!("{count} now fall under an exclusion."),
        Some(_) | None => "Look at the evidence of each person.".to_owned(),
    }
}

#[derive(Debug, Deserialize)]
struct Verdict {
    import: String,
    list: String,
    #[serde(default)]
    count: String,
    #[serde(default)]
    then: String,
}

async fn approve(
    State(state): State<AppState>,
    signed: SignedIn,
    Path(slug): Path<String>,
    Form(form): Form<Verdict>,
) -> Result<Response, PageError> {
    require(&signed, Act::DecideHeldRemovals)?;
    let import: ImportId = form.import.parse()?;
    let (_, customer) = reach::customer_by_slug(&state, &signed.who, &slug).await?;
    let typed = form.count.trim().parse().unwrap_or(0);
    let seen = [Seen::List(form.list), Seen::Count(typed)];
    match acts::decide(&state, &signed.who, customer.id, Which::OfImport(import), &seen, Decision::Approve).await {
        Ok(_) => Ok(see(&format!("/c/{slug}/held?done=approved"))),
        Err(error) => again(&state, &signed, &slug, error).await,
    }
}

async fn reject(
    State(state): State<AppState>,
    signed: SignedIn,
    Path(slug): Path<String>,
    Form(form): Form<Verdict>,
) -> Result<Response, PageError> {
    require(&signed, Act::DecideHeldRemovals)?;
    let import: ImportId = form.import.parse()?;
    let (_, customer) = reach::customer_by_slug(&state, &signed.who, &slug).await?;
    let seen = [Seen::List(form.list)];
    if let Err(error) =
        acts::decide(&state, &signed.who, customer.id, Which::OfImport(import), &seen, Decision::Reject).await
    {
        return again(&state, &signed, &slug, error).await;
    }
    if form.then != "pause" {
        return Ok(see(&format!("/c/{slug}/held?done=rejected")));
    }
    let wish = Wish { reason: "Held removals were rejected".to_owned(), until: None };
    pauses::pause(&state, &signed.who, Target::Import(customer.id, import), wish).await?;
    Ok(see(&format!("/c/{slug}/held?done=rejected-paused")))
}

/// The list as it is now, with what was wrong; a list that changed meanwhile is shown anew.
async fn again(state: &AppState, signed: &SignedIn, slug: &str, error: ServiceError) -> Result<Response, PageError> {
    let messages = if matches!(error, ServiceError::ChangedMeanwhile) {
        vec!["The list has changed since you looked. Look again before you decide.".to_owned()]
    } else {
        field_errors(error)?.into_iter().map(|error| error.message).collect()
    };
    let errors = messages.into_iter().map(|message| FieldError::new("content", message)).collect();
    Ok(page_with(StatusCode::UNPROCESSABLE_ENTITY, &draw(state, signed, slug, errors).await?))
}
