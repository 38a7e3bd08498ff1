//! One customer's side of the demo: their directory, their agent, and who is in scope by the lab's own reckoning.

use super::DemoError;
use crate::directory::{Directory, Person, Plan, Setup, Standing};
use crate::world::{Agent, AgentSetup, Binding};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use tempfile::TempDir;
use uuid::Uuid;

/// The selection that the demo makes: an OU with everything below it, and a group across the others.
#[derive(Debug, Clone)]
pub struct Selection {
    pub ous: Vec<Uuid>,
    pub groups: Vec<Uuid>,
}

#[derive(Debug)]
pub struct Site {
    pub name: String,
    pub directory: Directory,
    pub agent: Agent,
    /// Its id at the cloud, once it was made there.
    pub customer: String,
    _trust: TempDir,
}

impl Site {
    pub fn open(name: &str, number: usize, users: usize) -> Result<Self, DemoError> {
        let domain = format!("customer{}.example", number + 1);
        let plan = Plan::new(users, number as u64 + 1).named(&domain);
        let directory = Directory::start(&plan, Setup::default())?;
        let trust = tempfile::tempdir()?;
        let ca_file = trust.path().join("ca.pem");
        directory.authority().write_pem(&ca_file)?;
        let agent = Agent::prepare(&AgentSetup::new(Binding {
            host: directory.host_name(),
            address: directory.ldaps().ip().to_string(),
            port: directory.ldaps().port(),
            transport: "ldaps".into(),
            ca_file,
            user: directory.bind_name(),
            password: directory.password().to_owned(),
        }))?;
        Ok(Self { name: name.to_owned(), directory, agent, customer: String::new(), _trust: trust })
    }

    /// Everybody below `OU=Staff`, and the members of a group that reaches beyond it.
    pub fn selection(&self) -> Selection {
        let group = self.directory.groups().into_iter().find(|group| group.name == "VPN Users").map(|group| group.guid);
        Selection { ous: self.directory.at("OU=Staff").into_iter().collect(), groups: group.into_iter().collect() }
    }

    /// Who must be in the cloud, from the directory's own data.
    pub fn in_scope(&self) -> BTreeMap<Uuid, Person> {
        let selection = self.selection();
        let is_selected = |person: &Person| {
            person.containers.iter().any(|ou| selection.ous.contains(ou))
                || person.groups.iter().chain(&person.primary_group).any(|group| selection.groups.contains(group))
        };
        let is_importable =
            |person: &Person| person.standing == Standing::Ordinary && !person.account_name.ends_with('$');
        let people = self.directory.people().into_iter();
        people
            .filter(|person| is_importable(person) && is_selected(person))
            .map(|person| (person.guid, person))
            .collect()
    }

    pub fn import_request(&self, directory: &Value) -> Value {
        let selection = self.selection();
        let of_kind =
            |guids: &[Uuid], kind: &str| guids.iter().map(|guid| json!({"guid": guid, "kind": kind})).collect();
        let include: Vec<Value> = [of_kind(&selection.ous, "ou"), of_kind(&selection.groups, "group")]
            .into_iter()
            .flat_map(|list: Vec<Value>| list)
            .collect();
        json!({"name": "Staff", "directory_id": directory, "include": include, "exclude": []})
    }
}
