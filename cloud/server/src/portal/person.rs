//! One person: what the directory says, which imports hold them and why, and every change that was ever made.

use std::collections::HashMap;

use askama::Template;
use axum::{
    extract::{Path, State},
    response::Response,
};
use chrono::{DateTime, Utc};
use rollcall_domain::{account::AccountState, ids::AccountId};
use rollcall_protocol::{catalogue, person::Person};
use rollcall_store::{
    accounts::{self, Account},
    history,
    imports::{self, Import},
    memberships::{self, Membership},
    structure,
};
use uuid::Uuid;

use super::{
    answer::{PageError, page},
    customer_head::{CustomerHead, Place, Tab, open},
    evidence,
    guard::SignedIn,
    pages::Pages,
    person_history, states,
    view::{Frame, Link, Moment, Pill, Tone, Trouble},
};
use crate::{services::reach, state::AppState};

pub fn routes() -> Pages {
    Pages::new().get("/c/{slug}/people/{account}", show)
}

/// A labelled fact.
#[derive(Debug, Clone)]
pub struct Fact {
    pub label: &'static str,
    pub value: String,
    pub mono: bool,
}

impl Fact {
    pub fn new(label: &'static str, value: impl Into<String>) -> Self {
        Self { label, value: value.into(), mono: false }
    }

    pub fn mono(self) -> Self {
        Self { mono: true, ..self }
    }
}

#[derive(Debug, Clone)]
pub struct FieldChange {
    pub label: String,
    pub before: String,
    pub after: String,
}

#[derive(Debug, Clone)]
pub struct HistoryLine {
    pub at: Moment,
    pub what: String,
    pub tone: Tone,
    pub icon: &'static str,
    pub by: String,
    pub run: Option<String>,
    pub why: String,
    pub fields: Vec<FieldChange>,
}

#[derive(Debug, Clone)]
pub struct MembershipLine {
    pub import: String,
    pub href: String,
    pub why: String,
    pub state: Pill,
}

#[derive(Debug, Template)]
#[template(path = "person.html")]
pub struct PersonPage {
    pub frame: Frame,
    pub customer: CustomerHead,
    pub state: Pill,
    pub troubles: Vec<Trouble>,
    pub facts: Vec<Fact>,
    pub memberships: Vec<MembershipLine>,
    pub history: Vec<HistoryLine>,
    pub history_goes_on: bool,
}

/// Changes shown on the page.
const HISTORY: i64 = 100;

async fn show(
    State(state): State<AppState>,
    signed: SignedIn,
    Path((slug, id)): Path<(String, String)>,
) -> Result<Response, PageError> {
    let id: AccountId = id.parse()?;
    let (scope, _) = reach::customer_by_slug(&state, &signed.who, &slug).await?;
    let account = {
        let mut tx = state.db.read(&scope).await?;
        accounts::find(&mut tx, &scope, id).await?.ok_or(PageError::NotFound)?
    };
    let place = Place::tab(Tab::People, &account.display_name).below("People", format!("/c/{slug}/people"));
    let mut opened = open(&state, &signed, &slug, place).await?;
    let lines = history::list(&mut opened.tx, &opened.scope, id, HISTORY).await?;
    let memberships = memberships::list_of_accounts(&mut opened.tx, &[id]).await?;
    let imports: HashMap<Uuid, Import> = imports::list_with_ended(&mut opened.tx, &opened.scope)
        .await?
        .into_iter()
        .map(|import| (import.id.uuid(), import))
        .collect();
    let via: Vec<Uuid> = memberships.iter().flat_map(|membership| membership.via.0.iter().copied()).collect();
    let names: HashMap<Uuid, String> = structure::list_by_guids(&mut opened.tx, account.directory_id, &via)
        .await?
        .into_iter()
        .map(|node| (node.guid, node.name))
        .collect();
    let import_name = |id: Uuid| imports.get(&id).map(|import| import.name.clone());
    Ok(page(&PersonPage {
        state: states::account(account.state, account.enabled.into()),
        troubles: held_trouble(&account, &memberships, &slug, opened.now).into_iter().collect(),
        facts: facts(&account),
        memberships: memberships.iter().map(|membership| line_of(membership, &imports, &names, &slug)).collect(),
        history_goes_on: i64::try_from(lines.len()).is_ok_and(|count| count >= HISTORY),
        history: lines.iter().map(|line| person_history::show(line, &slug, &import_name)).collect(),
        frame: opened.frame,
        customer: opened.customer,
    }))
}

fn held_trouble(account: &Account, memberships: &[Membership], slug: &str, now: DateTime<Utc>) -> Option<Trouble> {
    let held =
        memberships.iter().find(|membership| membership.state == rollcall_domain::membership::MembershipState::Held)?;
    (account.state == AccountState::Held).then(|| Trouble {
        tone: Tone::Held,
        code: catalogue::REMOVALS_HELD.code.to_owned(),
        title: "The removal of this person waits for a decision".to_owned(),
        detail: held.evidence.as_ref().map(|evidence| evidence::sentence(&evidence.0)),
        since: Moment::new(held.since, now),
        action: Link::to("Review", format!("/c/{slug}/held")),
    })
}

fn line_of(
    membership: &Membership,
    imports: &HashMap<Uuid, Import>,
    names: &HashMap<Uuid, String>,
    slug: &str,
) -> MembershipLine {
    use rollcall_domain::membership::MembershipState;
    let import = imports.get(&membership.import_id.uuid());
    let via: Vec<&str> = membership.via.0.iter().filter_map(|guid| names.get(guid).map(String::as_str)).collect();
    let why = match membership.state {
        MembershipState::Active | MembershipState::Kept if via.is_empty() => String::new(),
        MembershipState::Active | MembershipState::Kept => format!("because of {}", via.join(", ")),
        MembershipState::Held | MembershipState::Departed => {
            membership.evidence.as_ref().map(|evidence| evidence::sentence(&evidence.0)).unwrap_or_default()
        }
    };
    MembershipLine {
        import: import.map_or_else(|| "an ended import".to_owned(), |import| import.name.clone()),
        href: format!("/c/{slug}/imports"),
        why,
        state: states::membership(membership.state),
    }
}

fn facts(account: &Account) -> Vec<Fact> {
    let person: Person = serde_json::from_str(account.person.0.get()).unwrap_or_default();
    let time = |at: Option<DateTime<Utc>>| at.map(|at| at.format("%-d %b %Y").to_string()).unwrap_or_default();
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let mut facts = vec![
        Fact::new("Account", account.sam.clone()),
        Fact::new("Sign-in name", text(&account.upn)),
        Fact::new("E-mail", text(&account.mail)),
        Fact::new("Title", text(&person.title)),
        Fact::new("Department", text(&person.department)),
        Fact::new("Phone", text(&person.phone)),
        Fact::new("Mobile", text(&person.mobile)),
        Fact::new("Company", text(&person.company)),
        Fact::new("Office", text(&person.office)),
        Fact::new("Account is", if person.status.enabled { "enabled" } else { "disabled" }),
        Fact::new("Expires", time(person.status.expires_at)),
        Fact::new("Password set", time(person.status.password_set_at)),
        Fact::new("Place", person.dn).mono(),
        Fact::new("objectGUID", account.object_guid.to_string()).mono(),
    ];
    // What the directory does not say is left out, but for the few that people look for.
    facts.retain(|fact| !fact.value.is_empty() || matches!(fact.label, "E-mail" | "Sign-in name"));
    facts
}
