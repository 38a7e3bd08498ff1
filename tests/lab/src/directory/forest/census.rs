//! Who is in the forest, as plain values: what a test compares the product's picture with.

use super::Forest;
use crate::directory::{
    attribute::Attr,
    entry::{Entry, EntryId, Life},
    forest::admin::DISABLED,
};
use serde::Serialize;
use uuid::Uuid;

/// One user object of the directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Person {
    pub guid: Uuid,
    pub dn: String,
    pub account_name: String,
    pub display_name: Option<String>,
    pub given_name: Option<String>,
    pub surname: Option<String>,
    pub mail: Option<String>,
    pub principal_name: Option<String>,
    pub state: AccountState,
    /// Default accounts and those the system needs: Administrator, Guest, krbtgt.
    pub standing: Standing,
    /// Groups that list this person as a member, by GUID.
    pub groups: Vec<Uuid>,
    pub primary_group: Option<Uuid>,
    /// The containers above, nearest first, by GUID.
    pub containers: Vec<Uuid>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountState {
    Enabled,
    Disabled,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    Ordinary,
    System,
}

/// An organizational unit or a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Place {
    pub guid: Uuid,
    pub dn: String,
    pub name: String,
}

impl Forest {
    /// Every live user object (sAMAccountType 805306368), in the order of their making.
    pub fn people(&self) -> Vec<Person> {
        self.ids().filter(|id| self.is_person(*id)).map(|id| self.person(id)).collect()
    }

    pub fn organizational_units(&self) -> Vec<Place> {
        self.places("organizationalUnit")
    }

    pub fn groups(&self) -> Vec<Place> {
        self.places("group")
    }

    fn places(&self, class: &str) -> Vec<Place> {
        let live = |id: &EntryId| self.entry(*id).life == Life::Live && self.entry(*id).has_class(class);
        self.ids().filter(live).map(|id| self.place(id)).collect()
    }

    fn place(&self, id: EntryId) -> Place {
        let entry = self.entry(id);
        Place { guid: entry.guid, dn: self.dn(id), name: entry.relative_name.value.clone() }
    }

    fn is_person(&self, id: EntryId) -> bool {
        let entry = self.entry(id);
        entry.life == Life::Live && entry.text(Attr::AccountType) == Some("805306368")
    }

    pub fn person(&self, id: EntryId) -> Person {
        let entry = self.entry(id);
        let text = |attr| entry.text(attr).map(str::to_owned);
        let primary = self.primary_group_of(id);
        Person {
            guid: entry.guid,
            dn: self.dn(id),
            account_name: text(Attr::AccountName).unwrap_or_default(),
            display_name: text(Attr::DisplayName),
            given_name: text(Attr::GivenName),
            surname: text(Attr::Surname),
            mail: text(Attr::Mail),
            principal_name: text(Attr::PrincipalName),
            state: account_state(entry),
            standing: standing(entry),
            groups: entry.member_of.iter().map(|group| self.entry(*group).guid).collect(),
            primary_group: primary.map(|group| self.entry(group).guid),
            containers: self.containers(entry),
        }
    }

    fn containers(&self, entry: &Entry) -> Vec<Uuid> {
        std::iter::successors(entry.parent, |id| self.entry(*id).parent).map(|id| self.entry(id).guid).collect()
    }
}

fn account_state(entry: &Entry) -> AccountState {
    match entry.number(Attr::UserAccountControl).unwrap_or(0) & DISABLED {
        0 => AccountState::Enabled,
        _ => AccountState::Disabled,
    }
}

fn standing(entry: &Entry) -> Standing {
    let default_account = entry.sid().and_then(|sid| sid.rid()).is_some_and(|rid| rid < 1000);
    if default_account || entry.text(Attr::IsCritical) == Some("TRUE") { Standing::System } else { Standing::Ordinary }
}
