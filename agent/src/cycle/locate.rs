//! Finds what was selected, by objectGUID: renamed and moved objects are followed, lost ones stand still.

use rollcall_protocol::desired::{Selection, SelectionKind};

use super::scope::{Located, Scope};
use crate::directory::dn::Dn;
use crate::directory::domain::{self, Domain};
use crate::directory::entry::Entry;
use crate::directory::group::{self, Group};
use crate::directory::reader::{DirectoryReader, Incomplete};
use crate::directory::structure;

/// Locates every selection and every excluded OU of the scope.
pub async fn locate_all(reader: &mut DirectoryReader, domain: &Domain, scope: &mut Scope) -> Result<(), Incomplete> {
    for wanted in scope.to_locate() {
        let entry = domain::locate(reader, wanted.guid, group::ATTRIBUTES).await?;
        let located = entry.map_or(Located::Unavailable, |entry| judge(wanted, &entry, domain));
        scope.set_located(wanted.guid, located);
    }
    Ok(())
}

/// A group that became one of Windows' own, and anything outside the domain, is not read although it was selected.
fn judge(wanted: Selection, entry: &Entry, domain: &Domain) -> Located {
    let dn = Dn::parse(&entry.dn).filter(|dn| dn.is_at_or_under(&domain.head));
    match (wanted.kind, dn) {
        (_, None) => Located::Unavailable,
        (SelectionKind::Ou, Some(dn)) => Located::Ou(dn),
        (SelectionKind::Group, Some(_)) => match Group::from_entry(entry) {
            Some(group) if structure::blocked(&group, domain).is_none() => Located::Group(group),
            Some(_) | None => Located::Unavailable,
        },
    }
}
