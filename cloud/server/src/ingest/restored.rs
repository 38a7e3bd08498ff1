//! Decides whether an agent has outlived a restore of this database, and has people told of it.

use chrono::{DateTime, Utc};
use rollcall_protocol::checkin::{CheckinRequest, EpochWish};
use rollcall_store::{AgentScope, StoreError, WriteTx, agents::Agent, restores};
use serde_json::json;

use super::{
    note::{self, Note},
    verify::protocol,
};
use crate::state::AppState;

/// Numbers only rise, and all of them come from the cloud: an agent that knows a higher one has it from a time that the
/// database has forgotten.
pub fn has_outlived(agent: &Agent, request: &CheckinRequest) -> bool {
    let newest_epoch = match request.epoch {
        EpochWish::New => request.last_epoch,
        EpochWish::Keep => 0,
    };
    request.desired_version > protocol(agent.desired_version) || newest_epoch > protocol(agent.epoch)
}

/// In the transaction of the check-in.
pub async fn note(
    tx: &mut WriteTx,
    state: &AppState,
    scope: &AgentScope,
    (agent, request): (&Agent, &CheckinRequest),
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    if !has_outlived(agent, request) || !restores::note(tx, scope, now).await? {
        return Ok(());
    }
    let before = json!({ "settings": agent.desired_version, "epoch": agent.epoch });
    let after = json!({ "settings": request.desired_version, "epoch": request.last_epoch });
    let note = Note { action: "agent.outlived_restore", before: Some(before), after: Some(after) };
    note::append(tx, state, scope, note);
    Ok(())
}
