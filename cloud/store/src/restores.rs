//! Agents that outlived a restore of this database: they know of numbers that it does not.

use chrono::{DateTime, TimeDelta, Utc};
use rollcall_domain::ids::AgentId;

use crate::{AgentScope, Result, Tx, WriteTx};

/// An agent is written down once in this time: one that says so again and again fills no log.
const ONCE_IN: TimeDelta = TimeDelta::days(1);

/// For how long people are told of it: until whoever was to look has looked.
pub const NEWS_FOR: TimeDelta = TimeDelta::days(7);

/// False if it was written down lately.
pub async fn note(tx: &mut WriteTx, scope: &AgentScope, now: DateTime<Utc>) -> Result<bool> {
    let changed = execute!(
        tx,
        "update agents
         set outlived_restore_at = $3
         where msp_id = $1 and id = $2 and (outlived_restore_at is null or outlived_restore_at < $4)",
        scope.agent().uuid(),
        now,
        now - ONCE_IN,
    )?;
    Ok(changed.any())
}

/// When this agent was last noticed to have outlived one.
pub async fn find(tx: &mut Tx, agent: AgentId) -> Result<Option<DateTime<Utc>>> {
    let found: Option<(Option<DateTime<Utc>>,)> = fetch_optional!(
        tx,
        (Option<DateTime<Utc>>,),
        "select outlived_restore_at from agents where msp_id = $1 and id = $2",
        agent.uuid(),
    )?;
    Ok(found.and_then(|(at,)| at))
}

/// How many were noticed since then, of all customers.
pub async fn count(tx: &mut Tx, since: DateTime<Utc>) -> Result<i64> {
    let (agents,): (i64,) = fetch_one!(
        tx,
        (i64,),
        "select count(*) from agents where msp_id = $1 and outlived_restore_at >= $2 and state <> 'revoked'",
        since,
    )?;
    Ok(agents)
}
