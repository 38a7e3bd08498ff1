//! Decides, after everybody was read, who must be looked at a second time; and counts each import before the cycle.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use rollcall_protocol::hash::Hash;
use rollcall_protocol::loss::Tally;
use rollcall_protocol::person::{InImport, PersonRecord};
use uuid::Uuid;

use super::merged::{Merge, Merged};
use super::scope::Scope;
use crate::spool::commit::{Compared, Found};
use crate::spool::snapshot::Known;
use crate::spool::{Spool, SpoolError};

/// What the comparison found, before any second look.
#[derive(Debug, Default)]
pub struct Survey {
    /// Members of each import in the acknowledged snapshot.
    pub before: BTreeMap<Uuid, u64>,
    /// People whom the reading adds to each import.
    pub joining: BTreeMap<Uuid, u64>,
    /// People with memberships that the reading did not find, and with those that the cloud may know of.
    pub ended: Vec<Ended>,
    /// What vanished from whom.
    pub tally: Tally,
    /// People whom the cloud asked about and who are neither read nor known here. They are among `ended`.
    pub strangers: Vec<Uuid>,
}

/// A person and the memberships to be judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    pub guid: Uuid,
    pub memberships: Vec<InImport>,
    /// The imports among them of which the cloud alone may know that they hold the person.
    pub hearsay: HashSet<Uuid>,
}

/// Compares the reading with the acknowledged snapshot. `asked` are people the cloud wants to hear about.
pub fn take(spool: &Spool, scope: &Scope, asked: &BTreeSet<Uuid>) -> Result<Survey, SpoolError> {
    let mut survey = Survey::default();
    if asked.is_empty() && spool.count_people()? == 0 {
        // Whoever was read is new, and nobody can be missing.
        return Ok(survey);
    }
    let mut unheard = asked.clone();
    let mut merged = Merged::new(scope);
    spool.compare(|row| {
        unheard.remove(&row.guid);
        let is_asked = asked.contains(&row.guid);
        if let (Some(Found::Read(found)), None, false) = (&row.found, &row.known, is_asked) {
            survey.newcomer(merged.of(&found.holds)?);
            return Ok(());
        }
        survey.add(scope, &row, if is_asked { every_import(scope) } else { Vec::new() });
        survey.compare(spool, scope, &row)
    })?;
    survey.strangers = unheard.into_iter().collect();
    let memberships = every_import(scope);
    let hearsay: HashSet<Uuid> = memberships.iter().map(|membership| membership.import).collect();
    let stranger = |guid: &Uuid| Ended { guid: *guid, memberships: memberships.clone(), hearsay: hearsay.clone() };
    survey.ended.extend(survey.strangers.iter().map(stranger));
    Ok(survey)
}

impl Survey {
    fn newcomer(&mut self, merge: &Merge) {
        for membership in &merge.memberships {
            *self.joining.entry(membership.import).or_default() += 1;
        }
    }

    /// `asked`: imports of which the cloud wants to hear whether they hold the person. It may know of a membership that a
    /// spool which was lost has forgotten.
    fn add(&mut self, scope: &Scope, row: &Compared, asked: Vec<InImport>) {
        let before: &[InImport] = row.known.as_ref().map_or(&[], Known::imports);
        for membership in before {
            *self.before.entry(membership.import).or_default() += 1;
        }
        let after = match &row.found {
            // What is the same to the byte is in the same imports.
            Some(Found::AsKnown) => return,
            Some(Found::Read(found)) => scope.memberships(&found.holds, before),
            None => scope.memberships(&[], before),
        };
        for membership in &after {
            if !before.iter().any(|earlier| earlier.import == membership.import) {
                *self.joining.entry(membership.import).or_default() += 1;
            }
        }
        let is_over = |membership: &&InImport| !after.iter().any(|still| still.import == membership.import);
        let mut memberships: Vec<InImport> = before.iter().filter(is_over).cloned().collect();
        let is_known = |import: Uuid| before.iter().chain(&after).any(|membership| membership.import == import);
        let unknown: Vec<InImport> = asked.into_iter().filter(|membership| !is_known(membership.import)).collect();
        let hearsay = unknown.iter().map(|membership| membership.import).collect();
        memberships.extend(unknown);
        if !memberships.is_empty() {
            self.ended.push(Ended { guid: row.guid, memberships, hearsay });
        }
    }
}

impl Survey {
    /// Looks at what the person had and has, where that differs.
    fn compare(&mut self, spool: &Spool, scope: &Scope, row: &Compared) -> Result<(), SpoolError> {
        let (Some(found), Some(known)) = (&row.found, &row.known) else { return Ok(()) };
        let Found::Read(found) = found else {
            self.tally.add(known.imports(), None);
            return Ok(());
        };
        let after = scope.memberships(&found.holds, known.imports());
        if scope.hash_under(found, &after) == Some(known.hash) {
            self.tally.add(known.imports(), None);
            return Ok(());
        }
        let json = spool.reading()?.get_draft(found)?.finish(&after)?;
        if Hash::of(json.as_bytes()) == known.hash {
            self.tally.add(known.imports(), None);
            return Ok(());
        }
        let now = PersonRecord::read(&json)?.person;
        let mut before = PersonRecord::read(&spool.get_record(known)?)?.person;
        // What is kept back on purpose is not lost.
        scope.conceal(&mut before);
        self.tally.add(known.imports(), Some((&before, &now)));
        Ok(())
    }
}

/// The spool may not know in which imports the cloud keeps somebody, so every import answers for itself.
fn every_import(scope: &Scope) -> Vec<InImport> {
    let live = scope.imports.values().filter(|import| !scope.is_still(import));
    live.map(|import| InImport { import: import.import, via: import.include.iter().map(|held| held.guid).collect() })
        .collect()
}
