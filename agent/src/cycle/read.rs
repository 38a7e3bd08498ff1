//! Reads all people in scope, selection by selection, into the spool's reading.

use rollcall_protocol::desired::{Nesting, Selection};
use rollcall_protocol::hash::Hash;
use rollcall_protocol::person::{InImport, Person};
use uuid::Uuid;

use super::scope::{Located, Scope};
use super::withheld::Withheld;
use crate::directory::dn::Dn;
use crate::directory::domain::Domain;
use crate::directory::entry::Entry;
use crate::directory::filter::Filter;
use crate::directory::group::{self, Group};
use crate::directory::people::{self, AttributeList, Read};
use crate::directory::reader::{DirectoryReader, Finds, Incomplete, PAGE_SIZE, Refused, Search, Sink};
use crate::directory::values;
use crate::spool::SpoolError;
use crate::spool::reading::{Draft, HoldIndex, Reading};

/// Reads every selection that can be read. Any error means that the whole reading counts for nothing.
pub async fn read_all(
    reader: &mut DirectoryReader,
    domain: &Domain,
    scope: &Scope,
    attributes: &AttributeList,
    reading: &Reading<'_>,
) -> Result<Withheld, Incomplete> {
    let mut withheld = Withheld::default();
    for (selection, nesting, holds) in scope.to_read() {
        for target in targets(scope, selection, nesting, domain) {
            let (base, filter) = (target.base.as_str(), &target.filter);
            let search = Search { base, filter, attributes: attributes.names(), page_size: PAGE_SIZE };
            let memberships = scope.memberships(&holds, &[]);
            let sink = PeopleSink { scope, attributes, reading, holds: holds.clone(), memberships, found: 0 };
            let complete = reader.search_into(&search, sink).await?;
            withheld.extend(complete.withheld);
            let found = complete.sink.found;
            if let (0, Some(group)) = (found, target.group) {
                check_empty_group(reader, group).await?;
            }
        }
    }
    Ok(withheld)
}

struct Target<'a> {
    base: String,
    filter: Filter,
    group: Option<&'a Group>,
}

fn targets<'a>(scope: &'a Scope, selection: Selection, nesting: Nesting, domain: &Domain) -> Vec<Target<'a>> {
    let members =
        |group: &'a Group| Target { base: domain.head.to_string(), filter: group.people_filter(), group: Some(group) };
    match scope.located(selection.guid) {
        Located::Ou(dn) => vec![Target { base: dn.to_string(), filter: people::FILTER, group: None }],
        Located::Group(_) => scope.groups(selection.guid, nesting).into_iter().map(members).collect(),
        Located::Unavailable(_) => Vec::new(),
    }
}

struct PeopleSink<'a> {
    scope: &'a Scope,
    attributes: &'a AttributeList,
    reading: &'a Reading<'a>,
    holds: Vec<HoldIndex>,
    /// What these holds make of a person whom no exclude touches: of almost everybody.
    memberships: Vec<InImport>,
    found: u64,
}

impl Sink for PeopleSink<'_> {
    fn take(&mut self, entry: Entry) -> Result<(), Refused> {
        self.found += 1;
        let holds = holds_of(self.scope, &self.holds, &entry.dn).ok_or(Refused::Unreadable("its name"))?;
        if holds.is_empty() {
            return Ok(());
        }
        match people::read(&entry, self.attributes)? {
            Read::Person(mut person) => {
                self.scope.conceal(&mut person);
                self.add(&person, &holds).map_err(|error| Refused::Store(error.to_string()))
            }
            Read::System(_) => Ok(()),
        }
    }
}

impl PeopleSink<'_> {
    /// The record's hash is worked out as if nothing else held the person, which is so for almost everybody: then an
    /// unchanged record need not be looked at again.
    fn add(&self, person: &Person, holds: &[HoldIndex]) -> Result<(), SpoolError> {
        let draft = Draft::write(person)?;
        let whole = if holds == self.holds {
            draft.finish(&self.memberships)?
        } else {
            draft.finish(&self.scope.memberships(holds, &[]))?
        };
        self.reading.add(person.guid, &draft, holds, Some(Hash::of(whole.as_bytes())))
    }
}

/// The holds that remain after the excluded OUs of each import; an exclude wins over everything.
fn holds_of(scope: &Scope, holds: &[HoldIndex], dn: &str) -> Option<Vec<HoldIndex>> {
    if scope.leaves_nobody_out() {
        return Some(holds.to_vec());
    }
    let dn = Dn::parse(dn)?;
    let import_of = |index: &HoldIndex| scope.holds.get(usize::from(*index)).map(|hold| hold.import);
    let is_in = |index: &HoldIndex| import_of(index).is_some_and(|import| scope.excluded_by(import, &dn).is_none());
    Some(holds.iter().copied().filter(is_in).collect())
}

/// Looked at before an empty group is believed; many groups hold other groups and nobody else.
const LOOK_AT_MEMBERS: usize = 20;

/// A group that lists users although the search for its users finds nobody is a missing read right (hardened
/// "Pre-Windows 2000 Compatible Access"), not an empty group.
async fn check_empty_group(reader: &mut DirectoryReader, group: &Group) -> Result<(), Incomplete> {
    let members: Vec<Uuid> = group::read_members(reader, group.guid).await?.unwrap_or_default();
    for member in members.into_iter().take(LOOK_AT_MEMBERS) {
        let base = values::guid_base(member);
        let entry = reader.read_base(&base, &["sAMAccountType"], Finds::Live).await?;
        if entry.is_some_and(|entry| people::is_user(&entry)) {
            return Err(Incomplete::Contradiction);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cycle::scope::fixtures::*;

    #[test]
    fn an_excluded_ou_wins_in_its_own_import_and_in_no_other() {
        let scope = scope(vec![import(11, &[ou(21)], &[31]), import(12, &[ou(21)], &[])]);

        let kept = holds_of(&scope, &[0, 1], "CN=Ana,OU=x,OU=31,DC=lab").unwrap();

        assert_eq!(kept, vec![1]);
        assert_eq!(holds_of(&scope, &[0, 1], "CN=Ana,OU=21,DC=lab").unwrap(), vec![0, 1]);
    }
}
