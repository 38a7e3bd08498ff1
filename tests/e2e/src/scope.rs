//! Who should be here, reckoned from the directory by the lab alone.

use crate::picture::Seen;
use rollcall_lab::directory::{AccountState, Directory, Person, Standing, sid::Sid};
use rollcall_lab::oracle::OraclePerson;
use rollcall_lab::samba::{Samba, SambaError};
use std::collections::BTreeMap;
use uuid::Uuid;

/// A selection in a Samba domain, by objectGUID. Names are looked up each time, so that renames are followed.
#[derive(Debug, Clone, Default)]
pub struct SambaScope {
    pub ous: Vec<Uuid>,
    pub groups: Vec<Uuid>,
}

impl SambaScope {
    pub fn people(&self, samba: &Samba) -> Result<BTreeMap<Uuid, Seen>, SambaError> {
        let ous = self.ous.iter().map(|guid| name_of(samba, *guid)).collect::<Result<Vec<_>, _>>()?;
        let groups = self.groups.iter().map(|guid| group_of(samba, *guid)).collect::<Result<Vec<_>, _>>()?;
        let is_member = |person: &OraclePerson, (dn, rid): &(String, Option<u32>)| {
            let is_listed = person.member_of.iter().any(|group| group.eq_ignore_ascii_case(dn));
            is_listed || (rid.is_some() && person.primary_group_id == *rid)
        };
        let is_selected = |person: &OraclePerson| {
            ous.iter().any(|dn| person.is_under(dn)) || groups.iter().any(|group| is_member(person, group))
        };
        let people = samba.people()?.into_iter();
        Ok(people
            .filter(|person| !person.is_default_account() && is_selected(person))
            .map(|person| (person.guid, seen(person)))
            .collect())
    }
}

fn name_of(samba: &Samba, guid: Uuid) -> Result<String, SambaError> {
    let found = samba.reader().run(&format!("<GUID={guid}>"), "base", "(objectClass=*)", &["cn"])?;
    Ok(found.into_iter().next().map(|entry| entry.dn).unwrap_or_default())
}

fn group_of(samba: &Samba, guid: Uuid) -> Result<(String, Option<u32>), SambaError> {
    let found = samba.reader().run(&format!("<GUID={guid}>"), "base", "(objectClass=*)", &["objectSid"])?;
    let Some(entry) = found.into_iter().next() else { return Ok((String::new(), None)) };
    let sid = entry.values("objectSid").first().and_then(|bytes| Sid::from_bytes(bytes));
    Ok((entry.dn.clone(), sid.and_then(|sid| sid.rid())))
}

fn seen(person: OraclePerson) -> Seen {
    Seen {
        is_enabled: !person.is_disabled(),
        dn: person.dn,
        display_name: person.display_name.unwrap_or_else(|| person.account_name.clone()),
        account_name: person.account_name,
        principal_name: person.principal_name,
        given_name: person.given_name,
        surname: person.surname,
        mail: person.mail,
    }
}

/// A selection in a scripted directory.
#[derive(Debug, Clone, Default)]
pub struct ScriptedScope {
    pub ous: Vec<Uuid>,
    pub groups: Vec<Uuid>,
}

impl ScriptedScope {
    pub fn people(&self, directory: &Directory) -> BTreeMap<Uuid, Seen> {
        let is_selected = |person: &Person| {
            let mut groups = person.groups.iter().chain(&person.primary_group);
            person.containers.iter().any(|ou| self.ous.contains(ou)) || groups.any(|group| self.groups.contains(group))
        };
        let is_importable =
            |person: &Person| person.standing == Standing::Ordinary && !person.account_name.ends_with('$');
        let people = directory.people().into_iter();
        let people = people.filter(|person| is_importable(person) && is_selected(person));
        people.map(|person| (person.guid, seen_in_script(person))).collect()
    }
}

fn seen_in_script(person: Person) -> Seen {
    Seen {
        dn: person.dn,
        display_name: person.display_name.unwrap_or_else(|| person.account_name.clone()),
        account_name: person.account_name,
        principal_name: person.principal_name,
        given_name: person.given_name,
        surname: person.surname,
        mail: person.mail,
        is_enabled: person.state == AccountState::Enabled,
    }
}
