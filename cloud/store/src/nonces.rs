//! Names of requests seen within the skew window, so that none is taken twice.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use crate::{AgentScope, Result, WriteTx};

/// False if it was seen before. Forgets what is older than `keep`: by then the time in the request refuses it.
pub async fn take(
    tx: &mut WriteTx,
    scope: &AgentScope,
    jti: Uuid,
    now: DateTime<Utc>,
    keep: TimeDelta,
) -> Result<bool> {
    execute!(
        tx,
        "delete from request_nonces where msp_id = $1 and agent_id = $2 and seen_at < $3",
        scope.agent().uuid(),
        now - keep,
    )?
    .count();
    let inserted = execute!(
        tx,
        "insert into request_nonces (msp_id, agent_id, jti, seen_at)
         values ($1, $2, $3, $4)
         on conflict (msp_id, agent_id, jti) do nothing",
        scope.agent().uuid(),
        jti,
        now,
    )?;
    Ok(inserted.any())
}
