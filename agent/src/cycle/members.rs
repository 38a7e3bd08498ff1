//! Asks the groups themselves about everybody who seems to have left: a membership has two ends, and either may be hidden.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use rollcall_protocol::evidence::Evidence;
use rollcall_protocol::person::InImport;
use uuid::Uuid;

use super::confirm::Judged;
use super::evidence::{Doubt, Verdict};
use super::scope::{ImportScope, Scope};
use super::survey::Ended;
use super::withheld::{self, Withheld};
use crate::directory::group;
use crate::directory::reader::{DirectoryReader, Incomplete};

/// Somebody who departs although a selected group still lists them shows that `memberOf` cannot be read: of them, or,
/// where they are more than a few, of anybody, and then nobody has left anything. Somebody who shows no group at all has
/// not left one that shows no member at all: one read right that is missing hides both. Each group is read once.
pub(super) async fn hear_groups(
    reader: &mut DirectoryReader,
    scope: &Scope,
    ended: &[Ended],
    judged: &mut Judged,
    withheld: &mut Withheld,
) -> Result<(), Incomplete> {
    let (mut listed, mut silent) = (HashSet::new(), BTreeSet::new());
    for (group, people) in still_selected_groups(scope, judged) {
        let members = group::read_members(reader, group).await?.ok_or(Incomplete::ChangedMeanwhile)?;
        if members.is_empty() {
            silent.insert(group);
        }
        listed.extend(members.into_iter().filter(|member| people.contains(member)));
    }
    if listed.len() as u64 > withheld::AT_LEAST {
        return Err(Incomplete::Contradiction);
    }
    for guid in listed {
        withheld.note(guid, "memberOf");
        judged.keep(guid);
    }
    judged.doubt(scope, &silent, ended);
    Ok(())
}

impl Judged {
    /// Takes back that somebody departs alive.
    fn keep(&mut self, guid: Uuid) {
        for (_, verdict) in self.verdicts.get_mut(&guid).into_iter().flatten() {
            if is_out_alive(verdict) {
                *verdict = Verdict::Stay(Doubt::Withheld);
            }
        }
    }

    /// Takes back that people depart whom one of these groups held, where they show no group of their own.
    fn doubt(&mut self, scope: &Scope, silent: &BTreeSet<Uuid>, ended: &[Ended]) {
        for person in ended.iter().filter(|person| self.in_no_group.contains(&person.guid)) {
            let verdicts = self.verdicts.get_mut(&person.guid).into_iter().flatten();
            for (import, verdict) in verdicts.filter(|(_, verdict)| is_out_alive(verdict)) {
                let mut before = person.memberships.iter().filter(|before| before.import == *import);
                if before.any(|before| held_by(scope, before).any(|group| silent.contains(&group))) {
                    *verdict = Verdict::Stay(Doubt::SilentGroup);
                }
            }
        }
    }
}

/// The groups, still selected, by which somebody may have been held.
fn held_by(scope: &Scope, before: &InImport) -> impl Iterator<Item = Uuid> {
    let import = scope.imports.get(&before.import).into_iter();
    import.flat_map(|import| {
        let held = import.include.iter().filter(|held| before.via.contains(&held.guid));
        held.flat_map(|held| scope.groups(held.guid, import.nesting)).map(|group| group.guid)
    })
}

/// The groups that must not list those who depart alive, with these people.
fn still_selected_groups(scope: &Scope, judged: &Judged) -> BTreeMap<Uuid, HashSet<Uuid>> {
    let mut leaving: BTreeMap<Uuid, HashSet<Uuid>> = BTreeMap::new();
    for (guid, verdicts) in &judged.verdicts {
        for import in verdicts.iter().filter(|(_, verdict)| is_out_alive(verdict)).map(|(import, _)| import) {
            for group in scope.imports.get(import).iter().flat_map(|import| located_groups(scope, import)) {
                leaving.entry(group).or_default().insert(*guid);
            }
        }
    }
    leaving
}

fn located_groups(scope: &Scope, import: &ImportScope) -> Vec<Uuid> {
    let groups = import.include.iter().flat_map(|held| scope.groups(held.guid, import.nesting));
    groups.map(|group| group.guid).collect()
}

/// An exclude wins over every group, and the deleted are in none.
fn is_out_alive(verdict: &Verdict) -> bool {
    match verdict {
        Verdict::Depart(Evidence::LeftScope { .. } | Evidence::LeftGroup { .. } | Evidence::Deselected) => true,
        Verdict::Depart(Evidence::Deleted | Evidence::Excluded { .. } | Evidence::Absent { .. })
        | Verdict::Wait
        | Verdict::Stay(_)
        | Verdict::StillHeld(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cycle::scope::Located;
    use crate::cycle::scope::fixtures::*;
    use crate::directory::entry::fixtures::entry;
    use crate::directory::group::Group;
    use rollcall_protocol::desired::{Selection, SelectionKind};

    fn with_group() -> Scope {
        let sid = [1, 5, 0, 0, 0, 0, 0, 5, 21, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 0x50, 4, 0, 0];
        let guid = id(41).to_bytes_le();
        let attributes: &[(&str, &[&[u8]])] =
            &[("objectGUID", &[&guid]), ("objectSid", &[&sid]), ("groupType", &[b"-2147483646"])];
        let group = Group::from_entry(&entry("CN=Crew,DC=lab", attributes)).unwrap();
        let selected = [ou(21), Selection { guid: id(41), kind: SelectionKind::Group }];
        let mut scope = scope(vec![import(11, &selected, &[]), import(12, &[ou(21)], &[])]);
        scope.set_located(id(41), Located::Group(group));
        scope
    }

    #[test]
    fn whoever_departs_alive_is_looked_for_in_every_group_of_that_import() {
        let left = Verdict::Depart(Evidence::LeftScope { dn: "CN=Ana,DC=lab".into() });
        let deleted = Verdict::Depart(Evidence::Deleted);
        let mut judged = Judged::default();
        judged.verdicts.insert(id(1), vec![(id(11), left.clone())]);
        judged.verdicts.insert(id(2), vec![(id(11), Verdict::Depart(Evidence::Deselected))]);
        judged.verdicts.insert(id(3), vec![(id(11), deleted), (id(12), left.clone()), (id(13), left)]);
        judged.verdicts.insert(id(4), vec![(id(11), Verdict::Wait)]);

        let groups = still_selected_groups(&with_group(), &judged);

        assert_eq!(groups, BTreeMap::from([(id(41), HashSet::from([id(1), id(2)]))]));
    }

    fn in_no_group(verdict: Verdict) -> Judged {
        let mut judged = Judged::default();
        judged.verdicts.insert(id(1), vec![(id(11), verdict)]);
        judged.in_no_group.insert(id(1));
        judged
    }

    #[test]
    fn who_left_a_group_that_shows_no_member_and_shows_no_group_themselves_stays() {
        let left = || Verdict::Depart(Evidence::LeftGroup { group: id(41) });
        let after = |mut judged: Judged, via: u128| {
            judged.doubt(&with_group(), &BTreeSet::from([id(41)]), &before(via));
            judged.verdicts[&id(1)][0].1.clone()
        };

        assert_eq!(after(in_no_group(left()), 41), Verdict::Stay(Doubt::SilentGroup));
        assert_eq!(after(in_no_group(left()), 21), left(), "an OU held them, and an OU can be seen");
        let deleted = Verdict::Depart(Evidence::Deleted);
        assert_eq!(after(in_no_group(deleted.clone()), 41), deleted);
        let in_another = Judged { in_no_group: HashSet::new(), ..in_no_group(left()) };
        assert_eq!(after(in_another, 41), left(), "their own list can be read, and the group is not in it");
    }

    fn before(via: u128) -> Vec<Ended> {
        vec![Ended {
            guid: id(1),
            memberships: vec![InImport { import: id(11), via: vec![id(via)] }],
            hearsay: HashSet::new(),
        }]
    }
}
