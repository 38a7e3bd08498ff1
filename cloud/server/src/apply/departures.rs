//! Applies the departures of a cycle, each with its evidence: at once, or held where too many would go.

use std::collections::HashMap;

use chrono::TimeDelta;
use rollcall_domain::{
    account::{self, AccountState},
    ids::{AccountId, HistoryId, ImportId, RunId},
    membership::{Event, MembershipState},
    run::Change,
};
use rollcall_protocol::{
    evidence::{Departure, Stance},
    guard,
};
use rollcall_store::{
    Json, StoreError, WriteTx,
    accounts::{self, InSnapshot, Leaving, Stored},
    history::{self, By, NewLine},
    memberships::{self, Membership, PerImport},
};
use serde_json::{json, value::to_raw_value};
use uuid::Uuid;

use super::people::{CHUNK, Frame, Tally, Touched};

/// Imports whose departures of this cycle wait for a human.
#[derive(Debug, Default)]
struct Held(HashMap<ImportId, Stance>);

impl Held {
    fn event(&self, import: ImportId) -> Event {
        match self.0.get(&import) {
            Some(Stance::Held) => Event::DepartedHeld,
            Some(Stance::Apply) | None => Event::Departed,
        }
    }
}

pub async fn apply(
    tx: &mut WriteTx,
    frame: &Frame<'_>,
    tally: &mut Tally,
    members: &PerImport,
    departures: &[Departure],
) -> Result<(), StoreError> {
    let held = if departures.is_empty() {
        Held::default()
    } else {
        decide_held(tally, members, &load_day(tx, frame).await?, departures)
    };
    for chunk in departures.chunks(CHUNK) {
        apply_chunk(tx, frame, tally, &held, chunk).await?;
    }
    Ok(())
}

/// What the last day changed, by earlier cycles and by this one.
#[derive(Debug, Default)]
struct Day {
    /// Who left each import within it.
    left: PerImport,
    /// Members of each import whom the cloud knew before it.
    known: PerImport,
}

async fn load_day(tx: &mut WriteTx, frame: &Frame<'_>) -> Result<Day, StoreError> {
    let began = frame.now - TimeDelta::days(1);
    let left = history::count_left(tx, frame.directory, RunId::mint(began, [0; 10])).await?;
    let known = memberships::count_known_before(tx, frame.directory, began).await?;
    Ok(Day { left, known })
}

/// The agent's own guard is believed when it holds; ours comes on top, for this cycle and for the day.
///
/// Both shares are of the people whom the cloud knew in the import a day ago: an agent that shows a crowd in it must not
/// thereby make room to remove the true one. An import that is not older than a day is measured by whom it has.
fn decide_held(tally: &Tally, members: &PerImport, day: &Day, departures: &[Departure]) -> Held {
    let mut leaving: HashMap<ImportId, (u64, Stance)> = HashMap::new();
    for departure in departures {
        let (count, stance) = leaving.entry(departure.import.into()).or_insert((0, Stance::Apply));
        *count += 1;
        if departure.stance == Stance::Held {
            *stance = Stance::Held;
        }
    }
    let judge = |(import, (count, told)): (ImportId, (u64, Stance))| {
        let of = |counts: &PerImport| counts.get(&import).copied().unwrap_or_default();
        let (before, joining, left) = (of(members), of(&tally.joined), of(&day.left));
        let known = of(&day.known).min(before);
        let judged = [
            guard::judge(guard::DEFAULT, before, count, joining),
            // Whoever is new keeps the import from being empty, and nothing more.
            guard::judge(guard::DEFAULT, known, count, joining + (before - known)),
            guard::judge(guard::OF_A_DAY, known + left, count + left, joining + (before - known)),
        ];
        let is_held = judged.iter().any(|verdict| matches!(verdict, guard::Verdict::Hold(_)));
        (import, if is_held { Stance::Held } else { told })
    };
    Held(leaving.into_iter().map(judge).collect())
}

async fn apply_chunk(
    tx: &mut WriteTx,
    frame: &Frame<'_>,
    tally: &mut Tally,
    held: &Held,
    departures: &[Departure],
) -> Result<(), StoreError> {
    let mut by_person: HashMap<Uuid, Vec<&Departure>> = HashMap::new();
    for departure in departures {
        by_person.entry(departure.guid).or_default().push(departure);
    }
    let guids: Vec<Uuid> = by_person.keys().copied().collect();
    let stored = accounts::list_by_guids(tx, frame.directory, &guids).await?;
    let ids: Vec<AccountId> = stored.iter().map(|stored| stored.id).collect();
    let mut memberships = memberships::list_by_account(tx, &ids).await?;
    let mut changed = Vec::new();
    let mut leaving = Vec::new();
    let mut lines = Vec::new();
    for known in stored {
        let of_person = memberships.remove(&known.id).unwrap_or_default();
        let told = by_person.remove(&known.object_guid).unwrap_or_default();
        let left = leave(frame, tally, held, &known, of_person, &told)?;
        if left.changed.is_empty() && left.in_snapshot == InSnapshot::Yes {
            continue;
        }
        leaving.push(Leaving { id: known.id, state: left.state, in_snapshot: left.in_snapshot });
        tally.touched = Touched::Somebody;
        changed.extend(left.changed);
        lines.extend(left.lines);
    }
    accounts::set_leaving(tx, &leaving, frame.now).await?;
    memberships::upsert(tx, &changed).await?;
    history::insert(tx, &lines, By { run: Some(frame.run), actor: None }, frame.now).await
}

struct Left {
    changed: Vec<Membership>,
    lines: Vec<NewLine>,
    state: AccountState,
    in_snapshot: InSnapshot,
}

/// All departures of one person in this cycle.
fn leave(
    frame: &Frame<'_>,
    tally: &mut Tally,
    held: &Held,
    known: &Stored,
    mut memberships: Vec<Membership>,
    departures: &[&Departure],
) -> Result<Left, StoreError> {
    let mut moved = Vec::new();
    for departure in departures {
        let import = ImportId::from(departure.import);
        let event = if frame.keeping.contains(&import) { Event::DepartedKept } else { held.event(import) };
        let Some(membership) = memberships.iter_mut().find(|membership| membership.import_id == import) else {
            continue;
        };
        let after = membership.state.after(event);
        if after == membership.state {
            continue;
        }
        let evidence = json!(departure.evidence);
        membership.state = after;
        membership.since = frame.now;
        membership.evidence = Some(Json(evidence));
        membership.run_id = Some(frame.run.uuid());
        moved.push((import, *departure));
    }
    let state = account::decide_state(memberships.iter().map(|membership| membership.state));
    let in_directory = memberships.iter().any(|membership| membership.state == MembershipState::Active);
    let mut lines = Vec::with_capacity(moved.len());
    for (import, departure) in &moved {
        let after =
            memberships.iter().find(|membership| membership.import_id == *import).map(|membership| membership.state);
        let change = decide_change(after, state);
        count(tally, change);
        lines.push(NewLine {
            id: HistoryId::from(tally.mint(frame)),
            account: known.id,
            import: Some(import.uuid()),
            change,
            before: None,
            after: None,
            evidence: Some(to_raw_value(&departure.evidence)?),
        });
    }
    memberships.retain(|membership| moved.iter().any(|(import, _)| *import == membership.import_id));
    let in_snapshot = if in_directory { InSnapshot::Yes } else { InSnapshot::No };
    Ok(Left { changed: memberships, lines, state, in_snapshot })
}

fn decide_change(membership: Option<MembershipState>, account: AccountState) -> Change {
    match (membership, account) {
        (Some(MembershipState::Held), _) => Change::Held,
        (Some(MembershipState::Kept), _) => Change::Kept,
        (_, AccountState::Departed) => Change::Departed,
        (_, AccountState::Active | AccountState::Held) => Change::LeftImport,
    }
}

fn count(tally: &mut Tally, change: Change) {
    match change {
        Change::Held => tally.counts.held += 1,
        // Nobody left Rollcall.
        Change::Kept => {}
        Change::Joined
        | Change::Updated
        | Change::Returned
        | Change::LeftImport
        | Change::Departed
        | Change::HoldCleared
        | Change::RemovalApproved
        | Change::RemovalRejected => tally.counts.departed += 1,
    }
}

#[cfg(test)]
mod tests {
    use rollcall_protocol::evidence::Evidence;

    use super::*;

    const IMPORT: Uuid = Uuid::from_u128(11);

    /// Whether so many departures of an import are held, that has `members` of whom `known` are older than a day.
    fn is_held(leaving: u128, members: u64, known: u64, left: u64) -> bool {
        let departure = |number| Departure {
            guid: Uuid::from_u128(number),
            import: IMPORT,
            evidence: Evidence::Deleted,
            stance: Stance::Apply,
        };
        let departures: Vec<Departure> = (0..leaving).map(departure).collect();
        let of = |count| PerImport::from([(ImportId::from(IMPORT), count)]);
        let day = Day { left: of(left), known: of(known) };
        let held = decide_held(&Tally::default(), &of(members), &day, &departures);
        held.event(IMPORT.into()) == Event::DepartedHeld
    }

    #[test]
    fn a_crowd_of_newcomers_makes_no_room_for_removals() {
        assert!(!is_held(500, 5_500, 5_500, 0), "nine in a hundred of those who were there");
        assert!(is_held(500, 5_500, 500, 0), "everybody who was there, beside five thousand new ones");
        assert!(!is_held(50, 5_500, 500, 0) && is_held(51, 5_500, 500, 0));
        assert!(!is_held(1, 500, 1, 0), "one of the old ones leaves, and the import is far from empty");
    }

    #[test]
    fn an_import_of_today_is_measured_by_whom_it_has() {
        assert!(!is_held(50, 500, 500, 0) && is_held(51, 500, 500, 0));
    }

    #[test]
    fn an_older_import_of_newcomers_alone_is_measured_by_nobody() {
        assert!(!is_held(3, 500, 0, 0) && is_held(4, 500, 0, 0));
    }

    #[test]
    fn what_left_within_the_day_counts_among_those_who_were_there() {
        assert!(!is_held(10, 210, 210, 190), "half of four hundred");
        assert!(is_held(11, 210, 210, 190));
    }
}
