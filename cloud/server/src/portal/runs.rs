//! The list of runs, of all customers or of one.

use askama::Template;

use super::{
    customer::CustomerHead,
    view::{Frame, Link, Moment, Pager, Pill},
};

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
