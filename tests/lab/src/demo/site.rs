//! One customer's side of the demo: their directory and their agent.

use super::DemoError;
use super::domain::{Domain, Kind};
use crate::world::{Agent, AgentSetup};
use serde_json::{Value, json};
use uuid::Uuid;

#[derive(Debug)]
pub struct Site {
    pub name: String,
    pub domain: Domain,
    pub agent: Agent,
    /// Its id at the cloud, once it was made there.
    pub customer: String,
}

impl Site {
    pub fn open(name: &str, kind: Kind, number: usize, users: usize) -> Result<Self, DemoError> {
        let domain = Domain::open(kind, number, users)?;
        let mut setup = AgentSetup::new(domain.binding()?);
        setup.patience_seconds = 60;
        let agent = Agent::prepare(&setup)?;
        Ok(Self { name: name.to_owned(), domain, agent, customer: String::new() })
    }

    pub fn import_request(&self, directory: &Value) -> Result<Value, DemoError> {
        let selection = self.domain.selection()?;
        let of_kind = |kind: &'static str| move |guid: &Uuid| json!({"guid": guid, "kind": kind});
        let include: Vec<Value> =
            selection.ous.iter().map(of_kind("ou")).chain(selection.groups.iter().map(of_kind("group"))).collect();
        Ok(json!({"name": "Staff", "directory_id": directory, "include": include, "exclude": []}))
    }
}
