//! Checks what was chosen against what the directory shows: each selection found and counted, excludes and the local
//! ceiling with their effect, and what can be read of the people.

use std::time::Duration;

use rollcall_protocol::catalogue;
use rollcall_protocol::desired::{DesiredState, Nesting, Selection};

use super::coverage::{self, Coverage, Taking};
use super::finding::{Finding, Report};
use crate::cycle::scope::{Hold, Located, Scope, Unavailable};
use crate::cycle::{CycleError, locate, nested};
use crate::diagnostic::Diagnostic;
use crate::directory::access::Access;
use crate::directory::ceiling::Barred;
use crate::directory::dn::Dn;
use crate::directory::domain::Domain;
use crate::directory::filter::Filter;
use crate::directory::people;
use crate::directory::reader::{DirectoryReader, Finds, Incomplete, PAGE_SIZE, Search};
use crate::directory::structure::{self, Structure};
use crate::exit::Exit;

/// Every check of this file, for when none of them can be made.
pub const NAMES: &[&str] = &[
    "organisational units",
    "local ceiling",
    "selection",
    "excluded units",
    "mail coverage",
    "attributes",
    "memberships",
    "deleted objects",
];

/// Selections listed one by one; the rest is summed up.
const LISTED: usize = 20;

/// The container of tombstones (GUID_DELETED_OBJECTS_CONTAINER_W, MS-ADTS 6.1.1.4).
const DELETED_OBJECTS: &str = "18E2EA80684F11D2B9AA00C04F79F805";

pub async fn check(
    report: &mut Report<'_>,
    reader: &mut DirectoryReader,
    domain: &Domain,
    access: &Access,
    desired: Option<&DesiredState>,
) {
    if let Err(diagnostic) = in_time(DEADLINE, look(report, reader, domain, access, desired)).await {
        report.add("directory reading", Finding::Fail(diagnostic));
    }
}

/// Somebody sits here and waits, or a bundle does: a directory that trickles must not keep them for ever.
const DEADLINE: Duration = Duration::from_mins(5);

async fn in_time(limit: Duration, look: impl Future<Output = Result<(), Incomplete>>) -> Result<(), Diagnostic> {
    let overdue = CycleError::Deadline(limit.as_secs() / 60);
    match tokio::time::timeout(limit, look).await {
        Ok(looked) => looked.map_err(|error| Diagnostic::from(&error)),
        Err(_) => Err(Diagnostic::from(&overdue)),
    }
}

async fn look(
    report: &mut Report<'_>,
    reader: &mut DirectoryReader,
    domain: &Domain,
    access: &Access,
    desired: Option<&DesiredState>,
) -> Result<(), Incomplete> {
    let barred = Barred::locate(reader, domain, &access.never_read).await?;
    let (structure, groups) = structure::read(reader, domain, &barred).await?;
    report.add("organisational units", units(&structure));
    report.add("local ceiling", ceiling(&barred, access, structure.left_out));
    match desired.filter(|desired| !desired.imports.is_empty()) {
        None => report.skip(
            &["selection", "excluded units", "mail coverage", "attributes", "memberships"],
            "nothing is selected yet",
        ),
        Some(desired) => {
            let mut scope = Scope::plan(desired, desired.issued_at).under(barred);
            locate::locate_all(reader, domain, &mut scope).await?;
            nested::expand_all(reader, domain, &groups, &mut scope).await?;
            let people = Reading { domain, access, scope: &scope, structure: &structure };
            let coverage = people.selections(report, reader).await?;
            report.add("excluded units", excludes(&scope));
            report.add("mail coverage", mail(&coverage, access));
            report.add("attributes", coverage::judge_attributes(&coverage, &access.attributes.withheld()));
            let members = structure.groups.iter().map(|group| u64::from(group.others)).sum();
            report.add("memberships", coverage::judge_member_of(&coverage, members));
        }
    }
    report.add("deleted objects", deleted_objects(reader, domain).await?);
    Ok(())
}

/// Every domain has at least the OU of its domain controllers.
fn units(structure: &Structure) -> Finding {
    let units = structure.ous.iter().filter(|unit| unit.parent.is_some()).count();
    if units == 0 {
        let detail = format!("it sees {} people", structure.people);
        return Finding::Fail(Diagnostic::new(catalogue::OU_UNREADABLE, detail, Exit::DirectoryUnreachable));
    }
    let (people, groups) = (structure.people, structure.groups.len());
    Finding::Ok(format!("{units} units, {groups} groups and {people} people of the domain can be seen"))
}

fn ceiling(barred: &Barred, access: &Access, left_out: u64) -> Finding {
    let told = barred.tell(&access.attributes, left_out);
    if let Some(lost) = Diagnostic::of_lost_place(&told) {
        return Finding::Warn(lost);
    }
    if told.withheld.is_empty() && told.never_read.is_empty() {
        return Finding::Ok("the file on this machine keeps nothing back".to_owned());
    }
    let (attributes, places) = (told.withheld.len(), told.never_read.len());
    Finding::Ok(format!("{attributes} attributes withheld, {places} places never read, {left_out} people left out"))
}

struct Reading<'a> {
    domain: &'a Domain,
    access: &'a Access,
    scope: &'a Scope,
    structure: &'a Structure,
}

impl Reading<'_> {
    /// One line for each selection, and what all of them together bring.
    async fn selections(&self, report: &mut Report<'_>, reader: &mut DirectoryReader) -> Result<Coverage, Incomplete> {
        let mut wanted: Vec<Selection> = self.scope.holds.iter().map(|hold| hold.selection).collect();
        wanted.sort_unstable();
        wanted.dedup();
        let mut coverage = Coverage::default();
        for (at, selection) in wanted.iter().enumerate() {
            let finding = self.selection(reader, *selection, &mut coverage).await?;
            let is_listed = at < LISTED || !matches!(finding, Finding::Ok(_));
            if is_listed {
                report.add("selection", finding);
            }
        }
        if wanted.len() > 1 {
            let words = format!("{} people in all {} selections together", coverage.people, wanted.len());
            report.add("selection", Finding::Ok(words));
        }
        Ok(coverage)
    }

    async fn selection(
        &self,
        reader: &mut DirectoryReader,
        selection: Selection,
        coverage: &mut Coverage,
    ) -> Result<Finding, Incomplete> {
        if let Some(why) = self.scope.why_unavailable(selection.guid, self.nesting(selection)) {
            return Ok(Finding::Warn(unavailable(selection, why)));
        }
        let place = match self.scope.located(selection.guid) {
            Located::Unavailable(why) => return Ok(Finding::Warn(unavailable(selection, *why))),
            Located::Ou(dn) => dn.to_string(),
            Located::Group(group) => group.dn.to_string(),
        };
        let mut attributes = self.access.attributes.names().to_vec();
        attributes.push("memberOf");
        let leaves_out = |dn: &Dn| self.leaves_out(selection, dn);
        let mut taking = Taking::new(std::mem::take(coverage), &self.access.attributes, leaves_out);
        for (base, filter) in self.searches(selection) {
            let search = Search { base: &base, filter: &filter, attributes: &attributes, page_size: PAGE_SIZE };
            taking = reader.search_into(&search, taking).await?.sink;
        }
        let (found, left_out, system) = (taking.found(), taking.left_out, taking.system);
        *coverage = taking.coverage;
        if found == 0 {
            let (people, units) = (self.structure.people, &self.structure.ous);
            return Ok(Finding::Warn(coverage::explain_empty(&place, left_out, people, units)));
        }
        Ok(Finding::Ok(format!("{place}: {found} people, {left_out} left out, {system} accounts of Windows")))
    }

    /// Base and filter of each search, as a cycle makes them; the groups inside a group, where an import wants them.
    fn searches(&self, selection: Selection) -> Vec<(String, Filter)> {
        let nesting = self.nesting(selection);
        match self.scope.located(selection.guid) {
            Located::Ou(dn) => vec![(dn.to_string(), people::FILTER)],
            Located::Group(_) => {
                let groups = self.scope.groups(selection.guid, nesting).into_iter();
                groups.map(|group| (self.domain.head.to_string(), group.people_filter())).collect()
            }
            Located::Unavailable(_) => Vec::new(),
        }
    }

    /// Whether some import wants the groups inside.
    fn nesting(&self, selection: Selection) -> Nesting {
        let of_import = |hold: &&Hold| hold.selection == selection;
        let imports = self.scope.holds.iter().filter(of_import).filter_map(|hold| self.scope.imports.get(&hold.import));
        imports.map(|import| import.nesting).max().unwrap_or_default()
    }

    /// Left out of every import that selects this place.
    fn leaves_out(&self, selection: Selection, dn: &Dn) -> bool {
        let mut holds = self.scope.holds.iter().filter(|hold| hold.selection == selection);
        holds.all(|hold| self.scope.excluded_by(hold.import, dn).is_some())
    }
}

fn unavailable(selection: Selection, why: Unavailable) -> Diagnostic {
    let (fault, words) = match why {
        Unavailable::Gone => (catalogue::SCOPE_GONE, "cannot be found or read"),
        Unavailable::OtherDomain => (catalogue::OUTSIDE_DOMAIN, "belongs to another domain"),
        Unavailable::NotSelectable => (catalogue::SCOPE_GONE, "cannot be selected"),
        Unavailable::NestedTooFar => (catalogue::SCOPE_GONE, "holds too many or too deep groups"),
    };
    Diagnostic::new(fault, format!("the object {} {words}", selection.guid), Exit::Attention)
}

fn excludes(scope: &Scope) -> Finding {
    let excluded: Vec<_> = scope.imports.values().flat_map(|import| import.exclude.iter().copied()).collect();
    if let Some(lost) = excluded.iter().find(|guid| matches!(scope.located(**guid), Located::Unavailable(_))) {
        let detail = format!("the excluded unit {lost}; its imports stand still");
        return Finding::Warn(Diagnostic::new(catalogue::SCOPE_GONE, detail, Exit::Attention));
    }
    let names = excluded.iter().filter_map(|guid| match scope.located(*guid) {
        Located::Ou(dn) => Some(dn.to_string()),
        Located::Group(_) | Located::Unavailable(_) => None,
    });
    let names: Vec<String> = names.take(LISTED).collect();
    Finding::Ok(if names.is_empty() { "none".to_owned() } else { names.join("; ") })
}

fn mail(coverage: &Coverage, access: &Access) -> Finding {
    if access.attributes.withheld().iter().any(|name| name == "mail") {
        return Finding::Skipped("mail is withheld by the configuration".to_owned());
    }
    coverage::judge_mail(coverage)
}

/// Only for information: without it a deleted person leaves after a second reading.
async fn deleted_objects(reader: &mut DirectoryReader, domain: &Domain) -> Result<Finding, Incomplete> {
    let base = format!("<WKGUID={DELETED_OBJECTS},{}>", domain.head);
    let readable = match reader.read_base(&base, &["objectGUID"], Finds::Deleted).await {
        Ok(found) => found.is_some(),
        // insufficientAccessRights: some directories say it instead of hiding the container.
        Err(Incomplete::Result { code: 50, .. }) => false,
        Err(error) => return Err(error),
    };
    let words = if readable {
        "readable: somebody who was deleted leaves at once, with that reason"
    } else {
        "not readable, as usual: somebody who was deleted leaves after a second reading"
    };
    Ok(Finding::Ok(words.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_directory_that_trickles_does_not_keep_the_check_for_ever() {
        let overdue = in_time(Duration::ZERO, std::future::pending()).await.unwrap_err();

        assert_eq!((overdue.fault.code, in_time(DEADLINE, async { Ok(()) }).await), ("RC-4004", Ok(())));
    }
}
