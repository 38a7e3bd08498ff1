//! What an agent last said of itself, beyond what stands in columns. A report of another version is read as far as it goes.

use rollcall_protocol::{
    ceiling::Ceiling,
    checkin::{Clearing, Problem},
};
use rollcall_store::agents::Agent;
use serde::de::DeserializeOwned;

/// What the customer's own file keeps back; `None` for an agent that never told it.
pub fn ceiling(agent: &Agent) -> Option<Ceiling> {
    part(agent, "ceiling")
}

/// Everything that is wrong, worst first.
pub fn problems(agent: &Agent) -> Vec<Problem> {
    part(agent, "problems").unwrap_or_default()
}

/// Attributes that vanished from many people at once.
pub fn clearings(agent: &Agent) -> Vec<Clearing> {
    part(agent, "clearings").unwrap_or_default()
}

fn part<T: DeserializeOwned>(agent: &Agent, name: &str) -> Option<T> {
    let told = agent.report.as_ref()?.0.get(name)?;
    serde_json::from_value(told.clone()).ok()
}
