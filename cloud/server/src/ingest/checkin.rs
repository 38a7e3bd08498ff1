//! `POST /agent/v1/checkin`: what the agent says is recorded, then it waits until something concerns it.

use std::time::Duration;

use axum::{Json, body::Body, extract::State, http::HeaderMap};
use rollcall_domain::ids::{AgentId, DirectoryId, RunId};
use rollcall_domain::{
    agent::AgentState,
    run::{Counts, RunKind, RunResult},
};
use rollcall_protocol::{
    answer::Refusal,
    batch::Trigger,
    chain::Epoch,
    checkin::{self, AgentStatus, CheckinRequest, CheckinResponse, CycleOutcome, CycleReport, EpochWish},
    directory::DomainPin,
    hash::Hash,
    jws::Kind,
    limits, path,
};
use rollcall_store::{
    AgentScope, WriteTx,
    agents::{self, Agent, Report},
    commands, directories, inbox,
    live::{Event, Topic},
    runs::{self, NewRun},
};
use serde_json::json;

use super::{
    desired,
    new_key::{self, Left},
    quarantine::{self, Why},
    refuse::Refused,
    restored,
    standing::{self, Held},
    told, updating,
    verify::{self, Route, Verified, column, protocol},
};
use crate::{admission::Errand, live::AgentWait, releases::Shelf, state::AppState};

const ROUTE: Route =
    Route { kind: Kind::Request, path: path::CHECKIN, body_limit: limits::MESSAGE, errand: Errand::CheckIn };

pub async fn handle(
    State(state): State<AppState>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<CheckinResponse>, Refused> {
    let verified: Verified<()> = verify::verify(&state, &headers, body, ROUTE).await?;
    verify::check_fresh(&state, &verified.claims)?;
    let mut request: CheckinRequest = verify::read_message(&verified.body)?;
    told::tidy(&mut request.status, state.now());
    // Before anything is looked at, so that no change falls between the look and the wait.
    let place = state.hub.wait_for_agent(verified.scope.agent());
    let woken = place.notified();
    tokio::pin!(woken);
    woken.as_mut().enable();
    let shelf = state.releases.shelf(state.now()).await;
    if let Err(error) = updating::look(&state, &verified.scope, &request.status, &shelf).await {
        // The next check-in looks again; this one has more to say.
        tracing::warn!(%error, "a rollout could not be looked at");
    }
    let recorded = record(&state, &verified, &request, &shelf).await?;
    let longest = match request.kind {
        checkin::Kind::Report => {
            place.take_over();
            Duration::from_secs(u64::from(request.wait_seconds)).min(limits::LONG_POLL)
        }
        // Somebody who asks beside the service ends nobody's wait, and so has none of their own: nobody would end it.
        checkin::Kind::Question => Duration::ZERO,
    };
    let scope = verified.scope;
    // Body and place are for others while this one waits.
    drop(verified);
    if recorded.epoch.is_none() && recorded.desired_version <= request.desired_version {
        match wait(&state, woken, &place, longest).await {
            Woken::Look => {}
            Woken::TakenOver => {
                return Ok(Json(CheckinResponse { server_time: state.now(), desired: None, epoch: None }));
            }
        }
    }
    let desired = desired::document_if_newer(&state, &scope, &request).await?;
    Ok(Json(CheckinResponse { server_time: state.now(), desired, epoch: recorded.epoch }))
}

/// Why a parked check-in goes on.
enum Woken {
    Look,
    /// A newer one of the same agent waits now; nobody listens to this one's answer.
    TakenOver,
}

/// Until something concerns this agent, the time is over, or the program ends.
async fn wait(state: &AppState, woken: impl Future<Output = ()>, place: &AgentWait, longest: Duration) -> Woken {
    tokio::select! {
        () = woken => Woken::Look,
        () = tokio::time::sleep(longest) => Woken::Look,
        () = state.shutdown.begun() => Woken::Look,
        () = place.taken_over() => Woken::TakenOver,
    }
}

struct Recorded {
    desired_version: u64,
    epoch: Option<Epoch>,
}

/// One transaction for everything a check-in says.
async fn record(
    state: &AppState,
    verified: &Verified<()>,
    request: &CheckinRequest,
    shelf: &Shelf,
) -> Result<Recorded, Refused> {
    let scope = &verified.scope;
    let now = state.now();
    let mut tx = state.db.write(scope).await?;
    verify::take_once(&mut tx, state, scope, &verified.claims).await?;
    if let (None, Some(domain)) = (verified.directory, &request.status.domain) {
        // It may take this directory over from one that was revoked, and whoever holds both begins with the directory.
        directories::lock_by_domain(&mut tx, &scope.customer(), domain.guid).await?;
    }
    let Held { agent: before, key } = standing::hold(&mut tx, state, verified).await?;
    check_plausible(&before, request)?;
    match request.kind {
        checkin::Kind::Report => {}
        checkin::Kind::Question => {
            tx.commit().await?;
            return Ok(Recorded { desired_version: protocol(before.desired_version), epoch: None });
        }
    }
    if request.epoch == EpochWish::New && quarantine::is_another_copy(&before, request) {
        return Err(quarantine::quarantine(tx, state, scope, &before, Why::OlderEpoch).await);
    }
    record_status(&mut tx, state, scope, request).await?;
    restored::note(&mut tx, state, scope, (&before, request), now).await?;
    if request.desired_version > protocol(before.desired_version) {
        agents::continue_desired_from(&mut tx, scope, column(request.desired_version.saturating_add(1))?).await?;
    }
    let left = if request.status.spool_batches == 0 { Left::Nothing } else { Left::Something };
    new_key::take_over(&mut tx, state, scope, (verified.kid, key), left).await?;
    commands::mark_done(&mut tx, scope, &request.done, now).await?;
    let epoch = match request.epoch {
        EpochWish::Keep => None,
        EpochWish::New => Some(begin_epoch(&mut tx, state, scope, request.last_epoch).await?),
    };
    if let Some(domain) = &request.status.domain {
        join_directory(&mut tx, state, scope, &before, domain).await?;
    }
    if let Some(report) = &request.status.last_cycle {
        record_failed_run(&mut tx, state, scope, &before, report, &request.status).await?;
    }
    updating::consider(&mut tx, scope, &request.status, shelf, now).await?;
    if is_news(&before, &request.status) {
        let event = Event::of(tx.msp(), Topic::Agent).customer(before.customer_id).agent(before.id);
        tx.tell(event);
    }
    let desired_version = protocol(agents::get(&mut tx, scope).await?.desired_version);
    tx.commit().await?;
    Ok(Recorded { desired_version, epoch })
}

/// A number above ours is an agent's that outlived a restore of this database, and we continue from it. No cloud has ever
/// given one as high as this; continued from, it would leave no number for what comes after.
fn check_plausible(agent: &Agent, request: &CheckinRequest) -> Result<(), Refused> {
    let is_ahead = request.desired_version > protocol(agent.desired_version);
    if is_ahead && request.desired_version > limits::DESIRED_VERSION { Err(Refusal::Malformed.into()) } else { Ok(()) }
}

async fn record_status(
    tx: &mut WriteTx,
    state: &AppState,
    scope: &AgentScope,
    request: &CheckinRequest,
) -> Result<(), Refused> {
    let status = &request.status;
    let worst = status.problems.first();
    let platform = status.platform.as_ref().map(ToString::to_string);
    let report = Report {
        hostname: &status.host,
        os: &status.os,
        version: &status.version,
        platform: platform.as_deref(),
        applied_version: column(request.desired_version)?,
        clock_skew_ms: status.clock_offset_ms,
        queued: column(status.spool_batches)?,
        dc_host: status.dc.as_ref().map(|dc| dc.dns_name.as_str()),
        transport: status.transport.as_deref(),
        reason_code: worst.map(|problem| problem.code.as_str()),
        reason_detail: worst.map(|problem| problem.detail.as_str()),
        reason_since: worst.map(|problem| problem.since),
        whole: json!(status),
    };
    Ok(agents::record_checkin(tx, scope, report, state.now()).await?)
}

/// The old epoch's unfinished cycle will never be whole; a full snapshot follows in the new one.
async fn begin_epoch(tx: &mut WriteTx, state: &AppState, scope: &AgentScope, known: u64) -> Result<Epoch, Refused> {
    let start = Hash::from_bytes(state.entropy.bytes());
    // An agent that was told more, by whomever, must not stop the count.
    let known = column(known.min(limits::EPOCH))?;
    let number = agents::begin_epoch(tx, scope, *start.as_bytes(), known).await?;
    inbox::abandon_epochs_before(tx, scope, number, state.now()).await?;
    Ok(Epoch { number: protocol(number), start })
}

/// The first domain an agent names is its own. A second agent of the same domain stands by.
async fn join_directory(
    tx: &mut WriteTx,
    state: &AppState,
    scope: &AgentScope,
    agent: &Agent,
    domain: &DomainPin,
) -> Result<(), Refused> {
    if agent.directory_id.is_some() {
        return Ok(());
    }
    let customer = scope.customer();
    let directory = if let Some(known) = directories::find_by_domain(tx, &customer, domain.guid).await? {
        known.id
    } else {
        let id = state.mint(DirectoryId::mint);
        let pin = directories::Pin { guid: domain.guid, sid: &domain.sid, dns_name: &domain.dns_name };
        directories::insert(tx, &customer, id, scope.agent(), &pin, state.now()).await?;
        id
    };
    agents::join_directory(tx, scope, directory).await?;
    let reader = directories::find(tx, &customer, directory).await?.map(|directory| directory.agent_id);
    if reader != Some(scope.agent()) && !takes_over(tx, scope, directory, reader).await? {
        agents::set_state(tx, scope, AgentState::Standby, state.now()).await?;
    }
    Ok(agents::renew_desired(tx, scope).await?)
}

/// A reader that was revoked leaves its place to the next one.
async fn takes_over(
    tx: &mut WriteTx,
    scope: &AgentScope,
    directory: DirectoryId,
    reader: Option<AgentId>,
) -> Result<bool, Refused> {
    let Some(reader) = reader else { return Ok(false) };
    let gone = match agents::find_for_job(tx, reader).await? {
        Some((_, reader)) => reader.state == AgentState::Revoked,
        None => true,
    };
    if gone {
        directories::set_reader(tx, &scope.customer(), directory, scope.agent()).await?;
    }
    Ok(gone)
}

/// An incomplete reading sends no batch: this line is all there is of it.
async fn record_failed_run(
    tx: &mut WriteTx,
    state: &AppState,
    scope: &AgentScope,
    agent: &Agent,
    report: &CycleReport,
    status: &AgentStatus,
) -> Result<(), Refused> {
    let problem = match &report.outcome {
        CycleOutcome::Complete => return Ok(()),
        CycleOutcome::Incomplete { problem, .. } => problem,
    };
    if runs::is_recorded(tx, scope, report.cycle).await? {
        return Ok(());
    }
    let run = NewRun {
        id: state.mint(RunId::mint),
        directory: agent.directory_id.map(DirectoryId::from),
        cycle: report.cycle,
        cause: report.trigger.unwrap_or(Trigger::Schedule).as_str(),
        kind: RunKind::Delta,
        result: RunResult::Failed,
        reason_code: Some(&problem.code),
        reason_detail: Some(&problem.detail),
        started_at: report.started_at,
        received_at: state.now(),
        finished_at: report.finished_at,
        epoch: agent.epoch,
        first_seq: 0,
        last_seq: 0,
        batches: 0,
        bytes: 0,
        counts: Counts::default(),
        digest_agrees: None,
        dc_host: status.dc.as_ref().map(|dc| dc.dns_name.as_str()),
    };
    runs::insert(tx, scope, &run).await?;
    let event = Event::of(tx.msp(), Topic::Run).customer(agent.customer_id).agent(agent.id);
    tx.tell(event);
    Ok(())
}

/// Whether open pages should look again: a parked poll that merely returns is no news.
fn is_news(before: &Agent, status: &AgentStatus) -> bool {
    let whole = json!(status);
    let told = before.report.as_ref().map(|report| &report.0);
    before.checkins == 0
        || told.is_none_or(|told| {
            ["phase", "problems", "dc", "transport", "domain", "version", "host"]
                .iter()
                .any(|field| told.get(field) != whole.get(field))
        })
}
