//! One person as the agent read them: the record that stands for them everywhere.

use crate::hash::Hash;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use uuid::Uuid;

/// A person of one directory. Identity is `guid` alone; every other field may change.
///
/// Absent fields were not set, not readable, or are not sent by the customer's own choice.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// objectGUID (MS-ADTS 3.1.1.1.3): stays through renames and moves, is new for a re-created account.
    pub guid: Uuid,
    /// objectSid in its string form (MS-DTYP 2.4.2.1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<String>,
    pub dn: String,
    /// sAMAccountName.
    pub account_name: String,
    /// userPrincipalName.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_principal_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub given_name: Option<String>,
    /// sn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub surname: Option<String>,
    /// mail. Nothing in Active Directory makes it unique.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mail: Option<String>,
    /// telephoneNumber.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mobile: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub department: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub company: Option<String>,
    /// physicalDeliveryOfficeName.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub office: Option<String>,
    /// employeeID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub employee_id: Option<String>,
    /// DN of the manager.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manager: Option<String>,
    /// description; multi-valued in the schema, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub description: Vec<String>,
    pub status: Status,
    /// Further attributes the import asks for, by lower-case LDAP name; values sorted.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub extra: BTreeMap<String, Vec<String>>,
    /// The imports this person is in, sorted by import, each with the selections that hold them.
    pub imports: Vec<InImport>,
}

/// What the directory says of the account itself, each fact read separately.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// userAccountControl bit 2 is not set.
    pub enabled: bool,
    /// accountExpires; `None` is never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<DateTime<Utc>>,
    /// lockoutTime; the lock may have ended since by the domain's lockout duration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locked_at: Option<DateTime<Utc>>,
    /// pwdLastSet; `None` is "must change at next sign-in" or unreadable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_set_at: Option<DateTime<Utc>>,
    /// userAccountControl bit 0x10000.
    #[serde(default)]
    pub password_never_expires: bool,
    /// adminCount is 1: is, or once was, in a protected group.
    #[serde(default)]
    pub privileged_history: bool,
}

/// Membership of one import, with the reasons.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InImport {
    pub import: Uuid,
    /// objectGUIDs of the selected OUs and groups that hold the person; sorted, never empty.
    pub via: Vec<Uuid>,
}

/// A person together with the exact bytes they travel as. The bytes are the record: both sides hash them as they are,
/// so that an older reader, which skips fields it does not know, still agrees with a newer writer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonRecord {
    pub person: Person,
    pub json: String,
}

impl PersonRecord {
    pub fn write(person: Person) -> Result<Self, serde_json::Error> {
        let json = serde_json::to_string(&person)?;
        Ok(Self { person, json })
    }

    pub fn read(json: &str) -> Result<Self, serde_json::Error> {
        Ok(Self { person: serde_json::from_str(json)?, json: json.to_owned() })
    }

    pub fn hash(&self) -> Hash {
        Hash::of(self.json.as_bytes())
    }
}
