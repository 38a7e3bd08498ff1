//! Orders that a cycle leads to: send everybody, look for these people. None is given twice while it waits.

use std::collections::HashSet;

use chrono::{DateTime, TimeDelta, Utc};
use rollcall_protocol::{desired::Order, limits};
use rollcall_store::{
    AgentScope, StoreError, WriteTx, commands,
    directories::{self, Directory},
};
use uuid::Uuid;

use crate::{
    orders::{self, Again},
    state::AppState,
};

const BY: &str = "Rollcall";

/// So long after a full snapshot was wanted, and did not settle what it was to settle, another may be. Sooner it would
/// bring the same once more.
const FULL_AGAIN_AFTER: TimeDelta = TimeDelta::hours(24);

pub fn was_wanted_lately(directory: &Directory, now: DateTime<Utc>) -> bool {
    directory.full_wanted_at.is_some_and(|wanted| now < wanted + FULL_AGAIN_AFTER)
}

/// Asks the agent to send everybody with the next cycle, unless it was asked already.
pub async fn full_snapshot(
    tx: &mut WriteTx,
    state: &AppState,
    scope: &AgentScope,
    directory: &Directory,
) -> Result<(), StoreError> {
    directories::want_full(tx, directory.id, Some(state.now())).await?;
    everybody(tx, state, scope).await
}

/// The same where nothing speaks against what the cloud holds.
pub async fn everybody(tx: &mut WriteTx, state: &AppState, scope: &AgentScope) -> Result<(), StoreError> {
    orders::give(tx, state, scope, BY, Order::FullSnapshot, Again::WhenDone).await
}

/// Asks the agent to look for these people, but not for whom it is asked already.
pub async fn confirm(
    tx: &mut WriteTx,
    state: &AppState,
    scope: &AgentScope,
    guids: Vec<Uuid>,
) -> Result<(), StoreError> {
    if guids.is_empty() {
        return Ok(());
    }
    let mut asked = HashSet::new();
    for command in commands::list_open_of_kind(tx, scope, commands::CONFIRM).await? {
        if let Ok(Order::Confirm { guids }) = serde_json::from_value(command.payload.0) {
            asked.extend(guids);
        }
    }
    let left: Vec<Uuid> = guids.into_iter().filter(|guid| !asked.contains(guid)).collect();
    for guids in left.chunks(limits::CONFIRM) {
        orders::give(tx, state, scope, BY, Order::Confirm { guids: guids.to_vec() }, Again::WhenDone).await?;
    }
    Ok(())
}
