//! The directory of one demo customer, scripted or real, and who is in scope by the lab's own reckoning.

use super::DemoError;
use crate::directory::{AccountState, Directory, Person, Plan, Setup, Standing};
use crate::oracle::OraclePerson;
use crate::samba::{Filling, Samba, SambaSetup};
use crate::world::Binding;
use std::collections::BTreeMap;
use tempfile::TempDir;
use uuid::Uuid;

/// Which kind of directory the customers have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Scripted,
    /// A real Samba AD DC each; needs its Debian packages and root.
    Samba,
}

#[derive(Debug)]
pub enum Domain {
    Scripted { directory: Box<Directory>, trust: TempDir },
    Samba(Box<Samba>),
}

/// The selection that the demo makes: an OU with everything below it, and a group across the others.
#[derive(Debug, Clone)]
pub struct Selection {
    pub ous: Vec<Uuid>,
    pub groups: Vec<Uuid>,
}

/// What the cloud must show of a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    pub account_name: String,
    pub mail: Option<String>,
    pub is_enabled: bool,
    pub dn: String,
}

impl Domain {
    pub fn open(kind: Kind, number: usize, users: usize) -> Result<Self, DemoError> {
        let name = format!("customer{}.example", number + 1);
        match kind {
            Kind::Scripted => {
                let plan = Plan::new(users, number as u64 + 1).named(&name);
                let directory = Box::new(Directory::start(&plan, Setup::default())?);
                let trust = tempfile::tempdir()?;
                Ok(Self::Scripted { directory, trust })
            }
            Kind::Samba => {
                let samba = Samba::start(&SambaSetup { domain_name: name, address: None })?;
                samba.fill(&Filling::company(users, number as u64 + 1))?;
                Ok(Self::Samba(Box::new(samba)))
            }
        }
    }

    pub fn binding(&self) -> Result<Binding, DemoError> {
        match self {
            Self::Scripted { directory, trust } => Ok(Binding::to_directory(directory, &trust.path().join("ca.pem"))?),
            Self::Samba(samba) => Ok(Binding::to_samba(samba)),
        }
    }

    /// Everybody below `OU=Staff`, and the members of a group that reaches beyond it.
    pub fn selection(&self) -> Result<Selection, DemoError> {
        match self {
            Self::Scripted { directory, .. } => Ok(Selection {
                ous: directory.at("OU=Staff").into_iter().collect(),
                groups: directory.account("VPN Users").into_iter().collect(),
            }),
            Self::Samba(samba) => {
                Ok(Selection { ous: vec![samba.at("OU=Sales,OU=Staff")?], groups: vec![samba.account("VPN Users")?] })
            }
        }
    }

    /// All user objects, in scope or not.
    pub fn count_people(&self) -> Result<usize, DemoError> {
        match self {
            Self::Scripted { directory, .. } => Ok(directory.people().len()),
            Self::Samba(samba) => Ok(samba.people()?.len()),
        }
    }

    /// Who must be in the cloud, from the directory's own data.
    pub fn in_scope(&self) -> Result<BTreeMap<Uuid, Expected>, DemoError> {
        match self {
            Self::Scripted { directory, .. } => Ok(scripted_scope(directory, &self.selection()?)),
            Self::Samba(samba) => samba_scope(samba),
        }
    }

    /// Write operations that the directory saw.
    pub fn count_writes(&self) -> u64 {
        match self {
            Self::Scripted { directory, .. } => directory.tally().writes,
            Self::Samba(samba) => samba.remote_changes().len() as u64,
        }
    }
}

fn scripted_scope(directory: &Directory, selection: &Selection) -> BTreeMap<Uuid, Expected> {
    let is_selected = |person: &Person| {
        person.containers.iter().any(|ou| selection.ous.contains(ou))
            || person.groups.iter().chain(&person.primary_group).any(|group| selection.groups.contains(group))
    };
    let is_importable = |person: &Person| person.standing == Standing::Ordinary && !person.account_name.ends_with('$');
    let people = directory.people().into_iter().filter(|person| is_importable(person) && is_selected(person));
    let expected = |person: Person| Expected {
        is_enabled: person.state == AccountState::Enabled,
        account_name: person.account_name,
        mail: person.mail,
        dn: person.dn,
    };
    people.map(|person| (person.guid, expected(person))).collect()
}

fn samba_scope(samba: &Samba) -> Result<BTreeMap<Uuid, Expected>, DemoError> {
    let unit = format!("OU=Sales,OU=Staff,{}", samba.base_dn());
    let is_selected = |person: &OraclePerson| {
        person.is_under(&unit) || person.member_of.iter().any(|group| group.starts_with("CN=VPN Users,"))
    };
    let people = samba.people()?.into_iter().filter(|person| !person.is_default_account() && is_selected(person));
    let expected = |person: OraclePerson| Expected {
        is_enabled: !person.is_disabled(),
        account_name: person.account_name,
        mail: person.mail,
        dn: person.dn,
    };
    Ok(people.map(|person| (person.guid, expected(person))).collect())
}
