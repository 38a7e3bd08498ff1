//! Decides how a complete reading goes out, whole or as changes, and puts it into the spool in one transaction.

use chrono::{DateTime, TimeDelta, Utc};
use rollcall_protocol::batch::{CycleKind, CyclePart, StructurePart};
use rollcall_protocol::chain::{ChainHead, Epoch};
use rollcall_protocol::digest::SetSummary;
use rollcall_protocol::hash::Hash;
use rollcall_protocol::limits;
use rollcall_protocol::loss::Loss;

use super::compose::{self, Counts, Decided};
use super::evidence::DcContinuity;
use super::parts::{Parts, Seal, Sealed};
use super::sight::{self, Sight};
use super::{Complete, Cycle, CycleError, Extent, Purpose, Summary, Wish, concern, guard, scope};
use crate::clock;
use crate::directory::access::Access;
use crate::directory::domain::Rights;
use crate::spool::state::{Base, State};

/// The whole set goes out at least this often, whatever has changed.
const FULL_EVERY: TimeDelta = TimeDelta::hours(24);

/// Decides, writes, signs and commits. A dry run does all of it but the commit.
pub(super) fn publish(cycle: &mut Cycle<'_>, wish: &Wish, read: &Complete) -> Result<Summary, CycleError> {
    let plan = Plan::make(cycle, wish, read)?;
    let sight = Sight::of(read.state.base.account, read.account);
    let stances = guard::decide(&read.scope, &read.survey, &read.judged);
    let accepted = [wish.accepted.as_slice(), &read.state.accepted].concat();
    let is_accepted = |loss: &Loss| accepted.iter().any(|accepted| accepted.covers(loss));
    let is_meant = |loss: &Loss| !cycle.access.attributes.holds(loss.attribute()) || is_accepted(loss);
    let losses = read.survey.tally.judge(is_meant);
    let decided = Decided {
        scope: &read.scope,
        judged: &read.judged,
        stances: &stances,
        sight,
        kind: plan.kind,
        losses: &losses,
        asked: &read.asked,
    };
    let access = cycle.access;
    let writer = cycle.spool.begin_commit()?;
    let mut parts = Parts::begin(&writer, plan.head);
    match plan.structure {
        StructurePart::Unchanged => {}
        StructurePart::Included => compose::write_structure(&mut parts, &read.structure)?,
    }
    let (mut counts, set, rows) = compose::write(&writer, &mut parts, &decided)?;
    compose::write_strangers(&mut parts, &decided, &mut counts, &read.survey.strangers)?;
    let part = CyclePart {
        clearings: concern::clearings(&losses),
        ..plan.part(wish, read, &counts, set, cycle.desired.version)
    };
    let sealed = parts.seal(&part, Seal { signer: cycle.signer, clock: cycle.clock, chance: cycle.chance })?;
    match wish.purpose {
        Purpose::DryRun => {}
        Purpose::Publish => {
            writer.note_missed(&read.judged.missing, plan.finished_at, &read.domain.dc)?;
            writer.forget_missed_but(&read.judged.missing)?;
            let next = plan.next_base(read, &part, rows, &counts);
            writer.commit(&State {
                chain: Some(sealed.head),
                domain: Some(read.domain.pin.clone()),
                base: read.state.base.clone(),
                next: Some(next),
                awaiting: counts.awaiting,
                asked: read.asked.clone(),
                broken: read.state.broken.clone().without(&read.host, plan.finished_at),
                accepted,
                obeyed: read.state.obeyed,
            })?;
        }
    }
    Ok(Summary {
        concerns: concern::list(&read.scope, &read.judged, &read.withheld, &read.structure.unlisted, &losses, sight),
        ..summary(access, read, &part, counts, &sealed)
    })
}

/// What is known before the first item is written.
struct Plan {
    cycle: uuid::Uuid,
    head: ChainHead,
    kind: CycleKind,
    structure: StructurePart,
    structure_hash: Option<Hash>,
    recipe: Hash,
    finished_at: DateTime<Utc>,
}

impl Plan {
    fn make(cycle: &Cycle<'_>, wish: &Wish, read: &Complete) -> Result<Self, CycleError> {
        let (attributes, never_read) = (&cycle.access.attributes, &cycle.access.never_read);
        let recipe = scope::recipe(cycle.desired, attributes, never_read, crate::version::text());
        let finished_at = cycle.clock.cloud_now();
        let kind = kind(wish, read, recipe, finished_at);
        let now = compose::structure_hash(&read.structure)?;
        let before = read.state.base.structure;
        // What lies in a place that must never be read cannot be left out while nobody knows where it is.
        let (structure, structure_hash) = match kind {
            CycleKind::Delta | CycleKind::Full if read.scope.barred().is_uncertain() => {
                (StructurePart::Unchanged, before)
            }
            CycleKind::Delta if before == Some(now) => (StructurePart::Unchanged, before),
            CycleKind::Delta | CycleKind::Full => (StructurePart::Included, Some(now)),
        };
        let head = match (read.state.chain, wish.purpose) {
            (Some(head), Purpose::Publish | Purpose::DryRun) => head,
            (None, Purpose::Publish) => return Err(CycleError::NoPlace),
            (None, Purpose::DryRun) => Epoch { number: 0, start: recipe }.head(),
        };
        let cycle = cycle.chance.id(read.started_at);
        Ok(Self { cycle, head, kind, structure, structure_hash, recipe, finished_at })
    }

    fn part(&self, wish: &Wish, read: &Complete, counts: &Counts, set: SetSummary, desired_version: u64) -> CyclePart {
        let base = match self.kind {
            CycleKind::Full => 0,
            CycleKind::Delta => read.state.base.snapshot,
        };
        let unavailable = read.scope.unavailable();
        let more = unavailable.len().saturating_sub(limits::UNAVAILABLE_TOLD);
        CyclePart {
            cycle: self.cycle,
            kind: self.kind,
            trigger: wish.trigger,
            snapshot: read.state.base.snapshot + 1,
            base,
            part: 0,
            parts: 0,
            items: 0,
            started_at: read.started_at,
            finished_at: self.finished_at,
            domain: read.domain.pin.clone(),
            dc: read.domain.dc.clone(),
            set,
            people_seen: read.structure.people,
            structure: self.structure,
            awaiting_second_reading: counts.awaiting,
            unavailable: unavailable.into_iter().take(limits::UNAVAILABLE_TOLD).collect(),
            unavailable_more: u32::try_from(more).unwrap_or(u32::MAX),
            clearings: Vec::new(),
            desired_version,
        }
    }

    fn next_base(&self, read: &Complete, part: &CyclePart, rows: Option<Hash>, counts: &Counts) -> Base {
        let full_at = match self.kind {
            CycleKind::Full => Some(self.finished_at),
            CycleKind::Delta => read.state.base.full_at,
        };
        Base {
            snapshot: part.snapshot,
            dc: Some(read.domain.dc.clone()),
            structure: self.structure_hash,
            full_at,
            recipe: Some(self.recipe),
            finished_at: Some(self.finished_at),
            people: part.set.people,
            people_seen: part.people_seen,
            rows,
            account: Some(sight::next(read.state.base.account, read.account, counts.awaiting + counts.undecided)),
        }
    }
}

/// The whole set goes out when the cloud has none, asks for it, or when the reading was made another way than the last.
fn kind(wish: &Wish, read: &Complete, recipe: Hash, now: DateTime<Utc>) -> CycleKind {
    let base = &read.state.base;
    let is_due = base.full_at.is_none_or(|at| now - at >= FULL_EVERY || clock::is_of_the_future(at, now));
    let changed = base.recipe != Some(recipe) || read.continuity == DcContinuity::Changed;
    let is_owed = read.replaced == Some(CycleKind::Full);
    if base.snapshot == 0 || is_owed || wish.extent == Extent::Everybody || is_due || changed {
        CycleKind::Full
    } else {
        CycleKind::Delta
    }
}

fn summary(access: &Access, read: &Complete, part: &CyclePart, counts: Counts, sealed: &Sealed) -> Summary {
    Summary {
        cycle: part.cycle,
        kind: part.kind,
        people: part.set.people,
        people_in_domain: read.structure.people,
        counts,
        batches: sealed.parts,
        bytes: sealed.bytes,
        unavailable: read.scope.unavailable(),
        concerns: Vec::new(),
        started_at: part.started_at,
        finished_at: part.finished_at,
        over_privileged: read.domain.rights == Rights::Administrator,
        ceiling: read.scope.barred().tell(&access.attributes, read.structure.left_out),
        reached: read.reached.clone(),
    }
}
