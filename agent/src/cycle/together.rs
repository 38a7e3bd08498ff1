//! Decides who is in scope while everybody is counted: one search over the whole domain for both.
//!
//! Who lies where and who is in which group is then ours to say, by the names that the selected objects had when they
//! were located.

use std::collections::HashMap;

use super::read::{self, Reads, Recorder};
use super::scope::{Located, Scope};
use super::withheld::Withheld;
use crate::directory::census::{Census, MEMBER_OF, Seat};
use crate::directory::dn::{self, Dn};
use crate::directory::entry::Entry;
use crate::directory::group::Group;
use crate::directory::people;
use crate::directory::reader::{DirectoryReader, Incomplete, PAGE_SIZE, Refused, Search, Sink};
use crate::spool::reading::{HoldIndex, Reading};

/// Reads everybody once. Where the directory cut somebody's list of groups and groups decide, only the count is of use.
pub(super) async fn read(
    reads: Reads<'_>,
    reader: &mut DirectoryReader,
    reading: &Reading<'_>,
) -> Result<(Census, Withheld), Incomplete> {
    let mut attributes = reads.attributes.names().to_vec();
    attributes.push(MEMBER_OF);
    let base = reads.domain.head.as_str();
    let search = Search { base, filter: &people::FILTER, attributes: &attributes, page_size: PAGE_SIZE };
    let sink = Everybody {
        recorder: Recorder::new(reads, reading),
        census: Census::new(reads.scope.barred()),
        sieve: Sieve::new(reads.scope),
    };
    let complete = reader.search_into(&search, sink).await?;
    let withheld = Withheld::from(complete.withheld);
    let Everybody { census, sieve, .. } = complete.sink;
    if census.is_cut && reads.scope.selects_groups() {
        return Ok((census, withheld));
    }
    for group in sieve.groups.iter().filter(|group| group.found == 0) {
        read::check_empty_group(reader, group.group).await?;
    }
    Ok((census, withheld))
}

struct Everybody<'a> {
    recorder: Recorder<'a>,
    census: Census,
    sieve: Sieve<'a>,
}

impl Sink for Everybody<'_> {
    fn take(&mut self, entry: Entry) -> Result<(), Refused> {
        let Some(seat) = self.census.count(&entry)? else {
            self.sieve.note_nobody(&entry);
            return Ok(());
        };
        let holds = self.sieve.holds_of(&entry, &seat).ok_or(Refused::Unreadable("its name"))?;
        self.recorder.record(&entry, &holds)
    }
}

/// Which selections hold a person, by where they lie and what they are in. Worked out once for each place and group.
struct Sieve<'a> {
    scope: &'a Scope,
    units: Vec<(&'a Dn, Vec<HoldIndex>)>,
    groups: Vec<Selected<'a>>,
    /// By the numbers of the census.
    places: Vec<Place>,
    /// The selected groups that a name stands for, by its number.
    names: Vec<Vec<usize>>,
    by_primary_group: HashMap<u32, Vec<usize>>,
}

/// A selected group, or one inside a selected one.
struct Selected<'a> {
    group: &'a Group,
    holds: Vec<HoldIndex>,
    /// User objects in it, whoever they are.
    found: u64,
}

/// What a place means for everybody in it.
struct Place {
    holds: Vec<HoldIndex>,
    left_out: Vec<HoldIndex>,
}

impl<'a> Sieve<'a> {
    fn new(scope: &'a Scope) -> Self {
        let (mut units, mut groups) = (Vec::new(), Vec::new());
        for (selection, nesting, holds) in scope.to_read() {
            match scope.located(selection.guid) {
                Located::Ou(dn) => units.push((dn, holds)),
                Located::Group(_) => {
                    let inside = scope.groups(selection.guid, nesting).into_iter();
                    groups.extend(inside.map(|group| Selected { group, holds: holds.clone(), found: 0 }));
                }
                Located::Unavailable(_) => {}
            }
        }
        let mut by_primary_group: HashMap<u32, Vec<usize>> = HashMap::new();
        for (at, selected) in groups.iter().enumerate() {
            by_primary_group.entry(selected.group.sid.rid().unwrap_or_default()).or_default().push(at);
        }
        Self { scope, units, groups, places: Vec::new(), names: Vec::new(), by_primary_group }
    }

    /// The selections that hold the person, in order. `None` if the name of their place is none.
    fn holds_of(&mut self, entry: &Entry, seat: &Seat) -> Option<Vec<HoldIndex>> {
        if seat.place == self.places.len() {
            self.places.push(self.place(&Dn::parse(dn::parent_of(&entry.dn)?)?));
        }
        let place = self.places.get(seat.place)?;
        if self.groups.is_empty() {
            return Some(place.holds.clone());
        }
        let mut holds = place.holds.clone();
        let mut selected =
            seat.primary_group.and_then(|rid| self.by_primary_group.get(&rid)).cloned().unwrap_or_default();
        for (number, name) in seat.groups.iter().zip(entry.texts(MEMBER_OF)) {
            if *number == self.names.len() {
                self.names.push(named(&self.groups, name));
            }
            selected.extend(self.names.get(*number).into_iter().flatten());
        }
        for at in selected {
            let selected = self.groups.get_mut(at)?;
            selected.found += 1;
            holds.extend(selected.holds.iter().filter(|hold| !place.left_out.contains(hold)));
        }
        holds.sort_unstable();
        holds.dedup();
        Some(holds)
    }

    /// Somebody who is nobody's person still shows that the members of their groups can be seen.
    fn note_nobody(&mut self, entry: &Entry) {
        let primary_group = entry.text("primaryGroupID").and_then(|text| text.parse().ok());
        let mut selected =
            primary_group.and_then(|rid: u32| self.by_primary_group.get(&rid)).cloned().unwrap_or_default();
        if !self.groups.is_empty() {
            selected.extend(entry.texts(MEMBER_OF).flat_map(|name| named(&self.groups, name)));
        }
        for at in selected {
            if let Some(selected) = self.groups.get_mut(at) {
                selected.found += 1;
            }
        }
    }

    fn place(&self, dn: &Dn) -> Place {
        let all = 0..HoldIndex::try_from(self.scope.holds.len()).unwrap_or(HoldIndex::MAX);
        let left_out: Vec<HoldIndex> = all.filter(|hold| self.scope.is_left_out(*hold, dn)).collect();
        let above = self.units.iter().filter(|(unit, _)| dn.is_at_or_under(unit)).flat_map(|(_, holds)| holds.iter());
        let mut holds: Vec<HoldIndex> = above.copied().filter(|hold| !left_out.contains(hold)).collect();
        holds.sort_unstable();
        Place { holds, left_out }
    }
}

fn named(groups: &[Selected<'_>], name: &str) -> Vec<usize> {
    let Some(dn) = Dn::parse(name) else { return Vec::new() };
    groups.iter().enumerate().filter(|(_, selected)| selected.group.dn == dn).map(|(at, _)| at).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cycle::scope::fixtures::*;
    use crate::directory::entry::fixtures::entry;
    use crate::directory::group::fixtures::named as group_named;
    use rollcall_protocol::desired::{Selection, SelectionKind};

    /// A group that is called after its number, selected beside an OU.
    fn with_group(exclude: &[u128]) -> Scope {
        let selected = [ou(21), Selection { guid: id(41), kind: SelectionKind::Group }];
        let mut scope = scope(vec![import(11, &selected, exclude), import(12, &[ou(22)], &[])]);
        scope.set_located(id(41), Located::Group(group_named(1104, "CN=Crew,OU=Groups,DC=lab")));
        scope
    }

    fn holds(sieve: &mut Sieve<'_>, census: &mut Census, dn: &str, primary: &[u8], groups: &[&[u8]]) -> Vec<HoldIndex> {
        let sid = [1, 5, 0, 0, 0, 0, 0, 5, 21, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 0x50, 4, 0, 0];
        let attributes: &[(&str, &[&[u8]])] = &[
            ("objectSid", &[&sid]),
            ("sAMAccountName", &[b"ana"]),
            ("primaryGroupID", &[primary]),
            (MEMBER_OF, groups),
        ];
        let ana = entry(dn, attributes);
        let seat = census.count(&ana).unwrap().unwrap();
        sieve.holds_of(&ana, &seat).unwrap()
    }

    #[test]
    fn people_are_held_by_their_place_by_their_groups_and_by_their_primary_group() {
        let scope = with_group(&[]);
        let (mut sieve, mut census) = (Sieve::new(&scope), Census::default());
        let mut held = |dn: &str, primary: &[u8], groups: &[&[u8]]| holds(&mut sieve, &mut census, dn, primary, groups);

        assert_eq!(held("CN=Ana,OU=Deep,OU=21,DC=lab", b"513", &[]), vec![0]);
        assert_eq!(held("CN=Ben,OU=21,DC=lab", b"513", &[b"CN=Other,DC=lab", b"cn=crew,ou=Groups,DC=LAB"]), vec![0, 1]);
        assert_eq!(held("CN=Cem,OU=99,DC=lab", b"1104", &[]), vec![1]);
        assert_eq!(held("CN=Dea,OU=99,DC=lab", b"513", &[b"CN=Other,DC=lab"]), Vec::<HoldIndex>::new());
        assert_eq!(held("CN=Eva,OU=22,DC=lab", b"513", &[b"CN=Crew,OU=Groups,DC=lab"]), vec![1, 2]);
        assert_eq!(sieve.groups[0].found, 3);
    }

    #[test]
    fn an_excluded_place_wins_over_units_and_groups_of_its_import() {
        let scope = with_group(&[22]);
        let (mut sieve, mut census) = (Sieve::new(&scope), Census::default());

        let eva = holds(&mut sieve, &mut census, "CN=Eva,OU=22,DC=lab", b"1104", &[b"CN=Crew,OU=Groups,DC=lab"]);

        assert_eq!(eva, vec![2]);
    }

    #[test]
    fn a_group_of_windows_own_accounts_alone_is_not_an_empty_one() {
        let scope = with_group(&[]);
        let mut sieve = Sieve::new(&scope);

        sieve.note_nobody(&entry("CN=Gast,DC=lab", &[(MEMBER_OF, &[b"CN=Crew,OU=Groups,DC=lab"])]));

        assert_eq!(sieve.groups[0].found, 1);
    }
}
