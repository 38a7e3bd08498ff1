//! Updates of agents: pausing and resuming a rollout, its hours and delay, and the version a customer is pinned to.

use chrono::{DateTime, Utc};
use rollcall_domain::{
    ids::CustomerId,
    role::{Act, Reach, Role},
    rollout::{Delay, RolloutState, Window},
};
use rollcall_protocol::update::Version;
use rollcall_store::{
    Tx, WriteTx, agents,
    updates::{
        asked, delay, pins,
        rollouts::{self, Rollout},
        window,
    },
};
use serde_json::json;

use super::who::{Note, ServiceError, Who};
use crate::{
    releases::{Shelf, Supply, Upcoming},
    state::AppState,
};

/// What a person decides about a rollout.
#[derive(Debug, Clone)]
pub enum Decision {
    Pause {
        reason: String,
    },
    /// Goes on, also after it stopped by itself; who went back is asked once more.
    Resume,
}

/// Concerns the version on every platform; where it is so already, nothing changes.
pub async fn decide(state: &AppState, who: &Who, version: &str, decision: Decision) -> Result<(), ServiceError> {
    whole_msp(who)?;
    let now = state.now();
    let mut tx = state.db.write(&who.scope).await?;
    let known = rollouts::list_of_version(&mut tx, version).await?;
    if known.is_empty() {
        return Err(ServiceError::NotFound);
    }
    if known.iter().all(|rollout| rollout.state == RolloutState::Replaced) {
        return Err(ServiceError::invalid("version", "is not the newest any more"));
    }
    let (state_after, reason, action) = match &decision {
        Decision::Pause { reason } => (RolloutState::Paused, Some(explain(who, reason)?), "update.pause"),
        Decision::Resume => (RolloutState::Running, None, "update.resume"),
    };
    for before in known.iter().filter(|before| concerns(&decision, before.state)) {
        if !rollouts::change_state(&mut tx, before, state_after, reason.as_deref()).await? {
            return Err(ServiceError::ChangedMeanwhile);
        }
        asked::renew_desired(&mut tx, version, &before.platform).await?;
        match &decision {
            Decision::Pause { .. } => {}
            Decision::Resume => asked::forgive(&mut tx, &who.scope, before, now).await?,
        }
        let shown = |state: RolloutState, reason: Option<&str>| json!({ "state": state, "reason": reason });
        let note = Note::of(format!("{version} {}", before.platform))
            .before(shown(before.state, before.reason.as_deref()))
            .after(shown(state_after, reason.as_deref()));
        who.note(&mut tx, now, action, None, note);
    }
    Ok(tx.commit().await?)
}

const fn concerns(decision: &Decision, state: RolloutState) -> bool {
    match (decision, state) {
        (Decision::Pause { .. }, RolloutState::Running | RolloutState::Done)
        | (Decision::Resume, RolloutState::Paused | RolloutState::Stopped) => true,
        (Decision::Pause { .. }, RolloutState::Paused | RolloutState::Stopped | RolloutState::Replaced)
        | (Decision::Resume, RolloutState::Running | RolloutState::Done | RolloutState::Replaced) => false,
    }
}

fn explain(who: &Who, reason: &str) -> Result<String, ServiceError> {
    let reason = reason.trim();
    if reason.is_empty() || reason.chars().count() > 200 {
        return Err(ServiceError::invalid("reason", "say why, in at most 200 characters"));
    }
    Ok(format!("{reason} ({})", who.actor.name))
}

/// Rollout and window concern every customer.
fn whole_msp(who: &Who) -> Result<(), ServiceError> {
    who.may(Act::ManageUpdates)?;
    match who.scope.reach() {
        Reach::All => Ok(()),
        Reach::Chosen(_) => Err(ServiceError::Forbidden { needed: Role::Admin }),
    }
}

/// `None`: at any hour.
pub async fn set_window(state: &AppState, who: &Who, hours: Option<Window>) -> Result<(), ServiceError> {
    whole_msp(who)?;
    let now = state.now();
    let mut tx = state.db.write(&who.scope).await?;
    let before = window::find(&mut tx).await?;
    window::set(&mut tx, &who.scope, hours, &who.actor.name, now).await?;
    let note = Note::default().before(json!(before)).after(json!(hours));
    who.note(&mut tx, now, "update.window", None, note);
    Ok(tx.commit().await?)
}

/// Concerns what has not begun; a pinned customer's version does not wait.
pub async fn set_delay(state: &AppState, who: &Who, after: Delay) -> Result<(), ServiceError> {
    whole_msp(who)?;
    let now = state.now();
    let mut tx = state.db.write(&who.scope).await?;
    let before = delay::find(&mut tx).await?;
    delay::set(&mut tx, &who.scope, after, &who.actor.name, now).await?;
    let note = Note::default().before(json!(before)).after(json!(after));
    who.note(&mut tx, now, "update.delay", None, note);
    Ok(tx.commit().await?)
}

/// Begins a version before its delay is over, on every platform where it waits: a correction that is urgent here.
pub async fn begin(state: &AppState, who: &Who, version: &str) -> Result<(), ServiceError> {
    whole_msp(who)?;
    let now = state.now();
    let shelf = state.releases.shelf(now).await;
    let mut tx = state.db.write(&who.scope).await?;
    let mut waiting = list_upcoming(&mut tx, &shelf, now).await?;
    waiting.retain(|one| one.version.to_string() == version);
    if waiting.is_empty() {
        let known = rollouts::list_of_version(&mut tx, version).await?;
        let has_begun = ServiceError::invalid("version", "has begun already");
        return Err(if known.is_empty() { ServiceError::NotFound } else { has_begun });
    }
    for one in waiting {
        begin_on(&mut tx, who, version, &one.platform.to_string(), now).await?;
    }
    Ok(tx.commit().await?)
}

/// Nobody is drawn yet: the next look does that, as for a ring in which nobody counts.
const NOBODY: i64 = -1;

async fn begin_on(
    tx: &mut WriteTx,
    who: &Who,
    version: &str,
    platform: &str,
    now: DateTime<Utc>,
) -> Result<(), ServiceError> {
    if !rollouts::insert(tx, &Rollout::begin(version, platform, NOBODY, now)).await? {
        return Err(ServiceError::ChangedMeanwhile);
    }
    for replaced in rollouts::replace_others(tx, version, platform).await? {
        asked::renew_desired(tx, &replaced, platform).await?;
    }
    let note = Note::of(format!("{version} {platform}")).after(json!({ "state": RolloutState::Running }));
    who.note(tx, now, "update.begin", None, note);
    Ok(())
}

/// Releases that wait for their day.
pub async fn list_upcoming(tx: &mut Tx, shelf: &Shelf, now: DateTime<Utc>) -> Result<Vec<Upcoming>, ServiceError> {
    match shelf {
        Shelf::Open(stock) => Ok(Supply::find(tx, stock, now).await?.upcoming()),
        Shelf::None | Shelf::Unusable(_) => Ok(Vec::new()),
    }
}

/// Pins a customer's agents to a version, which they go to at once if it is newer than theirs, or lets them go with the
/// others again. Nobody goes back to an older one; whoever went back from this one, or refused it, is asked once more.
pub async fn pin(state: &AppState, who: &Who, customer: CustomerId, version: Option<&str>) -> Result<(), ServiceError> {
    who.may(Act::ManageUpdates)?;
    let now = state.now();
    let version = version.map(|text| text.trim().parse::<Version>()).transpose();
    let version = version.map_err(|_| ServiceError::invalid("version", "is no version such as 1.2.0"))?;
    let mut tx = state.db.write(&who.scope).await?;
    let (scope, _) = who.customer(&mut tx, customer).await?;
    let before = pins::find(&mut tx, &scope).await?.map(|pin| pin.version);
    match &version {
        Some(version) => {
            pins::pin(&mut tx, &scope, &version.to_string(), &who.actor.name, now).await?;
        }
        None => pins::unpin(&mut tx, &scope).await?,
    }
    agents::renew_desired_of_customer(&mut tx, &scope).await?;
    if let Some(version) = &version {
        asked::ask_customer_again(&mut tx, &scope, &version.to_string(), now).await?;
    }
    note_pin(tx, state, who, customer, before, version).await
}

async fn note_pin(
    mut tx: WriteTx,
    state: &AppState,
    who: &Who,
    customer: CustomerId,
    before: Option<String>,
    after: Option<Version>,
) -> Result<(), ServiceError> {
    let note = Note::of(customer).before(json!({ "version": before })).after(json!({ "version": after }));
    who.note(&mut tx, state.now(), "update.pin", Some(customer), note);
    Ok(tx.commit().await?)
}
