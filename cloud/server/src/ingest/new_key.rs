//! When a key that a rotation introduced becomes the agent's key, and the one before it ends.

use rollcall_domain::agent::KeyState;
use rollcall_protocol::hash::Hash;
use rollcall_store::{AgentScope, StoreError, WriteTx, agent_keys, keyring::SecretHash};
use serde_json::{Value, json};

use super::note::{self, Note};
use crate::state::AppState;

/// Whether anything signed by the old key may still be on the agent's machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    Nothing,
    Something,
}

/// Once the agent works with its new key and has nothing left that the old one signed, the old one opens nothing more.
pub async fn take_over(
    tx: &mut WriteTx,
    state: &AppState,
    scope: &AgentScope,
    (kid, key): (SecretHash, KeyState),
    left: Left,
) -> Result<(), StoreError> {
    match (key, left) {
        (KeyState::Pending, Left::Nothing) => {}
        (KeyState::Active | KeyState::Retired, _) | (KeyState::Pending, Left::Something) => return Ok(()),
    }
    agent_keys::promote(tx, scope, kid, state.now()).await?;
    let note =
        Note { action: "agent.key_changed", before: None, after: Hash::try_from(kid.as_bytes()).ok().map(shown) };
    note::append(tx, state, scope, note);
    Ok(())
}

fn shown(key: Hash) -> Value {
    json!({ "key": key })
}
