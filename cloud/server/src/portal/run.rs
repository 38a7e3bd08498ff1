//! One run: what it changed, for whom, what was set aside and why, and how it went step by step.

use askama::Template;

use super::{
    customer::CustomerHead,
    dashboard::Tile,
    person::Fact,
    view::{Frame, Pager, Pill, Step, Trouble},
};

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
