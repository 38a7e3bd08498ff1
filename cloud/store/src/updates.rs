//! Updates of agents: rollouts, what became of each agent's update, pins of customers and the window of an MSP.

use chrono::{DateTime, Utc};
use rollcall_domain::{
    ids::{AgentId, CustomerId},
    rollout::{Ring, RolloutState, Tally, UpdateState, Window},
};
use uuid::Uuid;

use crate::{
    AgentScope, CustomerScope, MspScope, Result, Tx, WriteTx,
    live::{Event, Topic},
};

/// How far one version has gone.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Rollout {
    pub version: String,
    #[sqlx(try_from = "String")]
    pub ring: Ring,
    pub ring_since: DateTime<Utc>,
    pub cutoff: i64,
    #[sqlx(try_from = "String")]
    pub state: RolloutState,
    pub reason: Option<String>,
    pub forgiven: i64,
    pub begun_at: DateTime<Utc>,
    pub looked_at: DateTime<Utc>,
}

macro_rules! columns {
    () => {
        "version, ring, ring_since, cutoff, state, reason, forgiven, begun_at, looked_at"
    };
}

pub async fn find(tx: &mut Tx, version: &str) -> Result<Option<Rollout>> {
    fetch_optional!(
        tx,
        Rollout,
        concat!("select ", columns!(), " from rollouts where msp_id = $1 and version = $2"),
        version,
    )
}

/// Newest first.
pub async fn list(tx: &mut Tx) -> Result<Vec<Rollout>> {
    fetch_all!(
        tx,
        Rollout,
        concat!("select ", columns!(), " from rollouts where msp_id = $1 order by begun_at desc limit 20")
    )
}

/// Begins it, or writes what was decided about it, unless somebody decided meanwhile: `before` is when it was last
/// looked at as far as the caller knows.
pub async fn save(tx: &mut WriteTx, rollout: &Rollout, before: DateTime<Utc>) -> Result<bool> {
    let changed = execute!(
        tx,
        "insert into rollouts
             (msp_id, version, ring, ring_since, cutoff, state, reason, forgiven, begun_at, looked_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
         on conflict (msp_id, version) do update
         set ring = excluded.ring, ring_since = excluded.ring_since, cutoff = excluded.cutoff, state = excluded.state,
             reason = excluded.reason, forgiven = excluded.forgiven, looked_at = excluded.looked_at
         where rollouts.looked_at = $11",
        rollout.version.as_str(),
        rollout.ring.as_str(),
        rollout.ring_since,
        rollout.cutoff,
        rollout.state.as_str(),
        rollout.reason.as_deref(),
        rollout.forgiven,
        rollout.begun_at,
        rollout.looked_at,
        before,
    )?;
    Ok(changed.any())
}

/// An agent that a ring may be made of: it works, and its customer is not pinned.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Candidate {
    pub id: Uuid,
    pub version: String,
}

/// Agents that were heard of since then.
pub async fn list_candidates(tx: &mut Tx, heard_since: DateTime<Utc>) -> Result<Vec<Candidate>> {
    fetch_all!(
        tx,
        Candidate,
        "select a.id, a.version
         from agents a
         where a.msp_id = $1
             and a.state in ('active', 'standby')
             and a.last_seen_at >= $2
             and not exists (
                 select 1 from update_pins p where p.msp_id = a.msp_id and p.customer_id = a.customer_id)
         limit 100000",
        heard_since,
    )
}

/// From when on an agent counts as silent.
#[derive(Debug, Clone, Copy)]
pub struct Silence {
    pub offered_before: DateTime<Utc>,
    pub heard_before: DateTime<Utc>,
}

/// What became of those who were asked to run this version.
pub async fn count(tx: &mut Tx, version: &str, silence: Silence) -> Result<Tally> {
    let (asked, updated, taken_back, silent): (i64, i64, i64, i64) = fetch_one!(
        tx,
        (i64, i64, i64, i64),
        "select count(*),
             count(case when u.state = 'updated' and a.last_seen_at >= $4 then 1 end),
             count(case when u.state = 'taken_back' then 1 end),
             count(case when (u.state = 'offered' and u.offered_at < $3 and a.last_seen_at < $4)
                 or (u.state = 'updated' and a.last_seen_at < $4) then 1 end)
         from agent_updates u
         join agents a on a.msp_id = u.msp_id and a.id = u.agent_id
         where u.msp_id = $1 and u.version = $2 and a.state in ('active', 'standby')",
        version,
        silence.offered_before,
        silence.heard_before,
    )?;
    Ok(Tally { asked, updated, taken_back, silent, forgiven: 0 })
}

/// One agent's update.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct AgentUpdate {
    pub version: String,
    #[sqlx(try_from = "String")]
    pub state: UpdateState,
    pub offered_at: DateTime<Utc>,
    pub settled_at: Option<DateTime<Utc>>,
    pub detail: Option<String>,
}

/// The last one that this agent was asked for.
pub async fn find_of_agent(tx: &mut Tx, agent: AgentId) -> Result<Option<AgentUpdate>> {
    fetch_optional!(
        tx,
        AgentUpdate,
        "select version, state, offered_at, settled_at, detail
         from agent_updates
         where msp_id = $1 and agent_id = $2
         order by offered_at desc, version desc
         limit 1",
        agent.uuid(),
    )
}

/// Asks; `false` when it was asked before.
pub async fn offer(tx: &mut WriteTx, scope: &AgentScope, version: &str, now: DateTime<Utc>) -> Result<bool> {
    let changed = execute!(
        tx,
        "insert into agent_updates (msp_id, agent_id, version, state, offered_at)
         values ($1, $2, $3, 'offered', $4)
         on conflict (msp_id, agent_id, version) do nothing",
        scope.agent().uuid(),
        version,
        now,
    )?;
    Ok(changed.any())
}

/// What became of it; `false` when that was known.
pub async fn settle(
    tx: &mut WriteTx,
    scope: &AgentScope,
    version: &str,
    state: UpdateState,
    detail: Option<&str>,
    now: DateTime<Utc>,
) -> Result<bool> {
    let changed = execute!(
        tx,
        "update agent_updates set state = $4, settled_at = $5, detail = $6
         where msp_id = $1 and agent_id = $2 and version = $3 and state <> $4",
        scope.agent().uuid(),
        version,
        state.as_str(),
        now,
        detail,
    )?;
    Ok(changed.any())
}

/// Whoever was asked for this version and has not answered is told anew what is wanted, which may be nothing.
pub async fn renew_desired_of_asked(tx: &mut WriteTx, version: &str) -> Result<()> {
    let agents: Vec<(Uuid, Uuid)> = fetch_all!(
        tx,
        (Uuid, Uuid),
        "update agents
         set desired_version = desired_version + 1
         where msp_id = $1 and state <> 'revoked' and id in (
             select agent_id
             from agent_updates
             where msp_id = $1 and version = $2 and state in ('offered', 'refused'))
         returning id, customer_id",
        version,
    )?;
    for (agent, customer) in agents {
        let event = Event::of(tx.msp(), Topic::Desired).customer(customer.into()).agent(agent.into());
        tx.tell(event);
    }
    Ok(())
}

/// After a person said go on: whoever went back or gave no answer is asked once more.
pub async fn ask_again(tx: &mut WriteTx, _whole: &MspScope, version: &str, now: DateTime<Utc>) -> Result<()> {
    execute!(
        tx,
        "update agent_updates set state = 'offered', offered_at = $3, settled_at = null, detail = null
         where msp_id = $1 and version = $2 and state <> 'updated'",
        version,
        now,
    )?
    .count();
    Ok(())
}

/// How many agents run which version.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Running {
    pub version: String,
    pub agents: i64,
}

pub async fn count_versions(tx: &mut Tx) -> Result<Vec<Running>> {
    fetch_all!(
        tx,
        Running,
        "select version, count(*) as agents
         from agents
         where msp_id = $1 and state <> 'revoked'
         group by version
         order by agents desc, version desc
         limit 50"
    )
}

/// An agent whose update did not come through.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Failure {
    #[sqlx(try_from = "Uuid")]
    pub agent_id: AgentId,
    #[sqlx(try_from = "Uuid")]
    pub customer_id: CustomerId,
    pub hostname: String,
    pub version: String,
    #[sqlx(try_from = "String")]
    pub state: UpdateState,
    pub settled_at: Option<DateTime<Utc>>,
    pub detail: Option<String>,
}

/// Newest first, within the reach of this scope.
pub async fn list_failures(tx: &mut Tx, msp: &MspScope) -> Result<Vec<Failure>> {
    let failures = fetch_all!(
        tx,
        Failure,
        "select u.agent_id, a.customer_id, a.hostname, u.version, u.state, u.settled_at, u.detail
         from agent_updates u
         join agents a on a.msp_id = u.msp_id and a.id = u.agent_id
         where u.msp_id = $1 and u.state in ('taken_back', 'refused') and a.state <> 'revoked'
         order by u.settled_at desc
         limit 500"
    )?;
    Ok(failures.into_iter().filter(|failure: &Failure| msp.reach().covers(failure.customer_id)).collect())
}

/// A customer that stays at, or goes straight to, one version.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Pin {
    #[sqlx(try_from = "Uuid")]
    pub customer_id: CustomerId,
    pub version: String,
    pub pinned_by: String,
    pub pinned_at: DateTime<Utc>,
}

pub async fn find_pin(tx: &mut Tx, customer: &CustomerScope) -> Result<Option<Pin>> {
    fetch_optional!(
        tx,
        Pin,
        "select customer_id, version, pinned_by, pinned_at from update_pins where msp_id = $1 and customer_id = $2",
        customer.customer().uuid(),
    )
}

/// Within the reach of this scope.
pub async fn list_pins(tx: &mut Tx, msp: &MspScope) -> Result<Vec<Pin>> {
    let pins = fetch_all!(
        tx,
        Pin,
        "select customer_id, version, pinned_by, pinned_at
         from update_pins
         where msp_id = $1
         order by pinned_at desc
         limit 1000"
    )?;
    Ok(pins.into_iter().filter(|pin: &Pin| msp.reach().covers(pin.customer_id)).collect())
}

pub async fn pin(
    tx: &mut WriteTx,
    customer: &CustomerScope,
    version: &str,
    by: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    execute!(
        tx,
        "insert into update_pins (msp_id, customer_id, version, pinned_by, pinned_at)
         values ($1, $2, $3, $4, $5)
         on conflict (msp_id, customer_id) do update
         set version = excluded.version, pinned_by = excluded.pinned_by, pinned_at = excluded.pinned_at",
        customer.customer().uuid(),
        version,
        by,
        now,
    )?
    .exactly(1)
}

pub async fn unpin(tx: &mut WriteTx, customer: &CustomerScope) -> Result<()> {
    execute!(tx, "delete from update_pins where msp_id = $1 and customer_id = $2", customer.customer().uuid(),)?
        .count();
    Ok(())
}

/// `None`: at any hour.
pub async fn find_window(tx: &mut Tx) -> Result<Option<Window>> {
    let found: Option<(i64, i64)> =
        fetch_optional!(tx, (i64, i64), "select from_minute, to_minute from update_windows where msp_id = $1")?;
    Ok(found.and_then(|(from, to)| Window::of_minutes(u32::try_from(from).ok()?, u32::try_from(to).ok()?).ok()))
}

pub async fn set_window(
    tx: &mut WriteTx,
    _whole: &MspScope,
    window: Option<Window>,
    by: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    execute!(tx, "delete from update_windows where msp_id = $1")?.count();
    let Some(window) = window else { return Ok(()) };
    let (from, to) = window.minutes();
    execute!(
        tx,
        "insert into update_windows (msp_id, from_minute, to_minute, set_by, set_at) values ($1, $2, $3, $4, $5)",
        i64::from(from),
        i64::from(to),
        by,
        now,
    )?
    .exactly(1)
}
