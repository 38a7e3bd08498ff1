//! Who is in a directory, told by a client that is not ours: the picture the product's picture must equal.

use crate::{
    directory::sid::Sid,
    ldapsearch::{LdapSearch, LdapSearchError, LdifEntry},
};
use serde::Serialize;
use uuid::Uuid;

/// One user object, as `ldapsearch` sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OraclePerson {
    pub guid: Uuid,
    pub dn: String,
    pub account_name: String,
    pub principal_name: Option<String>,
    pub display_name: Option<String>,
    pub given_name: Option<String>,
    pub surname: Option<String>,
    pub mail: Option<String>,
    pub user_account_control: u32,
    pub primary_group_id: Option<u32>,
    /// The last part of the SID; below 1000 for default accounts.
    pub rid: Option<u32>,
    /// Distinguished names of the groups that list this person.
    pub member_of: Vec<String>,
}

impl OraclePerson {
    pub fn is_disabled(&self) -> bool {
        self.user_account_control & 0x2 != 0
    }

    /// Is the person in this unit or below it?
    pub fn is_under(&self, dn: &str) -> bool {
        self.dn.to_lowercase().ends_with(&format!(",{}", dn.to_lowercase()))
    }

    /// Default accounts are not people: Administrator, Guest, krbtgt.
    pub fn is_default_account(&self) -> bool {
        self.rid.is_some_and(|rid| rid < 1000)
    }
}

const ATTRIBUTES: &[&str] = &[
    "objectGUID",
    "objectSid",
    "sAMAccountName",
    "userPrincipalName",
    "displayName",
    "givenName",
    "sn",
    "mail",
    "userAccountControl",
    "primaryGroupID",
    "memberOf",
];

/// Reads every user object below `base`, default accounts included.
pub fn read_people(client: &LdapSearch, base: &str) -> Result<Vec<OraclePerson>, LdapSearchError> {
    let entries = client.clone().paged(1_000).run(base, "sub", "(sAMAccountType=805306368)", ATTRIBUTES)?;
    entries.iter().map(person).collect()
}

fn person(entry: &LdifEntry) -> Result<OraclePerson, LdapSearchError> {
    let guid: Option<[u8; 16]> = entry.values("objectGUID").first().and_then(|bytes| bytes.as_slice().try_into().ok());
    let guid = guid.ok_or_else(|| LdapSearchError::Ldif(format!("{} without an objectGUID", entry.dn)))?;
    let number = |name| entry.text(name).and_then(|text| text.parse().ok());
    Ok(OraclePerson {
        guid: Uuid::from_bytes_le(guid),
        dn: entry.dn.clone(),
        account_name: entry.text("sAMAccountName").unwrap_or_default(),
        principal_name: entry.text("userPrincipalName"),
        display_name: entry.text("displayName"),
        given_name: entry.text("givenName"),
        surname: entry.text("sn"),
        mail: entry.text("mail"),
        user_account_control: number("userAccountControl").unwrap_or_default(),
        primary_group_id: number("primaryGroupID"),
        rid: entry.values("objectSid").first().and_then(|bytes| Sid::from_bytes(bytes)).and_then(|sid| sid.rid()),
        member_of: entry.texts("memberOf"),
    })
}
