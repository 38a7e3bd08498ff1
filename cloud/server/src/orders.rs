//! Gives an agent an order: once, however often and by whomever it is asked for.

use rollcall_domain::ids::CommandId;
use rollcall_protocol::desired::Order;
use rollcall_store::{
    AgentScope, StoreError, WriteTx, agents,
    commands::{self, NewCommand},
};
use serde_json::json;

use crate::state::AppState;

/// What an order that waits already is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again {
    /// It will do, until the agent reports it done.
    WhenDone,
    /// It will do as long as the agent has not heard of it: from then on it may have begun before whatever made somebody
    /// ask once more.
    WhenHeard,
}

/// Puts it into the agent's desired state, unless the same waits there and will do.
pub async fn give(
    tx: &mut WriteTx,
    state: &AppState,
    scope: &AgentScope,
    by: &str,
    order: Order,
    again: Again,
) -> Result<(), StoreError> {
    let payload = json!(order);
    let open = commands::list_open(tx, scope.agent()).await?;
    let mut same = open.iter().filter(|command| command.payload.0 == payload);
    let will_do = match again {
        Again::WhenDone => same.next().is_some(),
        Again::WhenHeard => {
            let agent = agents::get(tx, scope).await?;
            let heard = agent.handed_version.max(agent.applied_version);
            same.any(|command| command.first_in > heard)
        }
    };
    if will_do {
        return Ok(());
    }
    let id = state.mint(CommandId::mint);
    let command = NewCommand { id, kind: kind(&order), payload, created_by: by, created_at: state.now() };
    commands::insert(tx, scope.agent(), command).await?;
    agents::renew_desired(tx, scope).await
}

/// As the protocol spells it.
const fn kind(order: &Order) -> &'static str {
    match order {
        Order::SyncNow => "sync_now",
        Order::RefreshStructure => "refresh_structure",
        Order::FullSnapshot => "full_snapshot",
        Order::RotateKey => "rotate_key",
        Order::Confirm { .. } => commands::CONFIRM,
        Order::AcceptClearing { .. } => "accept_clearing",
        Order::Bundle => "bundle",
        Order::Unknown => "unknown",
    }
}
