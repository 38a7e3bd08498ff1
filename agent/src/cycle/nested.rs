//! Decides which groups inside a selected group are followed: security groups that could be selected themselves, each
//! once, down to a limit.

use std::collections::HashSet;

use rollcall_protocol::limits;
use uuid::Uuid;

use super::scope::{Scope, Tree};
use crate::directory::domain::Domain;
use crate::directory::group::{self, Group, GroupMap, Outlook};
use crate::directory::reader::{DirectoryReader, Incomplete};
use crate::directory::structure;

/// Finds the groups inside every selected group whose import wants them.
pub async fn expand_all(
    reader: &mut DirectoryReader,
    domain: &Domain,
    groups: &GroupMap,
    scope: &mut Scope,
) -> Result<(), Incomplete> {
    let roots = scope.to_expand();
    if !roots.is_empty() {
        scope.set_outlook(Outlook::over(domain, groups));
    }
    for root in roots {
        let tree = expand(&root, groups, domain);
        match &tree {
            Tree::Whole(inner) => check_members(reader, &root, inner, groups, domain).await?,
            Tree::TooFar => {}
        }
        scope.set_nested(root.guid, tree);
    }
    Ok(())
}

/// Level by level. A group that was met before is not entered again, so a circle ends.
fn expand(root: &Group, groups: &GroupMap, domain: &Domain) -> Tree {
    let mut met: HashSet<Uuid> = HashSet::from([root.guid]);
    let mut inner = Vec::new();
    let mut level = vec![root.clone()];
    for _ in 0..=limits::NESTING_DEPTH {
        let mut next = Vec::new();
        for group in level.iter().flat_map(|group| groups.inside(group)) {
            if is_followed(group, domain) && met.insert(group.guid) {
                next.push(group.clone());
            }
        }
        if next.is_empty() {
            inner.sort_by_key(|group: &Group| group.guid);
            return Tree::Whole(inner);
        }
        inner.extend(next.iter().cloned());
        if inner.len() > limits::NESTED_GROUPS {
            return Tree::TooFar;
        }
        level = next;
    }
    Tree::TooFar
}

/// Domain Users inside a group would bring everybody: Windows' own groups are not followed, as they are not selectable.
fn is_followed(group: &Group, domain: &Domain) -> bool {
    structure::blocked(group, domain).is_none()
}

/// The tree was found by what inner groups say (`memberOf`). If an outer one lists (`member`) another, `memberOf`
/// cannot be read, and the people of that one would look like people who left.
async fn check_members(
    reader: &mut DirectoryReader,
    root: &Group,
    inner: &[Group],
    groups: &GroupMap,
    domain: &Domain,
) -> Result<(), Incomplete> {
    let known: HashSet<Uuid> = inner.iter().chain([root]).map(|group| group.guid).collect();
    for outer in inner.iter().chain([root]) {
        let members = group::read_members(reader, outer.guid).await?.ok_or(Incomplete::ChangedMeanwhile)?;
        let listed = members.iter().filter_map(|member| groups.get(*member));
        if listed.filter(|group| is_followed(group, domain)).any(|group| !known.contains(&group.guid)) {
            return Err(Incomplete::Contradiction);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::domain::fixtures::domain;
    use crate::directory::group::fixtures::group;
    use crate::directory::room::Room;

    /// Groups called by their numbers, each with the numbers of the groups it is in.
    fn map(groups: &[(u32, &[u32])]) -> GroupMap {
        let mut map = GroupMap::default();
        for (number, inside) in groups {
            let outer: Vec<String> = inside.iter().map(|outer| format!("cn={outer},ou=groups,dc=LAB")).collect();
            map.add(group(*number), outer.iter().map(String::as_str), &mut Room::default()).unwrap();
        }
        map
    }

    fn expanded(map: &GroupMap) -> Option<Vec<Uuid>> {
        match expand(&group(2000), map, &domain()) {
            Tree::Whole(inner) => Some(inner.iter().map(|group| group.guid).collect()),
            Tree::TooFar => None,
        }
    }

    fn ids(numbers: &[u32]) -> Vec<Uuid> {
        numbers.iter().map(|number| Uuid::from_u128(u128::from(*number))).collect()
    }

    #[test]
    fn groups_in_a_circle_are_met_once() {
        let circle = map(&[(2000, &[2002]), (2001, &[2000]), (2002, &[2001, 2000]), (2003, &[])]);

        assert_eq!(expanded(&circle), Some(ids(&[2001, 2002])));
    }

    #[test]
    fn windows_own_groups_inside_are_not_followed() {
        assert_eq!(expanded(&map(&[(513, &[2000]), (2001, &[513]), (2002, &[2000])])), Some(ids(&[2002])));
    }

    #[test]
    fn a_chain_as_long_as_the_limit_is_followed_and_a_longer_one_is_not_read_in_part() {
        let depth = u32::try_from(limits::NESTING_DEPTH).unwrap();
        let chain = |length: u32| {
            let outer: Vec<[u32; 1]> = (0..length).map(|number| [2000 + number]).collect();
            let links: Vec<(u32, &[u32])> = (1..=length).zip(&outer).map(|(n, outer)| (2000 + n, &outer[..])).collect();
            map(&links)
        };

        assert_eq!(expanded(&chain(depth)).map(|inner| inner.len()), Some(limits::NESTING_DEPTH));
        assert_eq!(expanded(&chain(depth + 1)), None);
    }
}
