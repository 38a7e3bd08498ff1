//! Reads all people in scope into the spool's reading, and counts everybody.

use std::collections::BTreeSet;

use rollcall_protocol::desired::{Nesting, Selection};
use uuid::Uuid;

use super::CycleError;
use super::locate;
use super::merged::Merged;
use super::scope::{Located, Scope};
use super::together;
use super::way::Way;
use super::withheld::Withheld;
use crate::directory::census::Census;
use crate::directory::dn::Dn;
use crate::directory::domain::{self, Domain};
use crate::directory::entry::Entry;
use crate::directory::filter::Filter;
use crate::directory::group::{self, Group};
use crate::directory::people::{self, AttributeList, Read};
use crate::directory::reader::{DirectoryReader, Incomplete, PAGE_SIZE, Refused, Search, Sink};
use crate::spool::reading::{Draft, HoldIndex, Reading, Visits};
use crate::spool::{Spool, SpoolError};

/// What a reading of people is made with.
#[derive(Debug, Clone, Copy)]
pub struct Reads<'a> {
    pub domain: &'a Domain,
    pub scope: &'a Scope,
    pub attributes: &'a AttributeList,
    /// People whom the cloud wants to hear about: looked at however little has changed.
    pub asked: &'a BTreeSet<Uuid>,
}

impl Reads<'_> {
    /// Reads every selection that can be read, and counts everybody. Any error means that all of it counts for nothing.
    ///
    /// Who is in and who is kept back goes by the names that places and groups had when they were located; so they are
    /// located once more at the end, and if one of them has another name, nothing counts.
    pub async fn run(
        self,
        reader: &mut DirectoryReader,
        spool: &mut Spool,
        way: Way,
    ) -> Result<(Census, Withheld), CycleError> {
        let census = self.people(reader, spool, way).await?;
        locate::check_unmoved(reader, self.domain, self.scope).await?;
        Ok(census)
    }

    async fn people(
        self,
        reader: &mut DirectoryReader,
        spool: &mut Spool,
        way: Way,
    ) -> Result<(Census, Withheld), CycleError> {
        let census = match way {
            Way::Together => {
                spool.begin_reading(Visits::Once)?;
                let (census, withheld) = together::read(self, reader, &spool.reading()?).await?;
                if !(census.is_cut && self.scope.selects_groups()) {
                    return Ok((census, withheld));
                }
                // Nobody can say of everybody in which groups they are: the server must.
                census
            }
            Way::Apart => Census::take(reader, self.domain, self.scope.barred()).await?,
        };
        spool.begin_reading(if self.targets().len() > 1 { Visits::OncePerSelection } else { Visits::Once })?;
        let withheld = self.read_selected(reader, &spool.reading()?).await?;
        Ok((census, withheld))
    }

    /// Selection by selection.
    async fn read_selected(self, reader: &mut DirectoryReader, reading: &Reading<'_>) -> Result<Withheld, Incomplete> {
        let mut withheld = Withheld::default();
        for target in self.targets() {
            let (base, filter) = (target.base.as_str(), &target.filter);
            let search = Search { base, filter, attributes: self.attributes.names(), page_size: PAGE_SIZE };
            let recorder = Recorder::new(self, reading);
            let sink = PeopleSink { recorder, scope: self.scope, holds: target.holds, found: 0 };
            let complete = reader.search_into(&search, sink).await?;
            withheld.extend(complete.withheld);
            let found = complete.sink.found;
            if let (0, Some(group)) = (found, target.group) {
                check_empty_group(reader, group).await?;
            }
        }
        Ok(withheld)
    }

    fn targets(&self) -> Vec<Target<'_>> {
        let to_read = self.scope.to_read().into_iter();
        to_read
            .flat_map(|(selection, nesting, holds)| targets(self.scope, selection, nesting, self.domain, &holds))
            .collect()
    }
}

struct Target<'a> {
    base: String,
    filter: Filter,
    group: Option<&'a Group>,
    holds: Vec<HoldIndex>,
}

fn targets<'a>(
    scope: &'a Scope,
    selection: Selection,
    nesting: Nesting,
    domain: &Domain,
    holds: &[HoldIndex],
) -> Vec<Target<'a>> {
    let target = |base: &Dn, filter, group| Target { base: base.to_string(), filter, group, holds: holds.to_vec() };
    match scope.located(selection.guid) {
        Located::Ou(dn) => vec![target(dn, people::FILTER, None)],
        Located::Group(_) => {
            let groups = scope.groups(selection.guid, nesting).into_iter();
            groups.map(|group| target(&domain.head, group.people_filter(), Some(group))).collect()
        }
        Located::Unavailable(_) => Vec::new(),
    }
}

struct PeopleSink<'a> {
    recorder: Recorder<'a>,
    scope: &'a Scope,
    holds: Vec<HoldIndex>,
    found: u64,
}

impl Sink for PeopleSink<'_> {
    fn take(&mut self, entry: Entry) -> Result<(), Refused> {
        self.found += 1;
        let holds = holds_of(self.scope, &self.holds, &entry.dn).ok_or(Refused::Unreadable("its name"))?;
        self.recorder.record(&entry, &holds)
    }
}

/// Turns entries into records of the reading.
pub(super) struct Recorder<'a> {
    reads: Reads<'a>,
    reading: &'a Reading<'a>,
    merged: Merged<'a>,
}

impl<'a> Recorder<'a> {
    pub fn new(reads: Reads<'a>, reading: &'a Reading<'a>) -> Self {
        Self { reads, reading, merged: Merged::new(reads.scope) }
    }

    /// Keeps the person, unless nothing holds them or they belong to Windows.
    pub fn record(&mut self, entry: &Entry, holds: &[HoldIndex]) -> Result<(), Refused> {
        if holds.is_empty() {
            return Ok(());
        }
        match people::read(entry, self.reads.attributes)? {
            Read::Person(mut person) => {
                self.reads.scope.conceal(&mut person);
                let draft = Draft::write(&person).map_err(|error| Refused::Store(error.to_string()))?;
                Ok(self.keep(person.guid, &draft, holds)?)
            }
            Read::System(_) => Ok(()),
        }
    }

    /// The record's hash is worked out as if nothing else held the person, which is so for almost everybody: then an
    /// unchanged record need not be looked at again.
    fn keep(&mut self, person: Uuid, draft: &Draft, holds: &[HoldIndex]) -> Result<(), SpoolError> {
        let hash =
            if self.reads.asked.contains(&person) { None } else { Some(draft.hash_with(&self.merged.of(holds)?.end)) };
        self.reading.add(person, draft, holds, hash)
    }
}

impl From<SpoolError> for Refused {
    fn from(error: SpoolError) -> Self {
        match &error {
            SpoolError::Unwritable(_) => Self::Store(error.to_string()),
            SpoolError::Damaged(_) | SpoolError::Unreadable | SpoolError::Gone => Self::Damaged(error.to_string()),
        }
    }
}

/// The holds that remain after the excluded OUs of each import; an exclude wins over everything.
fn holds_of(scope: &Scope, holds: &[HoldIndex], dn: &str) -> Option<Vec<HoldIndex>> {
    if scope.leaves_nobody_out() {
        return Some(holds.to_vec());
    }
    let dn = Dn::parse(dn)?;
    Some(holds.iter().copied().filter(|hold| !scope.is_left_out(*hold, &dn)).collect())
}

/// Looked at before an empty group is believed; many groups hold other groups and nobody else.
const LOOK_AT_MEMBERS: usize = 20;

/// A group that lists users although the search for its users finds nobody is a missing read right (hardened
/// "Pre-Windows 2000 Compatible Access"), not an empty group.
pub(super) async fn check_empty_group(reader: &mut DirectoryReader, group: &Group) -> Result<(), Incomplete> {
    let members: Vec<Uuid> = group::read_members(reader, group.guid).await?.unwrap_or_default();
    for member in members.into_iter().take(LOOK_AT_MEMBERS) {
        // Somebody of another domain is nobody whom this search could have found.
        let entry = domain::locate(reader, member, &["sAMAccountType"]).await?.here();
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
