//! One-shot commands for an agent: they stand in its desired state until it reports them done.

use chrono::{DateTime, Utc};
use rollcall_domain::ids::{AgentId, CommandId};
use serde_json::Value;
use sqlx::types::Json;
use uuid::Uuid;

use crate::{AgentScope, Result, Tx, WriteTx, agents};

#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Command {
    #[sqlx(try_from = "Uuid")]
    pub id: CommandId,
    pub kind: String,
    pub payload: Json<Value>,
    pub created_by: String,
    pub created_at: DateTime<Utc>,
    /// The desired state that carries it first.
    pub first_in: i64,
}

#[derive(Debug)]
pub struct NewCommand<'a> {
    pub id: CommandId,
    /// The order's kind and its whole form, as the protocol spells them.
    pub kind: &'a str,
    pub payload: Value,
    pub created_by: &'a str,
    pub created_at: DateTime<Utc>,
}

/// The caller renews the agent's desired state after it: that one carries the command first.
pub async fn insert(tx: &mut WriteTx, agent: AgentId, command: NewCommand<'_>) -> Result<()> {
    let (desired,): (i64,) =
        fetch_one!(tx, (i64,), "select desired_version from agents where msp_id = $1 and id = $2", agent.uuid())?;
    execute!(
        tx,
        "insert into commands (msp_id, id, agent_id, kind, payload, created_by, created_at, first_in)
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
        command.id.uuid(),
        agent.uuid(),
        command.kind,
        Json(command.payload),
        command.created_by,
        command.created_at,
        desired + 1,
    )?
    .exactly(1)
}

/// The kind of order that is large: each names up to some thousand people.
pub const CONFIRM: &str = "confirm";

/// As many as a desired state may well carry, oldest first: the newest of the small ones, so that none which an agent never
/// reports done keeps a newer one out, and the oldest few of the large ones, whose turn comes one after another.
pub async fn list_open(tx: &mut Tx, agent: AgentId) -> Result<Vec<Command>> {
    let mut open: Vec<Command> = fetch_all!(
        tx,
        Command,
        "select id, kind, payload, created_by, created_at, first_in
         from commands
         where msp_id = $1 and agent_id = $2 and done_at is null and kind <> $3
         order by id desc
         limit 20",
        agent.uuid(),
        CONFIRM,
    )?;
    let large: Vec<Command> = fetch_all!(
        tx,
        Command,
        "select id, kind, payload, created_by, created_at, first_in
         from commands
         where msp_id = $1 and agent_id = $2 and done_at is null and kind = $3
         order by id
         limit 3",
        agent.uuid(),
        CONFIRM,
    )?;
    open.extend(large);
    open.sort_by_key(|command| command.id);
    Ok(open)
}

/// All that wait of one kind.
pub async fn list_open_of_kind(tx: &mut Tx, scope: &AgentScope, kind: &str) -> Result<Vec<Command>> {
    fetch_all!(
        tx,
        Command,
        "select id, kind, payload, created_by, created_at, first_in
         from commands
         where msp_id = $1 and agent_id = $2 and done_at is null and kind = $3
         order by id
         limit 1000",
        scope.agent().uuid(),
        kind,
    )
}

/// Whether this agent was given this very order and has not reported it done.
pub async fn is_open(tx: &mut Tx, scope: &AgentScope, id: CommandId, order: &Value) -> Result<bool> {
    let given: Option<(Json<Value>,)> = fetch_optional!(
        tx,
        (Json<Value>,),
        "select payload
         from commands
         where msp_id = $1 and agent_id = $2 and id = $3 and done_at is null",
        scope.agent().uuid(),
        id.uuid(),
    )?;
    Ok(given.is_some_and(|(given,)| given.0 == *order))
}

/// Commands of other agents, and those already done, are left as they are. Where one is done and more wait, the desired
/// state is renewed: what did not fit into the last one comes with the next.
pub async fn mark_done(tx: &mut WriteTx, scope: &AgentScope, ids: &[Uuid], now: DateTime<Utc>) -> Result<()> {
    let mut done = 0;
    for id in ids.iter().take(100) {
        done += execute!(
            tx,
            "update commands set done_at = $4 where msp_id = $1 and agent_id = $2 and id = $3 and done_at is null",
            scope.agent().uuid(),
            *id,
            now,
        )?
        .count();
    }
    if done > 0 && !list_open(tx, scope.agent()).await?.is_empty() {
        agents::renew_desired(tx, scope).await?;
    }
    Ok(())
}
