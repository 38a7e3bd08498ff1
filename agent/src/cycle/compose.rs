//! Writes one complete reading into the spool: what changed, who departs and why, and the count and digest of the whole.

use std::collections::{BTreeMap, BTreeSet};

use rollcall_protocol::batch::CycleKind;
use rollcall_protocol::digest::{SetDigester, SetSummary};
use rollcall_protocol::evidence::{Departure, Evidence, Stance};
use rollcall_protocol::hash::Hash;
use rollcall_protocol::item::Item;
use rollcall_protocol::loss::Losses;
use rollcall_protocol::person::{InImport, PersonRecord};
use uuid::Uuid;

use super::CycleError;
use super::confirm::Judged;
use super::evidence::Verdict;
use super::merged::Merged;
use super::parts::Parts;
use super::scope::Scope;
use super::sight::Sight;
use crate::directory::structure::Structure;
use crate::spool::SpoolError;
use crate::spool::commit::{Compared, CycleWriter, Found, FoundPerson};
use crate::spool::fold::PRESENT;
use crate::spool::memberships;
use crate::spool::snapshot::{Known, RowsDigester};

/// What a cycle made of the people.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Counts {
    pub added: u64,
    pub changed: u64,
    /// Memberships that end.
    pub departed: u64,
    /// Of those, the ones that wait for a human.
    pub held: u64,
    /// Memberships that wait for a second reading.
    pub awaiting: u32,
    /// Memberships that stay because nobody can judge them, however often we read.
    pub undecided: u32,
}

/// Everything that was decided before the first byte is written.
#[derive(Debug, Clone, Copy)]
pub struct Decided<'a> {
    pub scope: &'a Scope,
    pub judged: &'a Judged,
    pub stances: &'a BTreeMap<Uuid, Stance>,
    pub sight: Sight,
    pub kind: CycleKind,
    /// What could not be read of many: the values that the cloud has stay.
    pub losses: &'a Losses,
    /// People whom the cloud asked about: sent even when unchanged.
    pub asked: &'a BTreeSet<Uuid>,
}

impl Decided<'_> {
    fn departure(&self, guid: Uuid, import: Uuid, evidence: Evidence) -> Departure {
        let stance = self.stances.get(&import).copied().unwrap_or(Stance::Held);
        let stance = self.sight.stance(&evidence, stance);
        Departure { guid, import, evidence, stance }
    }
}

/// Writes items and who goes, and sums up the set and the spool's rows of it.
pub fn write(
    writer: &CycleWriter<'_>,
    parts: &mut Parts<'_>,
    decided: &Decided<'_>,
) -> Result<(Counts, SetSummary, Option<Hash>), CycleError> {
    let mut composer = Composer {
        writer,
        parts,
        decided,
        merged: Merged::new(decided.scope),
        digest: SetDigester::default(),
        rows: RowsDigester::default(),
        counts: Counts::default(),
    };
    writer.compare(|row| composer.person(row))?;
    let Composer { digest, rows, counts, .. } = composer;
    Ok((counts, digest.finish(), rows.finish()))
}

/// Writes the structure's items.
pub fn write_structure(parts: &mut Parts<'_>, structure: &Structure) -> Result<(), CycleError> {
    for unit in &structure.ous {
        parts.push(&to_line(&Item::Ou(unit.clone()))?)?;
    }
    for group in &structure.groups {
        parts.push(&to_line(&Item::Group(group.clone()))?)?;
    }
    Ok(())
}

/// Tells one structure from another.
pub fn structure_hash(structure: &Structure) -> Result<Hash, CycleError> {
    let json = serde_json::to_vec(&(&structure.ous, &structure.groups)).map_err(SpoolError::from)?;
    Ok(Hash::of(&json))
}

fn to_line(item: &Item) -> Result<String, CycleError> {
    Ok(serde_json::to_string(item).map_err(SpoolError::from)?)
}

struct Composer<'a, 'p> {
    writer: &'a CycleWriter<'a>,
    parts: &'a mut Parts<'p>,
    decided: &'a Decided<'a>,
    merged: Merged<'a>,
    digest: SetDigester,
    rows: RowsDigester,
    counts: Counts,
}

impl Composer<'_, '_> {
    fn person(&mut self, row: Compared) -> Result<(), CycleError> {
        match (&row.found, &row.known) {
            (Some(Found::AsKnown), Some(known)) => return self.as_known(known),
            (Some(Found::Read(FoundPerson { hash: Some(hash), .. })), None) => return self.newcomer(&row, *hash),
            (Some(Found::Read(_) | Found::AsKnown) | None, _) => {}
        }
        let before: &[InImport] = row.known.as_ref().map_or(&[], Known::imports);
        let holds: &[u16] = found(&row).map_or(&[], |found| &found.holds);
        let mut after = self.decided.scope.memberships(holds, before);
        self.settle(row.guid, before, &mut after)?;
        if after.is_empty() {
            return self.gone(&row);
        }
        let known_hash = row.known.as_ref().map(|known| known.hash);
        let hash = self.worked_out(&row, before, &after);
        let is_as_known = hash.is_some() && hash == known_hash;
        let json = if is_as_known { None } else { self.record(&row, before, &after)? };
        let hash = hash.or_else(|| json.as_ref().map(|json| Hash::of(json.as_bytes())));
        let Some(final_hash) = hash.or(known_hash) else { return Ok(()) };
        self.sum_up(row.guid, &final_hash, &memberships::pack(&after))?;
        match known_hash {
            None => self.counts.added += 1,
            Some(known) if known != final_hash => self.counts.changed += 1,
            Some(_) if self.is_sent_anyway(row.guid) => {}
            Some(_) => return Ok(()),
        }
        let json = json.map_or_else(|| self.acknowledged(&row), Ok)?;
        self.send(&json)
    }

    /// Somebody who came back as the cloud has them.
    fn as_known(&mut self, known: &Known) -> Result<(), CycleError> {
        self.sum_up(known.guid, &known.hash, known.packed())?;
        if self.is_sent_anyway(known.guid) {
            let json = self.writer.get_record(known)?;
            self.send(&json)?;
        }
        Ok(())
    }

    /// Somebody of whom nothing was known, and whose record is worked out: nothing of an earlier one can matter.
    fn newcomer(&mut self, row: &Compared, hash: Hash) -> Result<(), CycleError> {
        let Some(found) = found(row) else { return Ok(()) };
        let (writer, merge) = (self.writer, self.merged.of(&found.holds).map_err(SpoolError::from)?);
        self.parts.push_with(|line| {
            line.extend_from_slice(PRESENT.0.as_bytes());
            writer.copy_record(found, &merge.end, line)?;
            line.extend_from_slice(PRESENT.1.as_bytes());
            Ok(())
        })?;
        sum_up(&mut self.digest, &mut self.rows, row.guid, &hash, &merge.packed)?;
        self.counts.added += 1;
        Ok(())
    }

    fn sum_up(&mut self, guid: Uuid, hash: &Hash, memberships: &[u8]) -> Result<(), SpoolError> {
        sum_up(&mut self.digest, &mut self.rows, guid, hash, memberships)
    }

    fn is_sent_anyway(&self, guid: Uuid) -> bool {
        self.decided.kind == CycleKind::Full || self.decided.asked.contains(&guid)
    }

    /// The batch is where a record is kept until it is acknowledged.
    fn send(&mut self, json: &str) -> Result<(), CycleError> {
        self.parts.push(&[PRESENT.0, json, PRESENT.1].concat())
    }

    /// The hash of the record as it will be acknowledged, where the reading knows it already.
    fn worked_out(&self, row: &Compared, before: &[InImport], after: &[InImport]) -> Option<Hash> {
        let found = found(row).filter(|_| !self.decided.losses.concern(before))?;
        self.decided.scope.hash_under(found, after)
    }

    /// The record as it will be acknowledged. `None`: unread and unchanged, so the stored one stands.
    fn record(&self, row: &Compared, before: &[InImport], after: &[InImport]) -> Result<Option<String>, CycleError> {
        if let Some(found) = found(row) {
            let json = self.writer.get_draft(found)?.finish(after).map_err(SpoolError::from)?;
            return Ok(Some(if self.decided.losses.concern(before) {
                self.restored(row, before, &json)?
            } else {
                json
            }));
        }
        if before == after {
            return Ok(None);
        }
        let mut person = PersonRecord::read(&self.acknowledged(row)?).map_err(SpoolError::from)?.person;
        person.imports = after.to_vec();
        Ok(Some(PersonRecord::write(person).map_err(SpoolError::from)?.json))
    }

    /// The record of somebody who is known, as the cloud has it.
    fn acknowledged(&self, row: &Compared) -> Result<String, CycleError> {
        let known = row.known.as_ref().ok_or(SpoolError::Unreadable)?;
        Ok(self.writer.get_record(known)?)
    }

    /// The record with what it lost as the cloud knows it.
    fn restored(&self, row: &Compared, before: &[InImport], json: &str) -> Result<String, CycleError> {
        let mut now = PersonRecord::read(json).map_err(SpoolError::from)?.person;
        let mut known = PersonRecord::read(&self.acknowledged(row)?).map_err(SpoolError::from)?.person;
        self.decided.scope.conceal(&mut known);
        self.decided.losses.restore(&mut now, &known, before);
        Ok(PersonRecord::write(now).map_err(SpoolError::from)?.json)
    }

    fn gone(&mut self, row: &Compared) -> Result<(), CycleError> {
        if row.known.is_some() {
            self.writer.stage_gone(row.guid)?;
        }
        Ok(())
    }

    /// Sends the departures of one person and keeps the memberships that wait.
    fn settle(&mut self, guid: Uuid, before: &[InImport], after: &mut Vec<InImport>) -> Result<(), CycleError> {
        let Some(verdicts) = self.decided.judged.verdicts.get(&guid) else { return Ok(()) };
        for (import, verdict) in verdicts {
            match verdict {
                Verdict::Depart(evidence) => {
                    let departure = self.decided.departure(guid, *import, evidence.clone());
                    depart(self.parts, &mut self.counts, departure)?;
                }
                Verdict::Wait => {
                    self.counts.awaiting += 1;
                    keep(*import, before, after);
                }
                Verdict::Stay(_) => {
                    self.counts.undecided += 1;
                    keep(*import, before, after);
                }
                // Added to the reading: it is among the found.
                Verdict::StillHeld(_) => {}
            }
        }
        after.sort_by_key(|membership| membership.import);
        Ok(())
    }
}

/// The membership as it was.
fn keep(import: Uuid, before: &[InImport], after: &mut Vec<InImport>) {
    after.extend(before.iter().filter(|earlier| earlier.import == import).cloned());
}

fn sum_up(
    digest: &mut SetDigester,
    rows: &mut RowsDigester,
    guid: Uuid,
    hash: &Hash,
    memberships: &[u8],
) -> Result<(), SpoolError> {
    let out_of_order = |_| SpoolError::Damaged("the people are not in order".to_owned());
    digest.push(guid, hash).map_err(out_of_order)?;
    rows.push(guid, hash, memberships);
    Ok(())
}

/// What was read of the person in this cycle, if it is not what was known.
fn found(row: &Compared) -> Option<&FoundPerson> {
    match &row.found {
        Some(Found::Read(found)) => Some(found),
        Some(Found::AsKnown) | None => None,
    }
}

/// People of whom only the cloud knows are in no row of the comparison; their departures are written here.
pub fn write_strangers(
    parts: &mut Parts<'_>,
    decided: &Decided<'_>,
    counts: &mut Counts,
    strangers: &[Uuid],
) -> Result<(), CycleError> {
    // Other eyes than these saw them: those before a spool was lost, or of the agent that read here before.
    let decided = &Decided { sight: Sight::Other, ..*decided };
    for guid in strangers {
        let Some(verdicts) = decided.judged.verdicts.get(guid) else { continue };
        // While every import stands still, nobody can say anything of them.
        counts.undecided += u32::from(verdicts.is_empty());
        // Somebody who is in scope after all was added to the reading and is written with everybody else.
        if verdicts.iter().any(|(_, verdict)| matches!(verdict, Verdict::StillHeld(_))) {
            continue;
        }
        for (import, verdict) in verdicts {
            match verdict {
                Verdict::Depart(evidence) => {
                    depart(parts, counts, decided.departure(*guid, *import, evidence.clone()))?;
                }
                Verdict::Wait => counts.awaiting += 1,
                Verdict::Stay(_) => counts.undecided += 1,
                Verdict::StillHeld(_) => {}
            }
        }
    }
    Ok(())
}

fn depart(parts: &mut Parts<'_>, counts: &mut Counts, departure: Departure) -> Result<(), CycleError> {
    counts.departed += 1;
    counts.held += u64::from(departure.stance == Stance::Held);
    parts.push(&to_line(&Item::Departed(departure))?)
}
