//! One job: the oldest whole cycle of an agent becomes one run, in one transaction that also ends the job.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use rollcall_domain::{
    agent::AgentState,
    ids::{AgentId, JobId, RunId},
    import::RemovalPolicy,
    run::Counts,
};
use rollcall_protocol::{
    batch::StructurePart,
    body::{Poison, Reader},
    catalogue,
    digest::SetSummary,
    evidence::Departure,
    hash::Hash,
    loss::Losses,
};
use rollcall_store::{
    AgentScope, JobScope, StoreError, WriteTx,
    agents::{self, Agent},
    directories::{self, Directory, Reading},
    imports::{self, Outline},
    inbox,
    jobs::{self, NewJob},
    live::{Event, Topic},
    memberships,
    runs::{self, NewRun},
    structure as structure_store,
};
use uuid::Uuid;

use super::{
    cycle::{self, Cycle, Unfit},
    departures, ended, order,
    people::{self, Frame, Tally, Touched},
    reason::{self, Sets},
    refuse, set,
    vanished::{self, Vanished},
    waiting::{Chunk, Rest, SEEN},
};
use crate::state::AppState;

/// Why the job must be tried again.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Found while applying: the transaction is thrown away and the cycle refused in a fresh one.
    #[error("batch {seq}: {poison}")]
    Poisoned { epoch: i64, seq: i64, poison: Poison },
    /// Found when everybody was applied: thrown away too, and applied once more with these values as they were.
    #[error("{} attributes vanished from many people, or are back", .0.iter().count())]
    Vanished(Losses),
}

/// Applies the oldest whole cycle of `agent`, if there is one, and ends the job with it.
pub async fn apply_next(state: &AppState, job: &JobScope, agent: AgentId) -> Result<(), ApplyError> {
    let mut tx = state.db.write(job).await?;
    let mut applied = apply_in(&mut tx, state, agent, None).await;
    if let Err(ApplyError::Vanished(losses)) = applied {
        drop(tx);
        tx = state.db.write(job).await?;
        applied = apply_in(&mut tx, state, agent, Some(&losses)).await;
    }
    match applied {
        Ok(()) => {}
        Err(ApplyError::Poisoned { epoch, seq, poison }) => {
            // Everything written so far goes; the refusal is the whole story of this cycle.
            drop(tx);
            tx = state.db.write(job).await?;
            refuse_poisoned(&mut tx, state, agent, epoch, seq, poison).await?;
        }
        Err(error @ (ApplyError::Store(_) | ApplyError::Vanished(_))) => return Err(error),
    }
    follow_up(&mut tx, state, agent).await?;
    jobs::finish(&mut tx, job).await?;
    Ok(tx.commit().await?)
}

/// Sets the oldest cycle of `agent` aside, after all tries to apply it failed: no later one waits behind it, a run shows
/// it, and the whole reading that is ordered brings what it would have.
pub async fn set_aside(tx: &mut WriteTx, state: &AppState, agent: AgentId) -> Result<(), StoreError> {
    let Some((scope, found)) = agents::find_for_job(tx, agent).await? else { return Ok(()) };
    let Some(cycle) = Cycle::find_next(tx, &scope).await? else { return Ok(()) };
    let directory = cycle::find_directory(tx, state, &scope, &found, &cycle).await?;
    let detail = "every try to apply this reading failed; a whole one was ordered".to_owned();
    let unfit = Unfit { fault: &catalogue::APPLY_FAILED, detail };
    refuse::record(tx, state, &scope, directory.as_ref(), &cycle, &unfit).await?;
    follow_up(tx, state, agent).await
}

/// A job names an agent and no cycle: the one that was given up leaves its cycle to the next, whose own cycle then waits.
/// What waits for a human to choose between two copies is taken up when the agent is released.
async fn follow_up(tx: &mut WriteTx, state: &AppState, agent: AgentId) -> Result<(), StoreError> {
    let Some((scope, agent)) = agents::find_for_job(tx, agent).await? else { return Ok(()) };
    if agent.state == AgentState::Quarantined || Cycle::find_next(tx, &scope).await?.is_none() {
        return Ok(());
    }
    jobs::enqueue(tx, NewJob::apply_cycle(&scope, state.mint(JobId::mint), state.now())).await
}

/// `judged`: what an earlier attempt found to have vanished in this very cycle.
async fn apply_in(
    tx: &mut WriteTx,
    state: &AppState,
    agent: AgentId,
    judged: Option<&Losses>,
) -> Result<(), ApplyError> {
    let Some((scope, mut agent)) = agents::find_for_job(tx, agent).await? else { return Ok(()) };
    while let Some(mut cycle) = Cycle::find_next(tx, &scope).await? {
        let directory = cycle::find_directory(tx, state, &scope, &agent, &cycle).await?;
        // Whoever was revoked or stopped while this waited for the directory.
        agent = agents::get(tx, &scope).await?;
        match agent.state {
            AgentState::Active | AgentState::Standby => {}
            // A human chooses between two copies; until then what came of either waits.
            AgentState::Quarantined => return Ok(()),
            AgentState::Revoked => {
                refuse::record(tx, state, &scope, directory.as_ref(), &cycle, &cycle::revoked()).await?;
                if cycle.is_whole() {
                    return Ok(());
                }
                continue;
            }
        }
        let Some(directory) = directory else {
            return Ok(refuse::record(tx, state, &scope, None, &cycle, &cycle::other_domain(&cycle)).await?);
        };
        // The agent as it is now: the directory may just have become its own.
        agent = Agent { directory_id: agent.directory_id.or(Some(directory.id.uuid())), ..agent };
        let Err(unfit) = cycle::decide_fit(&cycle, &agent, &directory) else {
            let vanished = Vanished::load(tx, directory.id, &agent, judged).await?;
            return apply_cycle(tx, state, &scope, &directory, &mut cycle, vanished).await;
        };
        refuse::record(tx, state, &scope, Some(&directory), &cycle, &unfit).await?;
        if cycle.is_whole() {
            return Ok(());
        }
        // This job came with the last part of a later cycle.
    }
    Ok(())
}

async fn refuse_poisoned(
    tx: &mut WriteTx,
    state: &AppState,
    agent: AgentId,
    epoch: i64,
    seq: i64,
    poison: Poison,
) -> Result<(), ApplyError> {
    let Some((scope, agent)) = agents::find_for_job(tx, agent).await? else { return Ok(()) };
    let Some(cycle) = Cycle::find_next(tx, &scope).await? else { return Ok(()) };
    let directory = cycle::find_directory(tx, state, &scope, &agent, &cycle).await?;
    let detail = format!("batch {seq}: {poison}");
    inbox::mark_poison(tx, &scope, epoch, seq, catalogue::BATCH_POISONED.code, &poison.to_string()).await?;
    let unfit = Unfit { fault: &catalogue::BATCH_POISONED, detail };
    Ok(refuse::record(tx, state, &scope, directory.as_ref(), &cycle, &unfit).await?)
}

async fn apply_cycle(
    tx: &mut WriteTx,
    state: &AppState,
    scope: &AgentScope,
    directory: &Directory,
    cycle: &mut Cycle,
    vanished: Vanished,
) -> Result<(), ApplyError> {
    let frame = load_frame(tx, state, scope, directory, cycle, vanished).await?;
    let members = memberships::count(tx, directory.id).await?;
    let mut tally = Tally::default();
    let mut rest = apply_people(tx, &frame, &mut tally, scope, cycle).await?;
    frame.vanished.check(&tally.lost, cycle).map_err(ApplyError::Vanished)?;
    vanished::settle(tx, state, scope, &frame, cycle, &tally).await?;
    // Of what the agent told: what is added below says of an import that ended, and nothing of the others.
    let unheard = unheard(&tally.unnamed, &rest.departures);
    rest.departures.extend(ended::departures(tx, &frame, &tally, &rest.departures).await?);
    departures::apply(tx, &frame, &mut tally, &members, &rest.departures).await?;
    if cycle.told.structure == StructurePart::Included {
        structure_store::replace(tx, directory.id, &rest.nodes).await?;
        directories::record_structure(tx, directory.id, frame.now).await?;
    }
    order::confirm(tx, state, scope, unheard).await?;
    let sets = compare_sets(tx, state, scope, directory, cycle, &tally).await?;
    let obeyed = i64::try_from(cycle.told.desired_version).unwrap_or(i64::MAX);
    agents::record_obeyed(tx, scope, obeyed).await?;
    Ok(write_run(tx, state, scope, &frame, cycle, &mut tally, sets).await?)
}

/// Of the people whom a full snapshot shows in fewer imports than they were in, those of whom it does not say why.
fn unheard(unnamed: &[Uuid], departures: &[Departure]) -> Vec<Uuid> {
    let told: HashSet<Uuid> = departures.iter().map(|departure| departure.guid).collect();
    unnamed.iter().filter(|guid| !told.contains(guid)).copied().collect()
}

/// What stays the same for the whole cycle.
async fn load_frame<'a>(
    tx: &mut WriteTx,
    state: &'a AppState,
    scope: &AgentScope,
    directory: &Directory,
    cycle: &Cycle,
    vanished: Vanished,
) -> Result<Frame<'a>, StoreError> {
    let known = imports::list_outlines(tx, directory.id).await?;
    let keeps = |import: &&Outline| import.removal_policy == RemovalPolicy::Keep && import.deleted_at.is_none();
    Ok(Frame {
        customer: scope.customer(),
        directory: directory.id,
        run: state.mint(RunId::mint),
        now: state.now(),
        entropy: &state.entropy,
        keeping: known.iter().filter(keeps).map(|import| import.id).collect(),
        imports: known.iter().map(|import| import.id).collect(),
        live: known.iter().filter(|import| import.deleted_at.is_none()).map(|import| import.id).collect(),
        vanished,
        extent: cycle.told.kind,
    })
}

/// Streams every batch once: one body, one chunk of people in memory at a time.
async fn apply_people(
    tx: &mut WriteTx,
    frame: &Frame<'_>,
    tally: &mut Tally,
    scope: &AgentScope,
    cycle: &mut Cycle,
) -> Result<Rest, ApplyError> {
    let mut rest = Rest::default();
    let mut chunk = Chunk::default();
    let mut line = 0;
    for batch in &cycle.batches {
        let (epoch, seq) = (batch.epoch, batch.seq);
        let poisoned = |poison| ApplyError::Poisoned { epoch, seq, poison };
        let body = inbox::get_body(tx, scope, epoch, seq).await?;
        // What left the customer's network: the body and its signed statement.
        cycle.bytes += i64::try_from(body.len() + batch.jws.len()).unwrap_or(i64::MAX);
        let mut reader = Reader::new(&body).map_err(poisoned)?;
        while let Some(item) = reader.next_item().map_err(poisoned)? {
            line += 1;
            let kept =
                item.map_err(|bad| bad.to_string()).and_then(|item| rest.take(item).map_err(|long| long.to_string()));
            match kept.and_then(|json| json.map(people::read).transpose()) {
                Ok(None) => {}
                Ok(Some(present)) => {
                    if cycle.is_full() {
                        tally.seen.insert(present.person.guid);
                    }
                    if let Some(full) = chunk.push(present) {
                        people::apply(tx, frame, tally, full).await?;
                    }
                }
                Err(why) => tally.set_aside(line, None, why),
            }
            if rest.is_too_much() || tally.seen.len() > SEEN {
                return Err(poisoned(Poison::TooMuchToHold));
            }
        }
    }
    people::apply(tx, frame, tally, chunk.people).await?;
    Ok(rest)
}

/// What the cloud holds after the cycle, and whether that is what the agent holds.
struct Compared {
    ours: SetSummary,
    sets: Sets,
}

async fn compare_sets(
    tx: &mut WriteTx,
    state: &AppState,
    scope: &AgentScope,
    directory: &Directory,
    cycle: &Cycle,
    tally: &Tally,
) -> Result<Compared, StoreError> {
    let ours = match (tally.touched, known_summary(directory)) {
        // Nobody was touched, so the set is the one that was compared before.
        (Touched::Nobody, Some(known)) if !cycle.is_full() => known,
        (Touched::Nobody | Touched::Somebody, _) => {
            let seen = cycle.is_full().then_some(&tally.seen);
            let held = set::summarise(tx, directory.id, seen).await?;
            order::confirm(tx, state, scope, held.unconfirmed).await?;
            held.ours
        }
    };
    let sets = decide_sets(&ours, cycle, directory, tally, state.now());
    match sets {
        Sets::Agree => directories::want_full(tx, directory.id, None).await?,
        Sets::DifferAndOrdered => order::full_snapshot(tx, state, scope, directory).await?,
        Sets::DifferStill | Sets::DifferLately => {}
    }
    Ok(Compared { ours, sets })
}

/// A full snapshot that was ordered and still differs is not ordered again at once, neither by it nor by a delta that
/// follows: that would never end. Records that are set aside explain the difference, and would be set aside again.
fn decide_sets(ours: &SetSummary, cycle: &Cycle, directory: &Directory, tally: &Tally, now: DateTime<Utc>) -> Sets {
    let was_just_full = cycle.is_full() && directory.full_wanted_at.is_some();
    if *ours == cycle.told.set {
        Sets::Agree
    } else if was_just_full || tally.counts.set_aside > 0 {
        Sets::DifferStill
    } else if order::was_wanted_lately(directory, now) {
        Sets::DifferLately
    } else {
        Sets::DifferAndOrdered
    }
}

fn known_summary(directory: &Directory) -> Option<SetSummary> {
    let digest = Hash::try_from(directory.digest.as_deref()?).ok()?;
    Some(SetSummary { people: u64::try_from(directory.people).ok()?, digest })
}

async fn write_run(
    tx: &mut WriteTx,
    state: &AppState,
    scope: &AgentScope,
    frame: &Frame<'_>,
    cycle: &Cycle,
    tally: &mut Tally,
    compared: Compared,
) -> Result<(), StoreError> {
    let told = &cycle.told;
    let Some(refused) = cycle.run(frame.run, Some(frame.directory), state.now()) else { return Ok(()) };
    let people = i64::try_from(told.set.people).unwrap_or(i64::MAX);
    let unchanged = people - tally.counts.added - tally.counts.updated - tally.counts.returned;
    let counts = Counts { people, unchanged: unchanged.max(0), ..tally.counts };
    let verdict = reason::decide(told, &counts, compared.sets, &vanished::tell(cycle, &frame.vanished.held));
    let run = NewRun {
        result: verdict.result,
        reason_code: verdict.fault.map(|fault| fault.code),
        reason_detail: verdict.detail.as_deref(),
        counts,
        digest_agrees: Some(compared.sets == Sets::Agree),
        ..refused
    };
    runs::insert(tx, scope, &run).await?;
    runs::insert_set_aside(tx, frame.run, &number_lines(&tally.set_aside)).await?;
    inbox::mark_applied(tx, scope, told.cycle, frame.run, frame.now).await?.exactly(cycle.batches.len() as u64)?;
    directories::record_reading(tx, frame.directory, reading(scope, cycle, &compared.ours)).await?;
    let event = Event::of(tx.msp(), Topic::Run).customer(frame.customer.customer()).agent(scope.agent());
    tx.tell(event);
    Ok(())
}

/// Each record set aside has a line of its own, also those that came from a place without one.
fn number_lines(records: &[runs::SetAside]) -> Vec<runs::SetAside> {
    records.iter().zip(1..).map(|(record, line)| runs::SetAside { line, ..record.clone() }).collect()
}

fn reading<'a>(scope: &AgentScope, cycle: &'a Cycle, ours: &SetSummary) -> Reading<'a> {
    let told = &cycle.told;
    let column = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    Reading {
        agent: scope.agent(),
        epoch: cycle.epoch(),
        snapshot: column(told.snapshot),
        dns_name: &told.domain.dns_name,
        dc_host: &told.dc.dns_name,
        dc_ntds_guid: told.dc.ntds_guid,
        dc_invocation_id: told.dc.invocation_id,
        dc_usn: told.dc.usn,
        people: column(ours.people),
        people_seen: column(told.people_seen),
        digest: *ours.digest.as_bytes(),
        read_at: told.finished_at,
    }
}
