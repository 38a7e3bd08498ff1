//! What stands above every page of a customer, and the way in: finding it within reach.

use chrono::{DateTime, Utc};
use rollcall_domain::{health, role::Act};
use rollcall_store::{
    CustomerScope, Tx,
    customers::{self, Overview},
    msps,
};

use super::{
    answer::PageError,
    guard::SignedIn,
    states,
    view::{Frame, Pill, Section},
};
use crate::{services::reach, state::AppState};

/// The pages of a customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tab {
    Overview,
    People,
    Imports,
    Runs,
    Held,
    Agent,
}

/// Whether the person may change things here or only look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    Act,
    Look,
}

/// What stands above every page of a customer.
#[derive(Debug, Clone)]
pub struct CustomerHead {
    pub slug: String,
    pub name: String,
    pub state: Pill,
    pub is_paused: bool,
    pub access: Access,
    pub people: i64,
    pub held: i64,
    pub tab: Tab,
    /// The h1: the customer's name on its overview, else the page's own.
    pub heading: String,
    /// Pages between the customer and this one, with their addresses.
    pub between: Vec<(String, String)>,
}

#[derive(Debug, Clone)]
pub struct Crumb {
    pub label: String,
    pub href: String,
}

#[derive(Debug, Clone)]
pub struct TabLink {
    pub label: &'static str,
    pub href: String,
    pub here: bool,
    pub count: Option<i64>,
}

impl CustomerHead {
    pub fn may_act(&self) -> bool {
        self.access == Access::Act
    }

    /// From the customer to this page; the last one is where the reader is.
    pub fn crumbs(&self) -> Vec<Crumb> {
        let mut crumbs = Vec::new();
        if self.heading != self.name {
            crumbs.push(Crumb { label: self.name.clone(), href: format!("/c/{}", self.slug) });
        }
        crumbs.extend(self.between.iter().map(|(label, href)| Crumb { label: label.clone(), href: href.clone() }));
        crumbs.push(Crumb { label: self.heading.clone(), href: String::new() });
        crumbs
    }

    pub fn tabs(&self) -> Vec<TabLink> {
        let link = |tab: Tab, label, path: &str, count| TabLink {
            label,
            href: format!("/c/{}{path}", self.slug),
            here: tab == self.tab,
            count,
        };
        let mut tabs = vec![
            link(Tab::Overview, "Overview", "", None),
            link(Tab::People, "People", "/people", Some(self.people)),
            link(Tab::Imports, "Imports", "/imports", None),
            link(Tab::Runs, "Runs", "/runs", None),
        ];
        if self.held > 0 || self.tab == Tab::Held {
            tabs.push(link(Tab::Held, "Held removals", "/held", Some(self.held)));
        }
        tabs.push(link(Tab::Agent, "Agent", "/agent", None));
        tabs
    }
}

/// A customer's page under construction: the scope to ask with, and what stands above.
#[derive(Debug)]
pub struct Opened {
    pub scope: CustomerScope,
    pub tx: Tx,
    pub overview: Overview,
    pub health: health::Health,
    pub frame: Frame,
    pub customer: CustomerHead,
    pub now: DateTime<Utc>,
}

/// Which page of a customer is opened.
#[derive(Debug, Clone)]
pub struct Place {
    pub tab: Tab,
    /// `None`: the customer's own name.
    pub heading: Option<String>,
    pub between: Vec<(String, String)>,
}

impl Place {
    pub fn tab(tab: Tab, heading: &str) -> Self {
        Self { tab, heading: Some(heading.to_owned()), between: Vec::new() }
    }

    pub fn below(self, label: &str, href: String) -> Self {
        let mut between = self.between;
        between.push((label.to_owned(), href));
        Self { between, ..self }
    }
}

/// Finds the customer within reach and reads what stands above each of its pages.
pub async fn open(state: &AppState, signed: &SignedIn, slug: &str, place: Place) -> Result<Opened, PageError> {
    let (scope, _) = reach::customer_by_slug(state, &signed.who, slug).await?;
    let now = state.now();
    let mut tx = state.db.read(&scope).await?;
    let overview = customers::get_overview(&mut tx, &scope).await?;
    let msp_pause = msps::get(&mut tx).await?.pause.set();
    let health = health::decide(&overview.facts(msp_pause.as_ref(), now), now);
    let name = overview.customer.name.clone();
    let title = place.heading.as_ref().map_or_else(|| name.clone(), |heading| format!("{heading} – {name}"));
    let mut frame = signed.frame(&mut tx, &title, Section::Customers).await?;
    frame.live = Some(format!("/events?c={slug}"));
    frame.refresh_without_script = Some(15);
    let customer = CustomerHead {
        slug: slug.to_owned(),
        state: states::customer(health.state()),
        is_paused: overview.customer.pause.set().is_some_and(|pause| pause.holds(now)),
        access: if signed.may(Act::SyncNow) { Access::Act } else { Access::Look },
        people: overview.people,
        held: overview.held,
        tab: place.tab,
        heading: place.heading.unwrap_or_else(|| name.clone()),
        between: place.between,
        name,
    };
    Ok(Opened { scope, tx, overview, health, frame, customer, now })
}
