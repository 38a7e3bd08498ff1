//! The OUs and groups of a cycle, as rows for the pickers.

use rollcall_domain::import::SelectionKind;
use rollcall_protocol::structure::{Blocked, Group, OrgUnit};
use rollcall_store::structure::Node;

pub fn of_ou(ou: OrgUnit) -> Node {
    Node {
        guid: ou.guid,
        kind: SelectionKind::Ou,
        parent_guid: ou.parent,
        name: ou.name,
        dn: ou.dn,
        people: ou.people.into(),
        others: 0,
        nested: 0,
        computers: 0,
        foreigners: 0,
        blocked: ou.blocked.map(word),
    }
}

pub fn of_group(group: Group) -> Node {
    Node {
        guid: group.guid,
        kind: SelectionKind::Group,
        parent_guid: group.parent,
        name: group.name,
        dn: group.dn,
        people: group.people.into(),
        others: group.others.into(),
        nested: group.nested.into(),
        computers: group.computers.into(),
        foreigners: group.foreign.into(),
        blocked: group.blocked.map(word),
    }
}

fn word(blocked: Blocked) -> String {
    match blocked {
        Blocked::Builtin => "builtin",
        Blocked::DefaultGroup => "default_group",
        Blocked::System => "system",
        Blocked::UsersContainer => "users_container",
        Blocked::Distribution => "distribution",
    }
    .to_owned()
}
