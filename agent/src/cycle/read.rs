//! Reads all people in scope, selection by selection, into the spool's reading.

use rollcall_protocol::desired::Selection;
use uuid::Uuid;

use super::scope::{Located, Scope};
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
) -> Result<(), Incomplete> {
    for (selection, holds) in scope.to_read() {
        let Some(target) = target(scope, selection, domain) else { continue };
        let search =
            Search { base: &target.base, filter: &target.filter, attributes: attributes.names(), page_size: PAGE_SIZE };
        let sink = PeopleSink { scope, attributes, reading, holds, found: 0 };
        let found = reader.search_into(&search, sink).await?.sink.found;
        if let (0, Located::Group(group)) = (found, scope.located(selection.guid)) {
            check_empty_group(reader, group).await?;
        }
    }
    Ok(())
}

struct Target {
    base: String,
    filter: Filter,
}

fn target(scope: &Scope, selection: Selection, domain: &Domain) -> Option<Target> {
    match scope.located(selection.guid) {
        Located::Ou(dn) => Some(Target { base: dn.to_string(), filter: people::FILTER }),
        Located::Group(group) => Some(Target { base: domain.head.to_string(), filter: group.people_filter() }),
        Located::Unavailable => None,
    }
}

struct PeopleSink<'a> {
    scope: &'a Scope,
    attributes: &'a AttributeList,
    reading: &'a Reading<'a>,
    holds: Vec<HoldIndex>,
    found: u64,
}

impl Sink for PeopleSink<'_> {
    fn take(&mut self, entry: Entry) -> Result<(), Refused> {
        self.found += 1;
        let person = match people::read(&entry, self.attributes).map_err(|error| Refused::Unreadable(error.0))? {
            Read::Person(person) => person,
            Read::System(_) => return Ok(()),
        };
        let holds = holds_of(self.scope, &self.holds, &person.dn).ok_or(Refused::Unreadable("its name"))?;
        if holds.is_empty() {
            return Ok(());
        }
        let draft = Draft::write(&person).map_err(|error| Refused::Store(error.to_string()))?;
        self.reading.add(person.guid, &draft, &holds).map_err(|error: SpoolError| Refused::Store(error.to_string()))
    }
}

/// The holds that remain after the excluded OUs of each import; an exclude wins over everything.
fn holds_of(scope: &Scope, holds: &[HoldIndex], dn: &str) -> Option<Vec<HoldIndex>> {
    if scope.imports.values().all(|import| import.exclude.is_empty()) {
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
