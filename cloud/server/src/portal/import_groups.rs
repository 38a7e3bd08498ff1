//! Decides which groups the form of an import lists, in which order, and what it says of those who stay behind.

use rollcall_domain::{
    ids::DirectoryId,
    import::{Nesting, SelectionKind},
};
use rollcall_store::{
    Tx,
    structure::{self, Node},
};

use super::{answer::PageError, import_choice::Choice, view::grouped};

#[derive(Debug, Clone)]
pub struct GroupChoice {
    pub guid: String,
    pub name: String,
    pub people: i64,
    pub chosen: bool,
    pub why_not: Option<&'static str>,
    pub note: String,
}

/// Groups listed at once; typing finds the others.
const GROUPS: usize = 60;
const GROUPS_LOOKED_AT: i64 = 2_000;

/// Chosen groups always stand first, so that a search cannot lose a tick; then those that match.
pub async fn list(
    tx: &mut Tx,
    directory: DirectoryId,
    choice: &Choice,
) -> Result<(Vec<GroupChoice>, usize, i64), PageError> {
    let mut chosen = structure::list_by_guids(tx, directory, &choice.groups).await?;
    chosen.sort_by_key(|node| node.name.to_lowercase());
    let in_groups = chosen.iter().map(|node| node.people).sum();
    let found = structure::search_groups(tx, directory, &choice.group_q, GROUPS_LOOKED_AT).await?;
    let mut others: Vec<Node> = found.into_iter().filter(|node| !choice.groups.contains(&node.guid)).collect();
    // What can be chosen comes before what only explains itself.
    others.sort_by_key(|node| (node.blocked.is_some(), node.name.to_lowercase()));
    let left_out = others.len().saturating_sub(GROUPS);
    let show = |node: Node| GroupChoice {
        guid: node.guid.to_string(),
        people: node.people,
        chosen: choice.groups.contains(&node.guid),
        why_not: node.blocked.as_deref().map(reason),
        note: who_stays(&node, choice.nesting),
        name: node.name,
    };
    let shown =
        chosen.into_iter().filter(|node| node.kind == SelectionKind::Group).chain(others.into_iter().take(GROUPS));
    Ok((shown.map(show).collect(), left_out, in_groups))
}

/// Who of a group does not come over, by kind.
fn who_stays(node: &Node, nesting: Nesting) -> String {
    let followed = match nesting {
        Nesting::Direct => 0,
        Nesting::Nested => node.nested,
    };
    let rest = node.others - node.nested - node.computers - node.foreigners;
    let kinds = [
        (node.nested - followed, "group", "groups"),
        (node.computers, "computer", "computers"),
        (node.foreigners, "member of another domain", "members of other domains"),
        (rest, "other member", "other members"),
    ];
    let told = kinds.into_iter().filter(|(count, _, _)| *count > 0).map(|(count, one, many)| match count {
        1 => format!("1 {one}"),
        many_of_them => format!("{} {many}", grouped(many_of_them)),
    });
    let told: Vec<String> = told.collect();
    if told.is_empty() { String::new() } else { format!("without {}", told.join(", ")) }
}

/// Why something cannot be chosen, in words.
pub fn reason(blocked: &str) -> &'static str {
    match blocked {
        "builtin" => "built in",
        "default_group" => "default group",
        "system" => "system object",
        "users_container" => "in the Users container",
        "distribution" => "distribution group",
        _ => "cannot be chosen",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn who_of_a_group_stays_behind_is_told_by_kind() {
        let crew = Node {
            guid: Uuid::from_u128(1),
            kind: SelectionKind::Group,
            parent_guid: None,
            name: "Crew".into(),
            dn: "CN=Crew,DC=lab".into(),
            people: 40,
            others: 1_015,
            nested: 2,
            computers: 1_000,
            foreigners: 1,
            blocked: None,
        };
        let direct = who_stays(&crew, Nesting::Direct);

        assert_eq!(direct, "without 2 groups, 1,000 computers, 1 member of another domain, 12 other members");
        assert!(!who_stays(&crew, Nesting::Nested).contains("groups"));
        assert_eq!(who_stays(&Node { others: 0, nested: 0, computers: 0, foreigners: 0, ..crew }, Nesting::Direct), "");
    }
}
