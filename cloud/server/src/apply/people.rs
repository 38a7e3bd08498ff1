//! Applies the people a cycle shows: new, changed, back again, or the same.

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
};

use chrono::{DateTime, Utc};
use rollcall_domain::{
    account::{self, AccountState},
    ids::{AccountId, DirectoryId, HistoryId, ImportId, RunId, mint_numbered},
    membership::{Event, MembershipState},
    run::{Change, Counts},
};
use rollcall_protocol::{
    batch::CycleKind,
    catalogue,
    hash::Hash,
    limits, loss,
    person::{InImport, Person},
};
use rollcall_store::{
    CustomerScope, Json, StoreError, WriteTx,
    accounts::{self, Row, Stored},
    history::{self, By, NewLine},
    memberships::{self, Membership},
    runs::SetAside,
};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::{
    diff::{self, Difference},
    record, storable,
    vanished::Vanished,
};
use crate::clock::Entropy;

/// People of one multi-row statement.
pub const CHUNK: usize = 500;

/// Records set aside that are told one by one.
const TOLD: usize = 1_000;

/// What stays the same for the whole cycle.
#[derive(Debug)]
pub struct Frame<'a> {
    pub customer: CustomerScope,
    pub directory: DirectoryId,
    pub run: RunId,
    pub now: DateTime<Utc>,
    pub entropy: &'a Entropy,
    /// Every import of the directory, deleted ones too.
    pub imports: HashSet<ImportId>,
    /// Of these, the ones whose policy keeps people who leave the directory.
    pub keeping: HashSet<ImportId>,
    pub vanished: Vanished,
    pub extent: CycleKind,
    /// The imports of which the agent can say who is in them.
    pub live: HashSet<ImportId>,
}

/// What a cycle did so far.
#[derive(Debug, Default)]
pub struct Tally {
    pub counts: Counts,
    /// Newcomers per import: an import that still gains people is not empty.
    pub joined: HashMap<ImportId, u64>,
    /// Imports in which the cycle shows somebody.
    pub peopled: HashSet<ImportId>,
    pub set_aside: Vec<SetAside>,
    /// Everybody a full snapshot showed.
    pub seen: HashSet<Uuid>,
    /// People whom a full snapshot showed without an import that the cloud has them in.
    pub unnamed: Vec<Uuid>,
    /// Whether the set can differ from what it was before.
    pub touched: Touched,
    /// What a whole reading does not show of people any more.
    pub lost: loss::Tally,
    /// People of whom a value is read again that was held.
    pub came_back: u64,
    /// Number of the next id, so that ids of one run sort as they were made.
    next_id: u32,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Touched {
    #[default]
    Nobody,
    Somebody,
}

impl Tally {
    pub fn mint(&mut self, frame: &Frame<'_>) -> Uuid {
        self.next_id = self.next_id.wrapping_add(1);
        mint_numbered(frame.now, self.next_id, frame.entropy.bytes())
    }

    /// One record that cannot be applied stops none of the others.
    pub fn set_aside(&mut self, line: i64, guid: Option<Uuid>, detail: impl ToString) {
        self.counts.set_aside += 1;
        // A broken agent may break every record; the count says how many, the first thousand say how.
        if self.set_aside.len() >= TOLD {
            return;
        }
        let code = catalogue::RECORD_SET_ASIDE.code.to_owned();
        self.set_aside.push(SetAside { line, object_guid: guid, code, detail: detail.to_string() });
    }
}

/// A person whose record could be read.
#[derive(Debug)]
pub struct Present {
    pub person: Person,
    pub json: Box<RawValue>,
}

/// Reads one record, or says why it cannot be taken.
pub fn read(json: Box<RawValue>) -> Result<Present, String> {
    storable::check_text(json.get())?;
    let person = serde_json::from_str::<Person>(json.get())
        .map_err(|error| format!("not a person (line {}, column {})", error.line(), error.column()))?;
    if person.guid.is_nil() {
        return Err("has no objectGUID".to_owned());
    }
    if person.imports.len() > limits::IMPORTS {
        return Err(format!("names more than {} imports", limits::IMPORTS));
    }
    storable::check_names(&person, &record::decide_shown(&person))?;
    Ok(Present { person, json })
}

/// Applies at most [`CHUNK`] people, each of another objectGUID.
pub async fn apply(
    tx: &mut WriteTx,
    frame: &Frame<'_>,
    tally: &mut Tally,
    people: Vec<Present>,
) -> Result<(), StoreError> {
    let guids: Vec<Uuid> = people.iter().map(|present| present.person.guid).collect();
    let mut stored: HashMap<Uuid, Stored> = accounts::list_by_guids(tx, frame.directory, &guids)
        .await?
        .into_iter()
        .map(|stored| (stored.object_guid, stored))
        .collect();
    let ids: Vec<AccountId> = stored.values().map(|stored| stored.id).collect();
    let mut memberships = memberships::list_by_account(tx, &ids).await?;
    let mut writes = Writes::default();
    for present in people {
        if known_imports(frame, &present.person).is_empty() {
            tally.set_aside(0, Some(present.person.guid), "names no import that this directory has");
            continue;
        }
        let known = stored.remove(&present.person.guid);
        let in_imports = known.as_ref().and_then(|known| memberships.remove(&known.id)).unwrap_or_default();
        decide(frame, tally, &mut writes, present, known, in_imports)?;
    }
    writes.write(tx, frame, tally).await
}

#[derive(Debug, Default)]
struct Writes {
    accounts: Vec<Row>,
    memberships: Vec<Membership>,
    history: Vec<NewLine>,
}

impl Writes {
    async fn write(self, tx: &mut WriteTx, frame: &Frame<'_>, tally: &mut Tally) -> Result<(), StoreError> {
        if !self.accounts.is_empty() {
            tally.touched = Touched::Somebody;
        }
        accounts::upsert(tx, frame.customer.customer(), frame.directory, &self.accounts).await?;
        memberships::upsert(tx, &self.memberships).await?;
        history::insert(tx, &self.history, By { run: Some(frame.run), actor: None }, frame.now).await
    }
}

/// What becomes of one person.
fn decide(
    frame: &Frame<'_>,
    tally: &mut Tally,
    writes: &mut Writes,
    present: Present,
    known: Option<Stored>,
    before: Vec<Membership>,
) -> Result<(), StoreError> {
    let hash = *Hash::of(present.json.get().as_bytes()).as_bytes();
    let id = match &known {
        Some(known) => known.id,
        None => tally.mint(frame).into(),
    };
    let after = decide_memberships(frame, tally, id, &present.person, before);
    if let Some(known) = &known {
        watch(frame, tally, &present.person, known, &hash);
    }
    let settled = after.changed.is_empty()
        && frame.vanished.is_nothing()
        && known.as_ref().is_some_and(|known| known.state == AccountState::Active && is_as_read(known, &hash));
    if settled {
        tally.counts.unchanged += 1;
        return Ok(());
    }
    let present = match &known {
        Some(known) => frame.vanished.restore(present, known)?,
        None => present,
    };
    let difference = match &known {
        Some(known) => diff::compare(&known.person.0, &present.json)?,
        None => None,
    };
    let change = decide_change(known.as_ref(), &after, difference.as_ref());
    count(&mut tally.counts, change);
    if let Some(change) = change {
        let (old, new) = match (&known, difference) {
            (None, _) => (None, Some(present.json.clone())),
            (Some(_), Some(difference)) => (Some(difference.before), Some(difference.after)),
            (Some(_), None) => (None, None),
        };
        let id_of_line = HistoryId::from(tally.mint(frame));
        writes.history.push(NewLine {
            id: id_of_line,
            account: id,
            import: None,
            change,
            before: old,
            after: new,
            evidence: None,
        });
    }
    writes.memberships.extend(after.changed);
    writes.accounts.push(to_row(frame, id, after.state, present, hash, known.as_ref(), change));
    Ok(())
}

fn is_as_read(known: &Stored, hash: &[u8; 32]) -> bool {
    known.reading_hash.as_deref() == Some(hash.as_slice())
}

/// Compares what the cloud knows of somebody with what was read now: a whole reading shows what vanished from how many,
/// and any shows what is back.
fn watch(frame: &Frame<'_>, tally: &mut Tally, now: &Person, known: &Stored, hash: &[u8; 32]) {
    let vanished = &frame.vanished;
    if known.state == AccountState::Departed {
        return;
    }
    // Nobody's values were held, so the same bytes are the same values.
    let is_same = vanished.is_nothing() && is_as_read(known, hash);
    let before = if is_same { None } else { serde_json::from_str::<Person>(known.person.get()).ok() };
    match frame.extent {
        CycleKind::Full => {
            let imports = known_imports(frame, now);
            tally.lost.add(&imports, before.as_ref().map(|before| (before, now)));
        }
        CycleKind::Delta => {
            let is_back = before.is_some_and(|before| vanished.held.came_back(now, &before, &now.imports));
            tally.came_back += u64::from(is_back);
        }
    }
}

/// What is kept until the cycle ends is kept of imports that there are: of others an agent can name any number.
fn known_imports<'a>(frame: &Frame<'_>, person: &'a Person) -> Cow<'a, [InImport]> {
    let is_known = |within: &InImport| frame.imports.contains(&within.import.into());
    if person.imports.iter().all(is_known) {
        return Cow::Borrowed(&person.imports);
    }
    person.imports.iter().filter(|within| is_known(within)).cloned().collect()
}

struct After {
    /// Memberships to be written.
    changed: Vec<Membership>,
    state: AccountState,
    /// A removal waited, and the person is here after all.
    hold_cleared: bool,
}

/// Every import the record names holds the person now. Memberships it does not name stay as they are: they end by
/// a departure with evidence, never by silence. But an agent that lost what it knew no longer owes one, so after a full
/// snapshot it is asked.
fn decide_memberships(
    frame: &Frame<'_>,
    tally: &mut Tally,
    account: AccountId,
    person: &Person,
    mut before: Vec<Membership>,
) -> After {
    let mut changed = Vec::new();
    let mut states = Vec::with_capacity(person.imports.len());
    let mut hold_cleared = false;
    let mut named = HashSet::with_capacity(person.imports.len());
    for within in &person.imports {
        let import = ImportId::from(within.import);
        if !named.insert(import) {
            continue;
        }
        if !frame.imports.contains(&import) {
            tally.set_aside(0, Some(person.guid), format!("names import {import}, which this directory does not have"));
            continue;
        }
        tally.peopled.insert(import);
        let old = before.iter().position(|membership| membership.import_id == import).map(|at| before.swap_remove(at));
        let was = old.as_ref().map(|old| old.state);
        states.push(MembershipState::Departed.after(Event::Read));
        hold_cleared |= was == Some(MembershipState::Held);
        if matches!(was, None | Some(MembershipState::Departed)) {
            *tally.joined.entry(import).or_default() += 1;
        }
        if old.as_ref().is_some_and(|old| old.state == MembershipState::Active && old.via.0 == within.via) {
            continue;
        }
        let since = old.filter(|old| old.state == MembershipState::Active).map_or(frame.now, |old| old.since);
        changed.push(Membership {
            import_id: import,
            account_id: account,
            state: MembershipState::Active,
            via: Json(within.via.clone()),
            since,
            evidence: None,
            run_id: Some(frame.run.uuid()),
        });
    }
    let is_unnamed = |left: &Membership| left.state == MembershipState::Active && frame.live.contains(&left.import_id);
    if frame.extent == CycleKind::Full && before.iter().any(is_unnamed) {
        tally.unnamed.push(person.guid);
    }
    states.extend(before.iter().map(|membership| membership.state));
    After { changed, state: account::decide_state(states), hold_cleared }
}

fn decide_change(known: Option<&Stored>, after: &After, difference: Option<&Difference>) -> Option<Change> {
    match known {
        None => Some(Change::Joined),
        Some(known) if known.state == AccountState::Departed => Some(Change::Returned),
        Some(_) if after.hold_cleared => Some(Change::HoldCleared),
        Some(_) => difference.map(|_| Change::Updated),
    }
}

fn count(counts: &mut Counts, change: Option<Change>) {
    match change {
        Some(Change::Joined) => counts.added += 1,
        Some(Change::Returned) => counts.returned += 1,
        Some(
            Change::Updated
            | Change::HoldCleared
            | Change::LeftImport
            | Change::Departed
            | Change::Held
            | Change::Kept
            | Change::RemovalApproved
            | Change::RemovalRejected,
        ) => counts.updated += 1,
        None => counts.unchanged += 1,
    }
}

fn to_row(
    frame: &Frame<'_>,
    id: AccountId,
    state: AccountState,
    present: Present,
    reading_hash: [u8; 32],
    known: Option<&Stored>,
    change: Option<Change>,
) -> Row {
    let shown = record::decide_shown(&present.person);
    Row {
        id,
        object_guid: present.person.guid,
        state,
        display_name: shown.display_name,
        sort_name: shown.sort_name,
        search: shown.search,
        sam: present.person.account_name,
        upn: present.person.user_principal_name,
        mail: present.person.mail,
        enabled: present.person.status.enabled,
        person: present.json,
        reading_hash,
        first_seen_at: known.map_or(frame.now, |known| known.first_seen_at),
        changed_at: known.filter(|_| change.is_none()).map_or(frame.now, |known| known.changed_at),
    }
}
