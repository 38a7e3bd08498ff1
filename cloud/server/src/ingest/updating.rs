//! Decides at each check-in whether this agent is asked to update, and notes what became of it when it was.
//!
//! There is no clock-work beside it: nobody is asked without the rollout having been looked at just before.

mod looking;

use chrono::{DateTime, TimeDelta, Utc};
use rollcall_domain::rollout::{UpdateState, place};
use rollcall_protocol::{
    catalogue::Area,
    checkin::AgentStatus,
    update::{
        Version,
        metadata::Platform,
        report::{UpdateOutcome, WantedVersion},
    },
};
use rollcall_store::{
    AgentScope, Result, Tx, WriteTx,
    agents::{self, Agent},
    updates::{
        asked::{self, AgentUpdate},
        pins, rollouts, window,
    },
};

pub use looking::look;

use crate::releases::{Shelf, Supply};

/// In the transaction of the check-in, with what the folder of releases held before it began.
pub async fn consider(
    tx: &mut WriteTx,
    scope: &AgentScope,
    status: &AgentStatus,
    shelf: &Shelf,
    now: DateTime<Utc>,
) -> Result<()> {
    let (Ok(running), Some(platform)) = (status.version.parse::<Version>(), &status.platform) else { return Ok(()) };
    // Also while nothing can be offered: what happened has happened.
    settle(tx, scope, &running, status, now).await?;
    let stock = match shelf {
        Shelf::Open(stock) => stock,
        Shelf::None | Shelf::Unusable(_) => return Ok(()),
    };
    match pins::find(tx, &scope.customer()).await? {
        Some(pin) => {
            let wanted = pin.version.parse().ok().filter(|wanted| *wanted > running && stock.has(wanted, platform));
            if let Some(wanted) = wanted {
                offer(tx, scope, &wanted, now).await?;
            }
        }
        None => {
            // Most agents run the newest one, and nothing is asked for them.
            if stock.newest(platform).is_some_and(|newest| *newest > running)
                && let Some(due) = Supply::find(tx, stock, now).await?.newest(platform).filter(|due| **due > running)
            {
                offer_in_turn(tx, scope, due, platform, now).await?;
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
    let Some(asked) = asked::find_of_agent(tx, scope.agent()).await? else { return Ok(()) };
    let Some(outcome) = judge(running, status, &asked) else { return Ok(()) };
    let problem = status.problems.iter().find(|problem| [Area::Update, Area::Agent].contains(&Area::of(&problem.code)));
    let detail = problem.map(|problem| format!("{} {}", problem.code, problem.detail));
    let detail = detail.filter(|_| outcome != UpdateState::Updated);
    if asked::settle(tx, scope, &asked.version, outcome, detail.as_deref(), now).await? {
        tracing::info!(agent = %scope.agent(), version = asked.version, outcome = outcome.as_str(), "update settled");
        if outcome == UpdateState::TakenBack {
            agents::renew_desired(tx, scope).await?;
        }
    }
    Ok(())
}

/// `None`: nothing is known yet.
fn judge(running: &Version, status: &AgentStatus, asked: &AgentUpdate) -> Option<UpdateState> {
    let wanted = asked.version.parse::<Version>().ok()?;
    let reported = status.update.as_ref().filter(|report| report.version == wanted).map(|report| report.outcome);
    match reported {
        // Whatever it says of the way, it has arrived.
        Some(UpdateOutcome::Fetched | UpdateOutcome::Refused | UpdateOutcome::TakenBack) | None
            if *running >= wanted =>
        {
            Some(UpdateState::Updated)
        }
        // Told again and again; who was asked once more since then is still at it.
        Some(UpdateOutcome::TakenBack) if asked.state != UpdateState::Offered || is_news(status, asked) => {
            Some(UpdateState::TakenBack)
        }
        Some(UpdateOutcome::Refused) => Some(UpdateState::Refused),
        Some(UpdateOutcome::TakenBack | UpdateOutcome::Fetched) | None => None,
    }
}

/// Whether the agent went back after it was asked.
fn is_news(status: &AgentStatus, asked: &AgentUpdate) -> bool {
    let code = rollcall_protocol::catalogue::UPDATE_TAKEN_BACK.code;
    // The agent's clock may be off by what is tolerated of it.
    let tolerated = TimeDelta::minutes(15);
    status.problems.iter().any(|problem| {
        problem.code == code
            && problem.since.checked_add_signed(tolerated).is_some_and(|since| since >= asked.offered_at)
    })
}

async fn offer(tx: &mut WriteTx, scope: &AgentScope, wanted: &Version, now: DateTime<Utc>) -> Result<()> {
    if asked::offer(tx, scope, &wanted.to_string(), now).await? {
        agents::renew_desired(tx, scope).await?;
    }
    Ok(())
}

/// By ring, window and place, once its delay is over.
async fn offer_in_turn(
    tx: &mut WriteTx,
    scope: &AgentScope,
    newest: &Version,
    platform: &Platform,
    now: DateTime<Utc>,
) -> Result<()> {
    let version = newest.to_string();
    let Some(rollout) = rollouts::find(tx, &version, &platform.to_string()).await? else { return Ok(()) };
    let is_asked = rollout.state.is_open()
        && place(scope.agent().uuid(), &version) <= rollout.cutoff
        && window::find(tx).await?.is_none_or(|window| window.holds(now));
    if is_asked { offer(tx, scope, newest, now).await } else { Ok(()) }
}

/// The version that stands in this agent's instructions.
pub async fn find_wanted(tx: &mut Tx, scope: &AgentScope, agent: &Agent) -> Result<Option<WantedVersion>> {
    let Some(asked) = asked::find_of_agent(tx, scope.agent()).await? else { return Ok(None) };
    let is_open = match asked.state {
        UpdateState::Offered | UpdateState::Refused => true,
        UpdateState::Updated | UpdateState::TakenBack => false,
    };
    let may = match (pins::find(tx, &scope.customer()).await?, &agent.platform) {
        (Some(pin), _) => pin.version == asked.version,
        (None, Some(platform)) => {
            rollouts::find(tx, &asked.version, platform).await?.is_some_and(|rollout| rollout.state.is_open())
        }
        (None, None) => false,
    };
    let version = asked.version.parse().ok().filter(|_| is_open && may);
    Ok(version.map(|version| WantedVersion { version }))
}

#[cfg(test)]
mod tests;
