//! What an administrator does to a running domain. Objects are named by their GUID, which outlives names and places.

use super::{Samba, SambaError, SambaPerson};
use serde_json::{Value, json};
use uuid::Uuid;

impl Samba {
    fn act(&self, command: &Value) -> Result<(), SambaError> {
        self.desk().ask(command).map(|_| ())
    }

    fn make(&self, command: &Value) -> Result<Uuid, SambaError> {
        self.desk().guid(command)
    }

    /// The object at this place: `OU=Sales,OU=Staff`, without the domain's part.
    pub fn at(&self, path: &str) -> Result<Uuid, SambaError> {
        self.make(&json!({ "do": "guid_at", "dn": path }))
    }

    /// The person or group with this account name.
    pub fn account(&self, account_name: &str) -> Result<Uuid, SambaError> {
        self.make(&json!({ "do": "account", "account_name": account_name }))
    }

    /// `path` names units from the outside in.
    pub fn add_ou(&self, path: &[&str]) -> Result<Uuid, SambaError> {
        self.make(&json!({ "do": "make_ou", "path": path }))
    }

    pub fn add_group(&self, path: &[&str], name: &str) -> Result<Uuid, SambaError> {
        self.make(&json!({ "do": "make_group", "path": path, "name": name }))
    }

    /// Makes one person; the groups of the description are joined, too.
    pub fn add_person(&self, person: &SambaPerson) -> Result<Uuid, SambaError> {
        let mut command = serde_json::to_value(person).unwrap_or_default();
        command["do"] = "make_person".into();
        let guid = self.make(&command)?;
        for group in &person.groups {
            self.join(guid, self.account(group)?)?;
        }
        Ok(guid)
    }

    /// Makes any object below a unit: a contact, a computer, an inetOrgPerson.
    pub fn add_object(
        &self,
        path: &[&str],
        name: &str,
        class: &str,
        values: &[(&str, &str)],
    ) -> Result<Uuid, SambaError> {
        let values: serde_json::Map<String, Value> =
            values.iter().map(|(attribute, value)| ((*attribute).to_owned(), json!(value))).collect();
        self.make(&json!({ "do": "make_object", "path": path, "name": name, "class": class, "values": values }))
    }

    pub fn join(&self, member: Uuid, group: Uuid) -> Result<(), SambaError> {
        self.act(&json!({ "do": "join", "guid": member, "group": group }))
    }

    pub fn leave(&self, member: Uuid, group: Uuid) -> Result<(), SambaError> {
        self.act(&json!({ "do": "leave", "guid": member, "group": group }))
    }

    pub fn rename(&self, guid: Uuid, new_name: &str) -> Result<(), SambaError> {
        self.act(&json!({ "do": "rename", "guid": guid, "name": new_name }))
    }

    pub fn move_to(&self, guid: Uuid, place: Uuid) -> Result<(), SambaError> {
        self.act(&json!({ "do": "move", "guid": guid, "to": place }))
    }

    pub fn disable(&self, guid: Uuid) -> Result<(), SambaError> {
        self.act(&json!({ "do": "disable", "guid": guid }))
    }

    pub fn enable(&self, guid: Uuid) -> Result<(), SambaError> {
        self.act(&json!({ "do": "enable", "guid": guid }))
    }

    pub fn delete(&self, guid: Uuid) -> Result<(), SambaError> {
        self.act(&json!({ "do": "delete", "guid": guid }))
    }

    pub fn delete_tree(&self, guid: Uuid) -> Result<(), SambaError> {
        self.act(&json!({ "do": "delete", "guid": guid, "tree": true }))
    }

    /// Deletes a person and makes another with the same names in the same place: a new GUID, which is returned.
    pub fn recreate(&self, guid: Uuid) -> Result<Uuid, SambaError> {
        self.make(&json!({ "do": "recreate", "guid": guid }))
    }

    pub fn undelete(&self, guid: Uuid) -> Result<(), SambaError> {
        self.act(&json!({ "do": "undelete", "guid": guid }))
    }

    /// Replaces all values of an attribute; none clears it.
    pub fn set(&self, guid: Uuid, attribute: &str, values: &[&str]) -> Result<(), SambaError> {
        self.act(&json!({ "do": "set", "guid": guid, "attribute": attribute, "values": values }))
    }

    pub fn swap_mails(&self, left: Uuid, right: Uuid) -> Result<(), SambaError> {
        self.act(&json!({ "do": "swap_mails", "guid": left, "other": right }))
    }

    pub fn set_primary_group(&self, person: Uuid, group: Uuid) -> Result<(), SambaError> {
        self.act(&json!({ "do": "set_primary_group", "guid": person, "group": group }))
    }

    /// Lets the service account look into the container of deleted objects.
    pub fn grant_deleted_objects(&self) -> Result<(), SambaError> {
        self.act(&json!({ "do": "grant_deleted_objects", "guid": self.service_account() }))
    }
}
