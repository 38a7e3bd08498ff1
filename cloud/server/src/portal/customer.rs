//! One customer: its state as a sentence, its imports, its agent and its newest runs.

use askama::Template;

use super::{
    dashboard::Tile,
    runs::RunRow,
    view::{Frame, Moment, Pill, Step, Trouble},
};

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
