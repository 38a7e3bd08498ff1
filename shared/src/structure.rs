//! What an operator can choose from: the OUs and groups of a directory, with counts and reasons.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// An OU, or a container or domain head that can be selected like one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrgUnit {
    pub guid: Uuid,
    /// The nearest listed ancestor; `None` for the domain head.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<Uuid>,
    pub dn: String,
    pub name: String,
    /// People directly in it; those below are counted where they are.
    pub people: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocked: Option<Blocked>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    pub guid: Uuid,
    pub dn: String,
    pub name: String,
    /// The OU or container it lies in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<Uuid>,
    /// Direct members that are people, those by primary group included.
    pub people: u32,
    /// Direct members that are not imported with it: groups, computers, contacts, people of other domains.
    pub others: u32,
    /// Of the others, the groups.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub nested: u32,
    /// Of the others, the computers and service accounts.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub computers: u32,
    /// Of the others, people and groups of other domains.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub foreign: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocked: Option<Blocked>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that serde asks for")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// Why something in the picker cannot be chosen. Decided by SID, RID, flags and place, never by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Blocked {
    /// SID S-1-5-32-…, groupType bit 1, or in the Builtin container.
    Builtin,
    /// RID below 1000: Domain Admins, Domain Users and their like, in any language.
    DefaultGroup,
    /// isCriticalSystemObject.
    System,
    /// In the domain's Users container, where the default groups live.
    UsersContainer,
    /// A distribution group grants no rights.
    Distribution,
}
