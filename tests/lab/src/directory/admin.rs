//! The administrator's hands on a running directory. Objects are named by their GUID, which outlives names and places.

use super::{
    Directory, Forest, ForestError, GroupKind, NewPerson, Person, Place, attribute::Attr, entry::EntryId, entry::Values,
};
use uuid::Uuid;

impl Directory {
    /// Any change at all; the named ones below cover what administrators do every day.
    pub fn change<T>(&self, action: impl FnOnce(&mut Forest) -> Result<T, ForestError>) -> Result<T, ForestError> {
        action(&mut self.shared.forest_mut())
    }

    fn on(
        &self,
        guid: Uuid,
        action: impl FnOnce(&mut Forest, EntryId) -> Result<(), ForestError>,
    ) -> Result<(), ForestError> {
        self.change(|forest| {
            let id = forest.get_guid(guid)?;
            action(forest, id)
        })
    }

    fn with_two(
        &self,
        left: Uuid,
        right: Uuid,
        action: impl FnOnce(&mut Forest, EntryId, EntryId) -> Result<(), ForestError>,
    ) -> Result<(), ForestError> {
        self.change(|forest| {
            let (left, right) = (forest.get_guid(left)?, forest.get_guid(right)?);
            action(forest, left, right)
        })
    }

    pub fn people(&self) -> Vec<Person> {
        self.read(Forest::people)
    }

    pub fn person(&self, guid: Uuid) -> Option<Person> {
        self.read(|forest| forest.find_guid(guid).map(|id| forest.person(id)))
    }

    pub fn organizational_units(&self) -> Vec<Place> {
        self.read(Forest::organizational_units)
    }

    pub fn groups(&self) -> Vec<Place> {
        self.read(Forest::groups)
    }

    /// The organizational unit or other object with this distinguished name, given without the domain's part: `OU=Sales,OU=Berlin,OU=Staff`.
    pub fn at(&self, path: &str) -> Option<Uuid> {
        self.read(|forest| {
            let dn = format!("{path},{}", forest.dn(forest.landmarks.domain));
            forest.find_dn(&dn).map(|id| forest.entry(id).guid)
        })
    }

    /// The person, group or computer with this account name.
    pub fn account(&self, account_name: &str) -> Option<Uuid> {
        self.read(|forest| forest.find_account(account_name).map(|id| forest.entry(id).guid))
    }

    pub fn add_person(&self, place: Uuid, person: &NewPerson) -> Result<Uuid, ForestError> {
        self.change(|forest| {
            let place = forest.get_guid(place)?;
            forest.add_person(place, person).map(|id| forest.entry(id).guid)
        })
    }

    pub fn add_ou(&self, place: Uuid, name: &str) -> Result<Uuid, ForestError> {
        self.change(|forest| {
            let place = forest.get_guid(place)?;
            forest.add_ou(place, name).map(|id| forest.entry(id).guid)
        })
    }

    pub fn add_group(&self, place: Uuid, name: &str, kind: GroupKind) -> Result<Uuid, ForestError> {
        self.change(|forest| {
            let place = forest.get_guid(place)?;
            forest.add_group(place, name, kind).map(|id| forest.entry(id).guid)
        })
    }

    pub fn join(&self, member: Uuid, group: Uuid) -> Result<(), ForestError> {
        self.with_two(member, group, Forest::join)
    }

    pub fn leave(&self, member: Uuid, group: Uuid) -> Result<(), ForestError> {
        self.with_two(member, group, Forest::leave)
    }

    pub fn rename(&self, guid: Uuid, new_name: &str) -> Result<(), ForestError> {
        self.on(guid, |forest, id| forest.rename(id, new_name))
    }

    pub fn move_to(&self, guid: Uuid, place: Uuid) -> Result<(), ForestError> {
        self.with_two(guid, place, Forest::move_to)
    }

    pub fn disable(&self, guid: Uuid) -> Result<(), ForestError> {
        self.on(guid, Forest::disable)
    }

    pub fn enable(&self, guid: Uuid) -> Result<(), ForestError> {
        self.on(guid, Forest::enable)
    }

    pub fn delete(&self, guid: Uuid) -> Result<(), ForestError> {
        self.on(guid, Forest::delete)
    }

    pub fn delete_tree(&self, guid: Uuid) -> Result<(), ForestError> {
        self.on(guid, Forest::delete_tree)
    }

    pub fn undelete(&self, guid: Uuid) -> Result<(), ForestError> {
        self.on(guid, Forest::undelete)
    }

    /// Deletes a person and makes another with the same names in the same place: a new GUID, which is returned.
    pub fn recreate(&self, guid: Uuid) -> Result<Uuid, ForestError> {
        let old = self.person(guid).ok_or_else(|| ForestError::NoSuchObject(guid.to_string()))?;
        let place = old.containers.first().copied().unwrap_or_default();
        self.delete(guid)?;
        self.add_person(
            place,
            &NewPerson {
                given_name: old.given_name.unwrap_or_default(),
                surname: old.surname.unwrap_or_default(),
                account_name: old.account_name,
                mail: old.mail,
            },
        )
    }

    pub fn set(&self, guid: Uuid, attr: Attr, values: Values) -> Result<(), ForestError> {
        self.on(guid, |forest, id| {
            forest.set(id, attr, values);
            Ok(())
        })
    }

    pub fn clear(&self, guid: Uuid, attr: Attr) -> Result<(), ForestError> {
        self.on(guid, |forest, id| {
            forest.clear(id, attr);
            Ok(())
        })
    }

    pub fn swap_mails(&self, left: Uuid, right: Uuid) -> Result<(), ForestError> {
        self.with_two(left, right, |forest, left, right| {
            forest.swap_mails(left, right);
            Ok(())
        })
    }

    pub fn set_primary_group(&self, person: Uuid, group: Uuid) -> Result<(), ForestError> {
        self.with_two(person, group, Forest::set_primary_group)
    }

    pub fn set_password(&self, guid: Uuid, password: &str) {
        self.set_rules(|rules| {
            rules.passwords.insert(guid, password.to_owned());
        });
    }
}
