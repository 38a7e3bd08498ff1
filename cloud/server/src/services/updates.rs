//! Updates of agents: pausing and resuming a rollout, the hours it may use, and the version a customer is pinned to.

use rollcall_domain::{
    ids::CustomerId,
    role::{Act, Reach, Role},
    rollout::{ANSWER_WITHIN, HEARD_WITHIN, RolloutState, Window},
};
use rollcall_protocol::update::Version;
use rollcall_store::{
    WriteTx, agents,
    updates::{self, Rollout, Silence},
};
use serde_json::json;

use super::who::{Note, ServiceError, Who};
use crate::state::AppState;

/// What a person decides about a rollout.
#[derive(Debug, Clone)]
pub enum Decision {
    Pause {
        reason: String,
    },
    /// Goes on, also after it stopped by itself; who went back is asked once more.
    Resume,
}

pub async fn decide(state: &AppState, who: &Who, version: &str, decision: Decision) -> Result<(), ServiceError> {
    whole_msp(who)?;
    let now = state.now();
    let mut tx = state.db.write(&who.scope).await?;
    let before = updates::find(&mut tx, version).await?.ok_or(ServiceError::NotFound)?;
    let mut after = Rollout { looked_at: now, ..before.clone() };
    let action = match decision {
        Decision::Pause { reason } => {
            let reason = reason.trim().to_owned();
            if reason.is_empty() || reason.chars().count() > 200 {
                return Err(ServiceError::invalid("reason", "say why, in at most 200 characters"));
            }
            after.state = RolloutState::Paused;
            after.reason = Some(format!("{reason} ({})", who.actor.name));
            "update.pause"
        }
        Decision::Resume => {
            after.state = RolloutState::Running;
            after.reason = None;
            updates::ask_again(&mut tx, &who.scope, version, now).await?;
            let silence = Silence { offered_before: now - ANSWER_WITHIN, heard_before: now - HEARD_WITHIN };
            let left = updates::count(&mut tx, version, silence).await?;
            after.forgiven = left.taken_back + left.silent;
            "update.resume"
        }
    };
    if !updates::save(&mut tx, &after, before.looked_at).await? {
        return Err(ServiceError::ChangedMeanwhile);
    }
    updates::renew_desired_of_asked(&mut tx, version).await?;
    let shown = |rollout: &Rollout| json!({ "state": rollout.state, "reason": rollout.reason });
    let note = Note::of(version).before(shown(&before)).after(shown(&after));
    who.note(&mut tx, now, action, None, note).await?;
    Ok(tx.commit().await?)
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
pub async fn set_window(state: &AppState, who: &Who, window: Option<Window>) -> Result<(), ServiceError> {
    whole_msp(who)?;
    let now = state.now();
    let mut tx = state.db.write(&who.scope).await?;
    let before = updates::find_window(&mut tx).await?;
    updates::set_window(&mut tx, &who.scope, window, &who.actor.name, now).await?;
    let note = Note::default().before(json!(before)).after(json!(window));
    who.note(&mut tx, now, "update.window", None, note).await?;
    Ok(tx.commit().await?)
}

/// Pins a customer's agents to a version, which they go to at once if it is newer than theirs, or lets them go with the
/// others again. Nobody goes back to an older one.
pub async fn pin(state: &AppState, who: &Who, customer: CustomerId, version: Option<&str>) -> Result<(), ServiceError> {
    who.may(Act::ManageUpdates)?;
    let now = state.now();
    let version = version.map(|text| text.trim().parse::<Version>()).transpose();
    let version = version.map_err(|_| ServiceError::invalid("version", "is no version such as 1.2.0"))?;
    let mut tx = state.db.write(&who.scope).await?;
    let (scope, _) = who.customer(&mut tx, customer).await?;
    let before = updates::find_pin(&mut tx, &scope).await?.map(|pin| pin.version);
    match &version {
        Some(version) => {
            updates::pin(&mut tx, &scope, &version.to_string(), &who.actor.name, now).await?;
        }
        None => updates::unpin(&mut tx, &scope).await?,
    }
    agents::renew_desired_of_customer(&mut tx, &scope).await?;
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
    who.note(&mut tx, state.now(), "update.pin", Some(customer), note).await?;
    Ok(tx.commit().await?)
}
