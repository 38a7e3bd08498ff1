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
    memberships::{self, Membership},
};
use serde_json::{json, value::to_raw_value};
use uuid::Uuid;

use super::people::{CHUNK, Frame, Tally, Touched};

/// Members of each import before the cycle: what the guard measures against.
pub type Members = HashMap<ImportId, u64>;

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
    members: &Members,
    departures: &[Departure],
) -> Result<(), StoreError> {
    let held = if departures.is_empty() {
        Held::default()
    } else {
        decide_held(tally, members, &count_left(tx, frame).await?, departures)
    };
    for chunk in departures.chunks(CHUNK) {
        apply_chunk(tx, frame, tally, &held, chunk).await?;
    }
    Ok(())
}

/// Who left each import within the last day, by earlier cycles.
async fn count_left(tx: &mut WriteTx, frame: &Frame<'_>) -> Result<Members, StoreError> {
    let since = RunId::mint(frame.now - TimeDelta::days(1), [0; 10]);
    let left = history::count_left(tx, frame.directory, since).await?;
    Ok(left.into_iter().map(|(import, count)| (import, u64::try_from(count).unwrap_or_default())).collect())
}

/// The agent's own guard is believed when it holds; ours comes on top, for this cycle and for the day.
fn decide_held(tally: &Tally, members: &Members, left: &Members, departures: &[Departure]) -> Held {
    let mut leaving: HashMap<ImportId, (u64, Stance)> = HashMap::new();
    for departure in departures {
        let (count, stance) = leaving.entry(departure.import.into()).or_insert((0, Stance::Apply));
        *count += 1;
        if departure.stance == Stance::Held {
            *stance = Stance::Held;
        }
    }
    let judge = |(import, (count, told)): (ImportId, (u64, Stance))| {
        let before = members.get(&import).copied().unwrap_or_default();
        let joining = tally.joined.get(&import).copied().unwrap_or_default();
        let left = left.get(&import).copied().unwrap_or_default();
        let of_cycle = guard::judge(guard::DEFAULT, before, count, joining);
        let of_day = guard::judge(guard::OF_A_DAY, before + left, count + left, joining);
        let stance = match (of_cycle, of_day) {
            (guard::Verdict::Apply, guard::Verdict::Apply) => told,
            (guard::Verdict::Hold(_), _) | (_, guard::Verdict::Hold(_)) => Stance::Held,
        };
        (import, stance)
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
    let mut memberships: HashMap<AccountId, Vec<Membership>> = HashMap::new();
    for membership in memberships::list_of_accounts(tx, &ids).await? {
        memberships.entry(membership.account_id).or_default().push(membership);
    }
    let mut changed = Vec::new();
    let mut lines = Vec::new();
    for known in stored {
        let of_person = memberships.remove(&known.id).unwrap_or_default();
        let told = by_person.remove(&known.object_guid).unwrap_or_default();
        let left = leave(frame, tally, held, &known, of_person, &told)?;
        if left.changed.is_empty() && left.in_snapshot == InSnapshot::Yes {
            continue;
        }
        let leaving = Leaving { id: known.id, state: left.state, in_snapshot: left.in_snapshot };
        accounts::set_leaving(tx, leaving, frame.now).await?;
        tally.touched = Touched::Somebody;
        changed.extend(left.changed);
        lines.extend(left.lines);
    }
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
