//! Pausing and resuming: one import, one customer, or the whole MSP.

use chrono::{DateTime, Utc};
use rollcall_domain::{
    ids::{CustomerId, ImportId},
    pause::Pause,
    role::{Act, Reach, Role},
};
use rollcall_store::{
    agents, customers, imports,
    live::{Event, Topic},
    msps,
};
use serde_json::json;

use super::who::{Note, ServiceError, Who};
use crate::state::AppState;

/// What is paused or resumed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    Msp,
    Customer(CustomerId),
    Import(CustomerId, ImportId),
}

/// A pause as an operator asks for it.
#[derive(Debug, Clone)]
pub struct Wish {
    pub reason: String,
    pub until: Option<DateTime<Utc>>,
}

pub async fn pause(state: &AppState, who: &Who, target: Target, wish: Wish) -> Result<(), ServiceError> {
    let now = state.now();
    let reason = wish.reason.trim().to_owned();
    if reason.is_empty() || reason.chars().count() > 500 {
        return Err(ServiceError::invalid("reason", "say why, in at most 500 characters"));
    }
    if wish.until.is_some_and(|until| until <= now) {
        return Err(ServiceError::invalid("until", "lies in the past"));
    }
    let pause = Pause { at: now, until: wish.until, reason, by: who.actor.name.clone() };
    set(state, who, target, &Turn::Pause(pause)).await
}

pub async fn resume(state: &AppState, who: &Who, target: Target) -> Result<(), ServiceError> {
    set(state, who, target, &Turn::Resume).await
}

enum Turn {
    Pause(Pause),
    Resume,
}

/// Row, audit line and the agents' new desired state together: the agents hear of it within about a second.
async fn set(state: &AppState, who: &Who, target: Target, turn: &Turn) -> Result<(), ServiceError> {
    who.may(Act::Pause)?;
    let now = state.now();
    let mut tx = state.db.write(&who.scope).await?;
    let (customer, object) = match target {
        Target::Msp => {
            if who.scope.reach() != &Reach::All {
                return Err(ServiceError::Forbidden { needed: Role::Admin });
            }
            agents::renew_desired_of_msp(&mut tx, &who.scope).await?;
            match turn {
                Turn::Pause(pause) => msps::set_pause(&mut tx, &who.scope, pause).await?,
                Turn::Resume => msps::end_pause(&mut tx, &who.scope, now).await?,
            }
            (None, tx.msp().to_string())
        }
        Target::Customer(id) => {
            let (scope, _) = who.customer(&mut tx, id).await?;
            match turn {
                Turn::Pause(pause) => customers::set_pause(&mut tx, &scope, pause).await?,
                Turn::Resume => customers::end_pause(&mut tx, &scope, now).await?,
            }
            agents::renew_desired_of_customer(&mut tx, &scope).await?;
            (Some(id), id.to_string())
        }
        Target::Import(id, import) => {
            let (scope, _) = who.customer(&mut tx, id).await?;
            let is_there = match turn {
                Turn::Pause(pause) => imports::set_pause(&mut tx, &scope, import, pause).await?,
                Turn::Resume => imports::end_pause(&mut tx, &scope, import, now).await?,
            };
            if !is_there {
                return Err(ServiceError::NotFound);
            }
            agents::renew_desired_of_customer(&mut tx, &scope).await?;
            (Some(id), import.to_string())
        }
    };
    let (action, after) = match turn {
        Turn::Pause(pause) => ("pause", Some(json!(pause))),
        Turn::Resume => ("resume", None),
    };
    let note = Note { object: Some(object), before: None, after };
    who.note(&mut tx, now, action, customer, note);
    let event = Event { customer, ..Event::of(tx.msp(), Topic::Customer) };
    tx.tell(event);
    Ok(tx.commit().await?)
}
