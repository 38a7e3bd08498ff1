//! All agents of all customers, with what is wrong with each.

use askama::Template;

use super::{
    runs::Chip,
    view::{Frame, Moment, Pager, Pill},
};

#[derive(Debug, Clone)]
pub struct AgentRow {
    pub href: String,
    pub host: String,
    pub customer: String,
    pub customer_href: String,
    pub state: Pill,
    pub reason: String,
    pub dc: String,
    pub transport: String,
    pub version: String,
    pub last_seen: Option<Moment>,
}

#[derive(Debug, Template)]
#[template(path = "agents.html")]
pub struct AgentsPage {
    pub frame: Frame,
    pub here: String,
    pub chips: Vec<Chip>,
    pub rows: Vec<AgentRow>,
    pub pager: Pager,
}
