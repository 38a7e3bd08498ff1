//! Finds what was selected, by objectGUID: renamed and moved objects are followed, lost ones stand still.

use rollcall_protocol::desired::{Selection, SelectionKind};

use super::scope::{Located, Scope, Unavailable};
use crate::directory::dn::Dn;
use crate::directory::domain::{self, Domain, Sought};
use crate::directory::entry::Entry;
use crate::directory::group::Group;
use crate::directory::reader::{DirectoryReader, Incomplete};
use crate::directory::structure;

/// Locates every selection and every excluded OU of the scope.
pub async fn locate_all(reader: &mut DirectoryReader, domain: &Domain, scope: &mut Scope) -> Result<(), Incomplete> {
    for wanted in scope.to_locate() {
        let located = locate(reader, domain, wanted).await?;
        scope.set_located(wanted.guid, located);
    }
    Ok(())
}

/// Whether everything that decides who is in scope, or must never be read, is still where it was, under the name it had. People who were sorted
/// by names that changed meanwhile would seem to have left.
pub async fn check_unmoved(reader: &mut DirectoryReader, domain: &Domain, scope: &Scope) -> Result<(), Incomplete> {
    for wanted in scope.to_locate() {
        if !is_same(scope.located(wanted.guid), &locate(reader, domain, wanted).await?) {
            return Err(Incomplete::ChangedMeanwhile);
        }
    }
    for inner in scope.inner_groups() {
        let entry = domain::locate(reader, inner.guid, ATTRIBUTES).await?.here();
        if entry.and_then(|entry| Dn::parse(&entry.dn)).as_ref() != Some(&inner.dn) {
            return Err(Incomplete::ChangedMeanwhile);
        }
    }
    scope.barred().check_unmoved(reader).await
}

fn is_same(before: &Located, now: &Located) -> bool {
    match (before, now) {
        (Located::Ou(before), Located::Ou(now)) => before == now,
        (Located::Group(before), Located::Group(now)) => before.dn == now.dn,
        // Somebody may be in what has come back, or not in what is gone.
        (Located::Unavailable(before), Located::Unavailable(now)) => before == now,
        (Located::Group(_), Located::Ou(_) | Located::Unavailable(_))
        | (Located::Ou(_), Located::Group(_) | Located::Unavailable(_))
        | (Located::Unavailable(_), Located::Ou(_) | Located::Group(_)) => false,
    }
}

async fn locate(reader: &mut DirectoryReader, domain: &Domain, wanted: Selection) -> Result<Located, Incomplete> {
    Ok(match domain::locate(reader, wanted.guid, ATTRIBUTES).await? {
        Sought::Here(entry) => judge(wanted, &entry, domain),
        Sought::Nowhere => Located::Unavailable(Unavailable::Gone),
        Sought::Elsewhere => Located::Unavailable(Unavailable::OtherDomain),
    })
}

const ATTRIBUTES: &[&str] =
    &["objectClass", "objectGUID", "objectSid", "groupType", "isCriticalSystemObject", "uSNChanged"];

/// A group that became one of Windows' own, and anything outside the domain, is not read although it was selected.
fn judge(wanted: Selection, entry: &Entry, domain: &Domain) -> Located {
    let Some(dn) = Dn::parse(&entry.dn).filter(|dn| domain.holds(dn)) else {
        return Located::Unavailable(Unavailable::OtherDomain);
    };
    let not_selectable = Located::Unavailable(Unavailable::NotSelectable);
    match wanted.kind {
        // A group as an OU would hold nobody, and all its people would seem to have left.
        SelectionKind::Ou if entry.texts("objectClass").any(is_no_container) => not_selectable,
        SelectionKind::Ou => Located::Ou(dn),
        SelectionKind::Group => match Group::from_entry(entry) {
            Some(group) if structure::blocked(&group, domain).is_none() => Located::Group(group),
            Some(_) | None => not_selectable,
        },
    }
}

fn is_no_container(class: &str) -> bool {
    ["group", "user", "computer", "contact"].iter().any(|leaf| class.eq_ignore_ascii_case(leaf))
}
