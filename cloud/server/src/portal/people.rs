//! The people of one customer or of all: searched, filtered and paged by the server.

use askama::Template;
use axum::{
    extract::{Path, Query, State},
    response::Response,
};
use chrono::{DateTime, Utc};
use rollcall_domain::{account::AccountState, role::Act};
use rollcall_protocol::person::Person;
use rollcall_store::{
    accounts::{self, Listed},
    across,
};
use serde::Deserialize;

use super::{
    answer::{PageError, page},
    cursor,
    customer_head::{CustomerHead, Place, Tab, open},
    guard::{SignedIn, require},
    pages::Pages,
    runs::Chip,
    states,
    view::{Frame, Moment, Pager, Pill, Section, pager::Query as Address},
};
use crate::state::AppState;

pub fn routes() -> Pages {
    Pages::new().get("/people", show_all).get("/c/{slug}/people", show_of_customer)
}

#[derive(Debug, Clone)]
pub struct PersonRow {
    pub href: String,
    pub name: String,
    pub title: String,
    pub customer: String,
    pub customer_href: String,
    pub account: String,
    pub mail: String,
    pub department: String,
    pub state: Pill,
    pub changed: Moment,
}

#[derive(Debug, Clone)]
pub struct PeopleList {
    pub path: String,
    pub q: String,
    pub filter: String,
    pub chips: Vec<Chip>,
    pub csv: String,
    pub rows: Vec<PersonRow>,
    pub of_all: bool,
    pub empty_title: &'static str,
    pub empty_detail: &'static str,
    pub pager: Pager,
}

#[derive(Debug, Template)]
#[template(path = "people.html")]
pub struct PeoplePage {
    pub frame: Frame,
    pub list: PeopleList,
}

#[derive(Debug, Template)]
#[template(path = "people_of_customer.html")]
pub struct CustomerPeoplePage {
    pub frame: Frame,
    pub customer: CustomerHead,
    pub list: PeopleList,
}

/// Which people are wanted, as the address says.
#[derive(Debug, Default, Deserialize)]
pub struct Asked {
    #[serde(default)]
    pub q: String,
    #[serde(default)]
    pub state: String,
    #[serde(default)]
    pub after: String,
}

const PAGE: i64 = 50;

/// Whether a list needs a column for the customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whose {
    All,
    OneCustomers,
}

impl Asked {
    fn state(&self) -> Option<AccountState> {
        self.state.parse().ok()
    }

    pub fn wanted(&self, limit: i64) -> accounts::Page {
        accounts::Page { search: self.q.clone(), state: self.state(), after: cursor::read(&self.after), limit }
    }

    fn address(&self, path: &str) -> Address {
        let state = self.state().map_or("", AccountState::as_str);
        Address::new(path).with("q", self.q.trim()).with("state", state)
    }

    fn chips(&self, path: &str) -> Vec<Chip> {
        let chip = |label: &str, state: Option<AccountState>| Chip {
            label: label.to_owned(),
            href: self.address(path).with("state", state.map_or("", AccountState::as_str)).address(),
            here: self.state() == state,
        };
        vec![
            chip("Present", None),
            chip("Removal held", Some(AccountState::Held)),
            chip("Departed", Some(AccountState::Departed)),
        ]
    }

    fn pager<T>(&self, path: &str, found: &[T], row: impl Fn(&T) -> &Listed) -> Pager {
        let place = |of: &T| cursor::write(&(&row(of).sort_name, row(of).id));
        Pager::of(&self.address(path), &self.after, found, PAGE, place)
    }

    fn list(&self, path: &str, rows: Vec<PersonRow>, pager: Pager, whose: Whose) -> PeopleList {
        let is_filtered = !self.q.trim().is_empty() || self.state().is_some();
        PeopleList {
            path: path.to_owned(),
            q: self.q.clone(),
            filter: self.state().map_or("", AccountState::as_str).to_owned(),
            chips: self.chips(path),
            csv: self.address(&format!("{path}.csv")).address(),
            pager,
            empty_title: if is_filtered { "Nobody matches" } else { "Nobody yet" },
            empty_detail: if is_filtered {
                "Try fewer letters, or another state."
            } else {
                "People appear here with the first sync of an import."
            },
            rows,
            of_all: whose == Whose::All,
        }
    }
}

fn row_of(row: Listed, slug: &str, customer: &str, now: DateTime<Utc>) -> PersonRow {
    // A record of a newer agent still shows what its columns say.
    let person: Person = serde_json::from_str(row.person.0.get()).unwrap_or_default();
    PersonRow {
        href: format!("/c/{slug}/people/{}", row.id),
        state: states::account(row.state, row.enabled.into()),
        title: person.title.unwrap_or_default(),
        department: person.department.unwrap_or_default(),
        customer: customer.to_owned(),
        customer_href: format!("/c/{slug}"),
        name: row.display_name,
        account: row.sam,
        mail: row.mail.unwrap_or_default(),
        changed: Moment::new(row.changed_at, now),
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
    let found = across::list_people(&mut tx, &signed.who.scope, &asked.wanted(PAGE)).await?;
    let pager = asked.pager("/people", &found, |of| &of.row);
    let rows = found.into_iter().map(|of| row_of(of.row, &of.customer_slug, &of.customer_name, now)).collect();
    let frame = signed.frame(&mut tx, "People", Section::People).await?;
    Ok(page(&PeoplePage { frame, list: asked.list("/people", rows, pager, Whose::All) }))
}

async fn show_of_customer(
    State(state): State<AppState>,
    signed: SignedIn,
    Path(slug): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Response, PageError> {
    let mut opened = open(&state, &signed, &slug, Place::tab(Tab::People, "People")).await?;
    let found = accounts::list(&mut opened.tx, &opened.scope, &asked.wanted(PAGE)).await?;
    let path = format!("/c/{slug}/people");
    let pager = asked.pager(&path, &found, |row| row);
    let rows = found.into_iter().map(|row| row_of(row, &slug, "", opened.now)).collect();
    let list = asked.list(&path, rows, pager, Whose::OneCustomers);
    Ok(page(&CustomerPeoplePage { frame: opened.frame, customer: opened.customer, list }))
}
