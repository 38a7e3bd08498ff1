//! The first page after signing in: how all customers do, and what needs a person.

use askama::Template;

use super::{
    runs::RunRow,
    view::{DayBars, Frame, Step, Trouble},
};

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
