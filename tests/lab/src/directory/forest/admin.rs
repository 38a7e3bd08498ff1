//! What an administrator does to a forest. Each action moves the same update sequence numbers as it would on a domain controller.

use super::{Forest, ForestError, Shelf};
use crate::directory::{
    attribute::Attr,
    dn::RelativeName,
    entry::{EntryId, Life, Values},
};
use uuid::Uuid;

/// What a new person needs; everything else is set afterwards.
#[derive(Debug, Clone)]
pub struct NewPerson {
    pub given_name: String,
    pub surname: String,
    pub account_name: String,
    pub mail: Option<String>,
}

impl NewPerson {
    pub fn new(given_name: &str, surname: &str, account_name: &str, mail: &str) -> Self {
        Self {
            given_name: given_name.to_owned(),
            surname: surname.to_owned(),
            account_name: account_name.to_owned(),
            mail: Some(mail.to_owned()),
        }
    }

    fn display_name(&self) -> String {
        format!("{} {}", self.given_name, self.surname).trim().to_owned()
    }
}

/// The bits of groupType (MS-ADTS 2.2.12).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupKind {
    GlobalSecurity,
    UniversalSecurity,
    LocalSecurity,
    BuiltinSecurity,
    Distribution,
}

impl GroupKind {
    pub fn bits(self) -> i32 {
        const SECURITY: i32 = i32::MIN;
        match self {
            GroupKind::GlobalSecurity => SECURITY | 2,
            GroupKind::UniversalSecurity => SECURITY | 8,
            GroupKind::LocalSecurity => SECURITY | 4,
            GroupKind::BuiltinSecurity => SECURITY | 5,
            GroupKind::Distribution => 8,
        }
    }

    fn account_type(self) -> i64 {
        match self {
            GroupKind::GlobalSecurity | GroupKind::UniversalSecurity => 268_435_456,
            GroupKind::Distribution => 268_435_457,
            GroupKind::LocalSecurity | GroupKind::BuiltinSecurity => 536_870_912,
        }
    }
}

pub const DISABLED: i64 = 0x2;
const DOMAIN_USERS: i64 = 513;
/// What a tombstone keeps (MS-ADTS 3.1.1.5.5.1.1), as far as the directory holds it.
const KEPT: &[Attr] =
    &[Attr::ObjectClass, Attr::ObjectSid, Attr::AccountName, Attr::UserAccountControl, Attr::GroupType];

impl Forest {
    pub fn get_guid(&self, guid: Uuid) -> Result<EntryId, ForestError> {
        self.find_guid(guid).ok_or_else(|| ForestError::NoSuchObject(guid.to_string()))
    }

    pub fn add_container(
        &mut self,
        parent: EntryId,
        name: RelativeName,
        classes: &[&str],
    ) -> Result<EntryId, ForestError> {
        if self.find_child(parent, &name).is_some() {
            return Err(ForestError::Exists(name.value));
        }
        let id = self.insert(Some(parent), name, Shelf::Listed);
        self.entry_mut(id).set(Attr::ObjectClass, Values::many(classes));
        Ok(id)
    }

    pub fn add_ou(&mut self, parent: EntryId, name: &str) -> Result<EntryId, ForestError> {
        let id = self.add_container(parent, RelativeName::new("OU", name), &["top", "organizationalUnit"])?;
        self.set_category(id, "Organizational-Unit");
        Ok(id)
    }

    pub fn add_group(&mut self, parent: EntryId, name: &str, kind: GroupKind) -> Result<EntryId, ForestError> {
        let id = self.add_container(parent, RelativeName::new("CN", name), &["top", "group"])?;
        self.set_category(id, "Group");
        self.set_new_sid(id);
        let entry = self.entry_mut(id);
        entry.set(Attr::AccountName, Values::one(name));
        entry.set(Attr::AccountType, Values::one(kind.account_type().to_string()));
        entry.set(Attr::GroupType, Values::one(kind.bits().to_string()));
        Ok(id)
    }

    pub fn add_person(&mut self, parent: EntryId, person: &NewPerson) -> Result<EntryId, ForestError> {
        let name = RelativeName::new("CN", &person.display_name());
        let id = self.add_container(parent, name, &["top", "person", "organizationalPerson", "user"])?;
        self.set_category(id, "Person");
        self.set_new_sid(id);
        let principal = format!("{}@{}", person.account_name, self.domain_name);
        let entry = self.entry_mut(id);
        for (attr, value) in [
            (Attr::GivenName, person.given_name.as_str()),
            (Attr::Surname, person.surname.as_str()),
            (Attr::DisplayName, person.display_name().as_str()),
            (Attr::AccountName, person.account_name.as_str()),
            (Attr::PrincipalName, principal.as_str()),
            (Attr::Mail, person.mail.as_deref().unwrap_or_default()),
            (Attr::UserAccountControl, "512"),
            (Attr::AccountType, "805306368"),
            (Attr::PrimaryGroupId, "513"),
            (Attr::AccountExpires, "9223372036854775807"),
            (Attr::LockoutTime, "0"),
        ] {
            if !value.is_empty() {
                entry.set(attr, Values::one(value));
            }
        }
        Ok(id)
    }

    /// Adds to the forward link; on a domain controller only the group's own number moves.
    pub fn join(&mut self, member: EntryId, group: EntryId) -> Result<(), ForestError> {
        self.require_class(group, "group")?;
        self.entry_mut(group).members.insert(member);
        self.entry_mut(member).member_of.insert(group);
        self.touch(group);
        Ok(())
    }

    pub fn leave(&mut self, member: EntryId, group: EntryId) -> Result<(), ForestError> {
        self.require_class(group, "group")?;
        self.entry_mut(group).members.remove(&member);
        self.entry_mut(member).member_of.remove(&group);
        self.touch(group);
        Ok(())
    }

    /// Changes the relative name; the names of all objects below follow, their numbers do not.
    pub fn rename(&mut self, id: EntryId, new_name: &str) -> Result<(), ForestError> {
        let kind = self.entry(id).relative_name.kind.clone();
        self.put(id, self.entry(id).parent, RelativeName::new(&kind, new_name))
    }

    pub fn move_to(&mut self, id: EntryId, parent: EntryId) -> Result<(), ForestError> {
        self.put(id, Some(parent), self.entry(id).relative_name.clone())
    }

    fn put(&mut self, id: EntryId, parent: Option<EntryId>, name: RelativeName) -> Result<(), ForestError> {
        if let Some(other) = parent.and_then(|parent| self.find_child(parent, &name))
            && other != id
        {
            return Err(ForestError::Exists(name.value));
        }
        self.relocate(id, parent, name);
        self.touch(id);
        Ok(())
    }

    pub fn disable(&mut self, id: EntryId) -> Result<(), ForestError> {
        self.change_control(id, |bits| bits | DISABLED)
    }

    pub fn enable(&mut self, id: EntryId) -> Result<(), ForestError> {
        self.change_control(id, |bits| bits & !DISABLED)
    }

    fn change_control(&mut self, id: EntryId, change: impl FnOnce(i64) -> i64) -> Result<(), ForestError> {
        self.require_class(id, "user")?;
        let bits = change(self.entry(id).number(Attr::UserAccountControl).unwrap_or(512));
        self.set(id, Attr::UserAccountControl, Values::one(bits.to_string()));
        Ok(())
    }

    pub fn set(&mut self, id: EntryId, attr: Attr, values: Values) {
        self.entry_mut(id).set(attr, values);
        self.touch(id);
    }

    pub fn clear(&mut self, id: EntryId, attr: Attr) {
        self.entry_mut(id).clear(attr);
        self.touch(id);
    }

    pub fn set_manager(&mut self, id: EntryId, manager: Option<EntryId>) {
        if let Some(old) = self.entry(id).manager {
            self.entry_mut(old).reports.remove(&id);
        }
        self.entry_mut(id).manager = manager;
        if let Some(manager) = manager {
            self.entry_mut(manager).reports.insert(id);
        }
        self.touch(id);
    }

    pub fn swap_mails(&mut self, left: EntryId, right: EntryId) {
        for attr in [Attr::Mail, Attr::ProxyAddresses] {
            let of_left = self.entry(left).get(attr).cloned();
            let of_right = self.entry(right).get(attr).cloned();
            self.set_or_clear(left, attr, of_right);
            self.set_or_clear(right, attr, of_left);
        }
    }

    fn set_or_clear(&mut self, id: EntryId, attr: Attr, values: Option<Values>) {
        match values {
            Some(values) => self.set(id, attr, values),
            None => self.clear(id, attr),
        }
    }

    /// The new primary group leaves the person's `memberOf`, the old one enters it (MS-ADTS 3.1.1.5.3.5).
    pub fn set_primary_group(&mut self, person: EntryId, group: EntryId) -> Result<(), ForestError> {
        self.require_class(group, "group")?;
        let old = self.primary_group_of(person);
        if old == Some(group) {
            return Ok(());
        }
        if let Some(old) = old {
            self.join(person, old)?;
        }
        if self.entry(person).member_of.contains(&group) {
            self.leave(person, group)?;
        }
        let rid = self.entry(group).sid().and_then(|sid| sid.rid()).map_or(DOMAIN_USERS, i64::from);
        self.set(person, Attr::PrimaryGroupId, Values::one(rid.to_string()));
        Ok(())
    }

    /// Turns an object without children into a tombstone; groups lose the member without a change of their own.
    pub fn delete(&mut self, id: EntryId) -> Result<(), ForestError> {
        if !self.entry(id).children.is_empty() {
            return Err(ForestError::NotEmpty(self.dn(id)));
        }
        self.unlink(id);
        let parent = self.entry(id).parent.map(|parent| self.dn(parent)).unwrap_or_default();
        let guid = self.entry(id).guid;
        let old = self.entry(id).relative_name.clone();
        let name = RelativeName::new(&old.kind, &format!("{}\nDEL:{guid}", old.value));
        self.relocate(id, Some(self.landmarks.deleted_objects), name);
        let entry = self.entry_mut(id);
        entry.life = Life::Deleted;
        entry.keep_only(KEPT);
        entry.set(Attr::LastKnownParent, Values::one(parent));
        self.touch(id);
        Ok(())
    }

    /// Deletes an object and everything below it, leaves first.
    pub fn delete_tree(&mut self, id: EntryId) -> Result<(), ForestError> {
        self.subtree(id).into_iter().rev().try_for_each(|id| self.delete(id))
    }

    /// Brings a tombstone back to life at its old place: the same object, without its links.
    pub fn undelete(&mut self, id: EntryId) -> Result<(), ForestError> {
        let entry = self.entry(id);
        let parent = entry.text(Attr::LastKnownParent).and_then(|parent| self.find_dn(parent));
        let parent = parent.ok_or_else(|| ForestError::NoSuchObject("last known parent".to_owned()))?;
        let old = entry.relative_name.clone();
        let name = old.value.split('\n').next().unwrap_or_default();
        let (name, account) = (RelativeName::new(&old.kind, name), entry.text(Attr::AccountName).map(str::to_owned));
        self.put(id, Some(parent), name)?;
        let entry = self.entry_mut(id);
        entry.life = Life::Live;
        entry.clear(Attr::LastKnownParent);
        if account.is_some() && entry.has_class("user") {
            entry.set(Attr::AccountType, Values::one("805306368"));
            entry.set(Attr::PrimaryGroupId, Values::one(DOMAIN_USERS.to_string()));
            self.set_category(id, "Person");
        }
        Ok(())
    }

    fn unlink(&mut self, id: EntryId) {
        for group in std::mem::take(&mut self.entry_mut(id).member_of) {
            self.entry_mut(group).members.remove(&id);
        }
        for member in std::mem::take(&mut self.entry_mut(id).members) {
            self.entry_mut(member).member_of.remove(&id);
        }
        for report in std::mem::take(&mut self.entry_mut(id).reports) {
            self.entry_mut(report).manager = None;
        }
        if let Some(manager) = self.entry_mut(id).manager.take() {
            self.entry_mut(manager).reports.remove(&id);
        }
    }

    fn require_class(&self, id: EntryId, class: &'static str) -> Result<(), ForestError> {
        if self.entry(id).has_class(class) { Ok(()) } else { Err(ForestError::WrongKind(self.dn(id), class)) }
    }

    pub(in crate::directory) fn set_category(&mut self, id: EntryId, category: &str) {
        let category = format!("CN={category},{}", self.schema_dn());
        self.entry_mut(id).set(Attr::ObjectCategory, Values::one(category));
    }

    fn set_new_sid(&mut self, id: EntryId) {
        let rid = self.take_rid();
        let sid = self.sid.with_rid(rid);
        self.entry_mut(id).set(Attr::ObjectSid, Values::one(sid.to_bytes()));
    }
}
