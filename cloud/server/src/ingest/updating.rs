//! Decides at each check-in whether this agent is asked to update, and notes what became of it when it was.
//!
//! There is no clock-work beside it: nobody is asked without the rollout having been looked at just before.

use chrono::{DateTime, TimeDelta, Utc};
use rollcall_domain::rollout::{
    ANSWER_WITHIN, HEARD_WITHIN, Next, Ring, RolloutState, UpdateState, cutoff, decide, place,
};
use rollcall_protocol::{
    checkin::AgentStatus,
    update::{
        Version,
        report::{UpdateOutcome, WantedVersion},
    },
};
use rollcall_store::{
    AgentScope, Result, Tx, WriteTx,
    agents::{self, Agent},
    audit::{self, Actor, Entry},
    updates::{self, Rollout, Silence},
};
use serde_json::json;

use crate::{
    mail::{self, RolloutStopped},
    releases::Shelf,
    state::AppState,
};

/// How often a rollout is looked at, however many agents check in.
const LOOK_EVERY: TimeDelta = TimeDelta::minutes(1);

pub async fn consider(
    tx: &mut WriteTx,
    state: &AppState,
    scope: &AgentScope,
    before: &Agent,
    status: &AgentStatus,
) -> Result<()> {
    let (Ok(running), Some(platform)) = (status.version.parse::<Version>(), &status.platform) else { return Ok(()) };
    let now = state.now();
    let shelf = state.releases.shelf(now);
    let Shelf::Open(stock) = &*shelf else { return Ok(()) };
    if before.version != status.version || status.update.is_some() {
        settle(tx, scope, &running, status, now).await?;
    }
    match updates::find_pin(tx, &scope.customer()).await? {
        Some(pin) => {
            let wanted = pin.version.parse().ok().filter(|wanted| *wanted > running && stock.has(wanted, platform));
            if let Some(wanted) = wanted {
                offer(tx, scope, &wanted, now).await?;
            }
        }
        None => {
            if let Some(newest) = stock.newest(platform).filter(|newest| **newest > running) {
                offer_in_turn(tx, state, scope, newest).await?;
            }
        }
    }
    Ok(())
}

/// What is known of the version this agent was asked for.
async fn settle(
    tx: &mut WriteTx,
    scope: &AgentScope,
    running: &Version,
    status: &AgentStatus,
    now: DateTime<Utc>,
) -> Result<()> {
    let Some(asked) = updates::find_of_agent(tx, scope.agent()).await? else { return Ok(()) };
    let Ok(wanted) = asked.version.parse::<Version>() else { return Ok(()) };
    let reported = status.update.as_ref().filter(|report| report.version == wanted).map(|report| report.outcome);
    let outcome = match reported {
        // Whatever it says of the way, it has arrived.
        Some(UpdateOutcome::Fetched | UpdateOutcome::Refused | UpdateOutcome::TakenBack) | None
            if *running >= wanted =>
        {
            UpdateState::Updated
        }
        // Told again and again; who was asked once more since then is still at it.
        Some(UpdateOutcome::TakenBack) if asked.state != UpdateState::Offered || is_news(status, &asked) => {
            UpdateState::TakenBack
        }
        Some(UpdateOutcome::Refused) => UpdateState::Refused,
        Some(UpdateOutcome::TakenBack | UpdateOutcome::Fetched) | None => return Ok(()),
    };
    let problem = status.problems.iter().find(|problem| problem.code.starts_with("RC-10"));
    let detail = problem.map(|problem| format!("{} {}", problem.code, problem.detail));
    let detail = detail.filter(|_| outcome != UpdateState::Updated);
    if updates::settle(tx, scope, &asked.version, outcome, detail.as_deref(), now).await? {
        tracing::info!(agent = %scope.agent(), version = asked.version, outcome = outcome.as_str(), "update settled");
        if outcome == UpdateState::TakenBack {
            agents::renew_desired(tx, scope).await?;
        }
    }
    Ok(())
}

/// Whether the agent went back after it was asked.
fn is_news(status: &AgentStatus, asked: &updates::AgentUpdate) -> bool {
    let code = rollcall_protocol::catalogue::UPDATE_TAKEN_BACK.code;
    // The agent's clock may be off by what is tolerated of it.
    let tolerated = TimeDelta::minutes(15);
    status.problems.iter().any(|problem| problem.code == code && problem.since + tolerated >= asked.offered_at)
}

async fn offer(tx: &mut WriteTx, scope: &AgentScope, wanted: &Version, now: DateTime<Utc>) -> Result<()> {
    if updates::offer(tx, scope, &wanted.to_string(), now).await? {
        agents::renew_desired(tx, scope).await?;
    }
    Ok(())
}

/// By ring, window and place.
async fn offer_in_turn(tx: &mut WriteTx, state: &AppState, scope: &AgentScope, newest: &Version) -> Result<()> {
    let now = state.now();
    let version = newest.to_string();
    let rollout = match updates::find(tx, &version).await? {
        Some(rollout) if rollout.state == RolloutState::Running && now - rollout.looked_at >= LOOK_EVERY => {
            look(tx, state, rollout).await?
        }
        Some(rollout) => rollout,
        None => begin(tx, newest, now).await?,
    };
    let is_open = rollout.state == RolloutState::Running
        && updates::find_window(tx).await?.is_none_or(|window| window.holds(now))
        && place(scope.agent().uuid(), &version) <= rollout.cutoff;
    if is_open { offer(tx, scope, newest, now).await } else { Ok(()) }
}

async fn draw(tx: &mut Tx, ring: Ring, newest: &Version, now: DateTime<Utc>) -> Result<i64> {
    let candidates = updates::list_candidates(tx, now - HEARD_WITHIN).await?;
    let text = newest.to_string();
    let is_older = |version: &str| version.parse::<Version>().is_ok_and(|version| version < *newest);
    // Those who have it already are not drawn again, but count for the size of a later ring by their place.
    let places = candidates
        .iter()
        .filter(|candidate| ring != Ring::First || is_older(&candidate.version))
        .map(|candidate| place(candidate.id, &text));
    Ok(cutoff(ring, places.collect()))
}

async fn begin(tx: &mut WriteTx, newest: &Version, now: DateTime<Utc>) -> Result<Rollout> {
    let rollout = Rollout {
        version: newest.to_string(),
        ring: Ring::First,
        ring_since: now,
        cutoff: draw(tx, Ring::First, newest, now).await?,
        state: RolloutState::Running,
        reason: None,
        forgiven: 0,
        begun_at: now,
        looked_at: now,
    };
    updates::save(tx, &rollout, now).await?;
    note(tx, "update.begin", &rollout, now).await?;
    Ok(rollout)
}

async fn look(tx: &mut WriteTx, state: &AppState, before: Rollout) -> Result<Rollout> {
    let now = state.now();
    let silence = Silence { offered_before: now - ANSWER_WITHIN, heard_before: now - HEARD_WITHIN };
    let mut tally = updates::count(tx, &before.version, silence).await?;
    tally.forgiven = before.forgiven;
    let mut after = Rollout { looked_at: now, ..before.clone() };
    let next = decide(before.ring, before.ring_since, tally, now);
    let Ok(newest) = before.version.parse::<Version>() else { return Ok(before) };
    let action = match next {
        Next::Stay => None,
        Next::Widen(ring) => {
            after.ring = ring;
            after.ring_since = now;
            after.cutoff = draw(tx, ring, &newest, now).await?;
            Some("update.widen")
        }
        Next::Redraw => {
            after.ring_since = now;
            after.cutoff = draw(tx, before.ring, &newest, now).await?;
            Some("update.redraw")
        }
        Next::Stop => {
            after.state = RolloutState::Stopped;
            let (failed, asked) = (tally.failed(), tally.asked);
            after.reason = Some(format!("{failed} of {asked} agents went back or fell silent"));
            Some("update.stop")
        }
    };
    if !updates::save(tx, &after, before.looked_at).await? {
        // Somebody decided meanwhile; theirs counts.
        return Ok(updates::find(tx, &before.version).await?.unwrap_or(before));
    }
    if let Some(action) = action {
        note(tx, action, &after, now).await?;
        updates::renew_desired_of_asked(tx, &after.version).await?;
    }
    match after.state {
        RolloutState::Stopped => tell_of_stop(tx, state, &after).await?,
        RolloutState::Running | RolloutState::Paused => {}
    }
    Ok(after)
}

/// A mail to whoever may decide what comes of it; each stop of a version is told once.
async fn tell_of_stop(tx: &mut WriteTx, state: &AppState, rollout: &Rollout) -> Result<()> {
    let page = format!("{}/updates", state.public_url);
    let reason = rollout.reason.as_deref().unwrap_or_default();
    let ring = ring_words(rollout.ring);
    let letter = RolloutStopped { version: &rollout.version, ring, reason, page: &page }.write()?;
    let about = format!("{} {}", rollout.version, rollout.looked_at.to_rfc3339());
    mail::tell_managers(tx, state, "rollout_stopped", &about, &letter).await
}

const fn ring_words(ring: Ring) -> &'static str {
    match ring {
        Ring::First => "one agent in a hundred",
        Ring::Tenth => "one agent in ten",
        Ring::All => "all agents",
    }
}

async fn note(tx: &mut WriteTx, action: &'static str, rollout: &Rollout, at: DateTime<Utc>) -> Result<()> {
    let after = json!({ "ring": rollout.ring, "state": rollout.state, "reason": rollout.reason });
    let entry = Entry {
        at,
        actor: &Actor::system(),
        action,
        customer: None,
        object: Some(rollout.version.clone()),
        before: None,
        after: Some(after),
    };
    audit::append(tx, entry).await
}

/// The version that stands in this agent's instructions.
pub async fn find_wanted(tx: &mut Tx, scope: &AgentScope) -> Result<Option<WantedVersion>> {
    let Some(asked) = updates::find_of_agent(tx, scope.agent()).await? else { return Ok(None) };
    let is_open = match asked.state {
        UpdateState::Offered | UpdateState::Refused => true,
        UpdateState::Updated | UpdateState::TakenBack => false,
    };
    let pin = updates::find_pin(tx, &scope.customer()).await?;
    let may = match pin {
        Some(pin) => pin.version == asked.version,
        None => updates::find(tx, &asked.version).await?.is_some_and(|rollout| rollout.state == RolloutState::Running),
    };
    let version = asked.version.parse().ok().filter(|_| is_open && may);
    Ok(version.map(|version| WantedVersion { version }))
}

#[cfg(test)]
mod tests;
