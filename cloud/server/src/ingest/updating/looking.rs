//! Decides, at most once a minute for each version and platform, whether a rollout begins, goes further, waits or stops.
//!
//! A look is a transaction of its own, ahead of the check-in that gave the occasion: it takes the rollout's row first and
//! agents' rows after it, and a check-in that already held its agent's row would wait for another that waits for it.

use chrono::{DateTime, Utc};
use rollcall_domain::rollout::{
    Bounds, Member, Next, RolloutState, Step, Tally, advance, begin as first_cutoff, decide, place,
};
use rollcall_protocol::{checkin::AgentStatus, update::Version};
use rollcall_store::{
    AgentScope, Result, Scope as _, Tx, WriteTx,
    audit::{self, Actor, Entry},
    live::{Event, Topic},
    updates::{
        asked,
        rollouts::{self, Rollout},
    },
};
use serde_json::json;

use crate::{
    mail::{self, RolloutStopped},
    releases::{LOOK_EVERY, Shelf, Supply},
    state::AppState,
};

/// By any agent that checks in: also one that has the version, or whose customer is pinned, shows that the cloud is there.
pub async fn look(state: &AppState, scope: &AgentScope, status: &AgentStatus, shelf: &Shelf) -> Result<()> {
    let (Ok(running), Some(platform)) = (status.version.parse::<Version>(), &status.platform) else { return Ok(()) };
    let stock = match shelf {
        Shelf::Open(stock) => stock,
        Shelf::None | Shelf::Unusable(_) => return Ok(()),
    };
    let (now, of) = (state.now(), platform.to_string());
    if !stock.newest(platform).is_some_and(|newest| state.looks.take(scope.msp(), &newest.to_string(), &of, now)) {
        return Ok(());
    }
    let mut tx = state.db.write(scope).await?;
    let Some(newest) = Supply::find(&mut tx, stock, now).await?.newest(platform) else { return Ok(()) };
    let (version, platform) = (newest.to_string(), of);
    match rollouts::find(&mut tx, &version, &platform).await? {
        None if running < *newest => begin(&mut tx, newest, &version, &platform, now).await?,
        None => {}
        Some(known) => match known.state {
            RolloutState::Running => {
                if let Some(due) = rollouts::take_look(&mut tx, &version, &platform, now - LOOK_EVERY, now).await? {
                    go_on(&mut tx, state, due, newest).await?;
                }
            }
            RolloutState::Replaced => revive(&mut tx, &known, now).await?,
            RolloutState::Paused | RolloutState::Stopped | RolloutState::Done => {}
        },
    }
    tx.commit().await
}

async fn begin(tx: &mut WriteTx, newest: &Version, version: &str, platform: &str, now: DateTime<Utc>) -> Result<()> {
    let cutoff = first_cutoff(&list_members(tx, newest, platform, now).await?);
    let rollout = Rollout::begin(version, platform, cutoff, now);
    if rollouts::insert(tx, &rollout).await? {
        end_others(tx, &rollout).await?;
        note(tx, "update.begin", &rollout, now);
    }
    Ok(())
}

/// The version that had replaced it was withdrawn.
async fn revive(tx: &mut WriteTx, known: &Rollout, now: DateTime<Utc>) -> Result<()> {
    if rollouts::change_state(tx, known, RolloutState::Running, None).await? {
        end_others(tx, known).await?;
        asked::renew_desired(tx, &known.version, &known.platform).await?;
        let revived = Rollout { state: RolloutState::Running, reason: None, ..known.clone() };
        note(tx, "update.revive", &revived, now);
    }
    Ok(())
}

async fn end_others(tx: &mut WriteTx, newest: &Rollout) -> Result<()> {
    for version in rollouts::replace_others(tx, &newest.version, &newest.platform).await? {
        asked::renew_desired(tx, &version, &newest.platform).await?;
    }
    Ok(())
}

async fn go_on(tx: &mut WriteTx, state: &AppState, before: Rollout, newest: &Version) -> Result<()> {
    let now = state.now();
    let tally = asked::count(tx, &before.version, &before.platform, Bounds::at(now)).await?;
    let step = match decide(&before.progress(), tally, now) {
        Next::Stop => return stop(tx, state, before, tally).await,
        Next::Wait(wait) => Step::Wait(wait),
        Next::GoOn => {
            let members = list_members(tx, newest, &before.platform, now).await?;
            advance(before.ring, before.cutoff, tally.counted(), &members)
        }
    };
    let moving = before.clone().waiting_for(None);
    let (action, after) = match step {
        Step::Wait(wait) => (None, before.clone().waiting_for(Some(wait))),
        Step::Widen { ring, cutoff } => (Some("update.widen"), Rollout { ring, ring_since: now, cutoff, ..moving }),
        Step::Redraw { cutoff } => (Some("update.redraw"), Rollout { ring_since: now, cutoff, ..moving }),
        Step::Finish => (Some("update.done"), Rollout { state: RolloutState::Done, ..moving }),
    };
    if after != before {
        rollouts::save(tx, &after).await?;
    }
    if let Some(action) = action {
        note(tx, action, &after, now);
    }
    Ok(())
}

async fn stop(tx: &mut WriteTx, state: &AppState, before: Rollout, tally: Tally) -> Result<()> {
    let (failed, counted) = (tally.failed(), tally.counted());
    let reason = format!("{failed} of {counted} agents went back or fell silent");
    let after = Rollout { state: RolloutState::Stopped, reason: Some(reason), ..before.waiting_for(None) };
    rollouts::save(tx, &after).await?;
    asked::renew_desired(tx, &after.version, &after.platform).await?;
    note(tx, "update.stop", &after, state.now());
    tell_of_stop(tx, state, &after).await
}

/// A mail to whoever may decide what comes of it; each stop of a version is told once.
async fn tell_of_stop(tx: &mut WriteTx, state: &AppState, rollout: &Rollout) -> Result<()> {
    let page = format!("{}/updates", state.public_url);
    let reason = rollout.reason.as_deref().unwrap_or_default();
    let version = format!("{} ({})", rollout.version, rollout.platform);
    let letter = RolloutStopped { version: &version, ring: rollout.ring.in_words(), reason, page: &page }.write()?;
    let about = format!("{version} {}", rollout.looked_at.to_rfc3339());
    mail::tell_managers(tx, state, "rollout_stopped", &about, &letter).await
}

async fn list_members(tx: &mut Tx, newest: &Version, platform: &str, now: DateTime<Utc>) -> Result<Vec<Member>> {
    let version = newest.to_string();
    let candidates = asked::list_candidates(tx, &version, platform, Bounds::at(now).heard_since).await?;
    let member = |candidate: &asked::Candidate| Member {
        place: place(candidate.id, &version),
        is_older: candidate.version.parse::<Version>().is_ok_and(|version| version < *newest),
        is_asked: candidate.is_asked,
    };
    Ok(candidates.iter().map(member).collect())
}

fn note(tx: &mut WriteTx, action: &'static str, rollout: &Rollout, at: DateTime<Utc>) {
    let after = json!({ "ring": rollout.ring, "state": rollout.state, "reason": rollout.reason });
    let entry = Entry {
        at,
        actor: &Actor::system(),
        action,
        customer: None,
        object: Some(format!("{} {}", rollout.version, rollout.platform)),
        before: None,
        after: Some(after),
    };
    audit::append(tx, entry);
    let event = Event::of(tx.msp(), Topic::Agent);
    tx.tell(event);
}
