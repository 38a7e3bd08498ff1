//! One agent: its health as it last told it, who it is, and the way to retire it.

use askama::Template;

use super::{
    customer::CustomerHead,
    person::Fact,
    view::{Frame, Moment, Pill, Trouble},
};

#[derive(Debug, Template)]
#[template(path = "agent.html")]
pub struct AgentPage {
    pub frame: Frame,
    pub customer: CustomerHead,
    pub here: String,
    pub host: String,
    pub state: Pill,
    pub troubles: Vec<Trouble>,
    pub health: Vec<Fact>,
    pub last_seen: Option<Moment>,
    pub identity: Vec<Fact>,
    pub enrolled: Moment,
    pub may_revoke: bool,
}
