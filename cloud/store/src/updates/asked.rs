//! What became of each agent that was asked to run a version, and who can be asked.

use chrono::{DateTime, Utc};
use rollcall_domain::{
    ids::{AgentId, CustomerId},
    role::Reach,
    rollout::{Asked, Bounds, Ring, Standing, Tally, UpdateState},
};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::rollouts::Rollout;
use crate::{
    AgentScope, CustomerScope, MspScope, Result, Tx, WriteTx,
    customers::placeholders,
    live::{Event, Topic},
};

/// An agent that a ring may be made of: it works, was heard of lately, and its customer is not pinned.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Candidate {
    pub id: Uuid,
    pub version: String,
    pub is_asked: bool,
}

pub async fn list_candidates(
    tx: &mut Tx,
    version: &str,
    platform: &str,
    heard_since: DateTime<Utc>,
) -> Result<Vec<Candidate>> {
    fetch_all!(
        tx,
        Candidate,
        "select a.id, a.version, exists (
             select 1
             from agent_updates u
             where u.msp_id = a.msp_id and u.agent_id = a.id and u.version = $2) as is_asked
         from agents a
         where a.msp_id = $1
             and a.platform = $3
             and a.state in ('active', 'standby')
             and a.last_seen_at >= $4
             and not exists (
                 select 1 from update_pins p where p.msp_id = a.msp_id and p.customer_id = a.customer_id)
         limit 100000",
        version,
        platform,
        heard_since,
    )
}

/// Those of a rollout who are alike, or one of them.
#[derive(Debug, sqlx::FromRow)]
struct Alike {
    #[sqlx(try_from = "String")]
    state: UpdateState,
    is_heard: bool,
    is_due: bool,
    is_late: bool,
    is_fresh: bool,
    is_forgiven: bool,
    agents: i64,
}

impl Alike {
    const fn asked(&self) -> Asked {
        Asked {
            state: self.state,
            is_heard: self.is_heard,
            is_due: self.is_due,
            is_late: self.is_late,
            is_fresh: self.is_fresh,
            is_forgiven: self.is_forgiven,
        }
    }
}

macro_rules! facts {
    () => {
        "u.state,
         coalesce(a.last_seen_at >= $4, false) as is_heard,
         u.offered_at < $5 as is_due,
         u.offered_at < $6 as is_late,
         coalesce(u.settled_at >= $7, false) as is_fresh,
         u.forgiven_at is not null as is_forgiven"
    };
}

macro_rules! of_rollout {
    () => {
        " from agent_updates u
         join agents a on a.msp_id = u.msp_id and a.id = u.agent_id
         where u.msp_id = $1
             and u.version = $2
             and a.platform = $3
             and a.state in ('active', 'standby')
             and not exists (
                 select 1 from update_pins p where p.msp_id = a.msp_id and p.customer_id = a.customer_id)"
    };
}

/// Customers that are pinned meanwhile are none of the rollout's business any more.
pub async fn count(tx: &mut Tx, version: &str, platform: &str, bounds: Bounds) -> Result<Tally> {
    let rows = fetch_all!(
        tx,
        Alike,
        concat!("select ", facts!(), ", count(*) as agents", of_rollout!(), " group by 1, 2, 3, 4, 5, 6"),
        version,
        platform,
        bounds.heard_since,
        bounds.due_before,
        bounds.late_before,
        bounds.fresh_since,
    )?;
    let mut tally = Tally::default();
    for row in &rows {
        tally.add(&row.asked(), row.agents);
    }
    Ok(tally)
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

/// Asks an agent that runs an older version; `false` when it was asked before. One that had the version and lost it, as by
/// a restored backup, is asked again, at most once in a soak. So is one that was asked for another version meanwhile, which
/// is wanted no more: the last offer is the one that counts.
pub async fn offer(tx: &mut WriteTx, scope: &AgentScope, version: &str, now: DateTime<Utc>) -> Result<bool> {
    let changed = execute!(
        tx,
        "insert into agent_updates (msp_id, agent_id, version, state, offered_at)
         values ($1, $2, $3, 'offered', $4)
         on conflict (msp_id, agent_id, version) do update
         set state = 'offered', offered_at = excluded.offered_at, settled_at = null, detail = null
         where (agent_updates.state = 'updated' and agent_updates.settled_at < $5)
             or (agent_updates.state in ('offered', 'refused') and exists (
                 select 1 from agent_updates later
                 where later.msp_id = agent_updates.msp_id and later.agent_id = agent_updates.agent_id
                     and later.version <> agent_updates.version and later.offered_at > agent_updates.offered_at))",
        scope.agent().uuid(),
        version,
        now,
        now - Ring::SOAK,
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

/// Whoever was asked for this version and does not run it is told anew what is wanted, which may be nothing. Before
/// anything is written to their updates: an agent that checks in takes the two in this order too.
pub async fn renew_desired(tx: &mut WriteTx, version: &str, platform: &str) -> Result<()> {
    hold!(tx, "select id from agents where msp_id = $1 and platform = $2 order by id", platform)?;
    let agents: Vec<(Uuid, Uuid)> = fetch_all!(
        tx,
        (Uuid, Uuid),
        "update agents
         set desired_version = desired_version + 1
         where msp_id = $1 and platform = $3 and state <> 'revoked' and id in (
             select agent_id from agent_updates where msp_id = $1 and version = $2 and state <> 'updated')
         returning id, customer_id",
        version,
        platform,
    )?;
    for (agent, customer) in agents {
        let event = Event::of(tx.msp(), Topic::Desired).customer(customer.into()).agent(agent.into());
        tx.tell(event);
    }
    Ok(())
}

#[derive(Debug, sqlx::FromRow)]
struct Failed {
    agent_id: Uuid,
    #[sqlx(flatten)]
    facts: Alike,
}

/// After a person said go on: those who failed are forgiven, and whoever does not run the version is asked once more.
pub async fn forgive(tx: &mut WriteTx, _whole: &MspScope, rollout: &Rollout, now: DateTime<Utc>) -> Result<()> {
    let bounds = Bounds::at(now);
    let rows = fetch_all!(
        tx,
        Failed,
        concat!("select u.agent_id, ", facts!(), ", cast(1 as bigint) as agents", of_rollout!()),
        rollout.version.as_str(),
        rollout.platform.as_str(),
        bounds.heard_since,
        bounds.due_before,
        bounds.late_before,
        bounds.fresh_since,
    )?;
    for row in rows {
        match row.facts.asked().standing() {
            Standing::TakenBack | Standing::Silent => {}
            Standing::Through | Standing::Trying | Standing::Open | Standing::LeftBehind => continue,
        }
        execute!(
            tx,
            "update agent_updates set forgiven_at = $4 where msp_id = $1 and agent_id = $2 and version = $3",
            row.agent_id,
            rollout.version.as_str(),
            now,
        )?
        .exactly(1)?;
    }
    execute!(
        tx,
        "update agent_updates set state = 'offered', offered_at = $4, settled_at = null, detail = null
         where msp_id = $1 and version = $2 and state <> 'updated' and agent_id in (
             select id from agents where msp_id = $1 and platform = $3)",
        rollout.version.as_str(),
        rollout.platform.as_str(),
        now,
    )?
    .count();
    Ok(())
}

/// Agents of a customer that would not take a version, or went back from it, are asked for it once more.
pub async fn ask_customer_again(
    tx: &mut WriteTx,
    customer: &CustomerScope,
    version: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    execute!(
        tx,
        "update agent_updates set state = 'offered', offered_at = $4, settled_at = null, detail = null
         where msp_id = $1 and version = $3 and state in ('refused', 'taken_back') and agent_id in (
             select id from agents where msp_id = $1 and customer_id = $2)",
        customer.customer().uuid(),
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

#[derive(Debug, sqlx::FromRow)]
struct RunningAt {
    #[sqlx(try_from = "Uuid")]
    customer_id: CustomerId,
    version: String,
    agents: i64,
}

/// Within the reach of this scope, the most used first.
pub async fn count_versions(tx: &mut Tx, msp: &MspScope) -> Result<Vec<Running>> {
    let rows = fetch_all!(
        tx,
        RunningAt,
        "select customer_id, version, count(*) as agents
         from agents
         where msp_id = $1 and state <> 'revoked'
         group by customer_id, version
         limit 100000"
    )?;
    let mut versions = std::collections::BTreeMap::<String, i64>::new();
    for row in rows.into_iter().filter(|row: &RunningAt| msp.reach().covers(row.customer_id)) {
        *versions.entry(row.version).or_default() += row.agents;
    }
    let mut versions: Vec<Running> =
        versions.into_iter().map(|(version, agents)| Running { version, agents }).collect();
    versions.sort_by_key(|running| std::cmp::Reverse(running.agents));
    versions.truncate(50);
    Ok(versions)
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

/// Newest first, within the reach of this scope: failures at customers that it does not see hide none of those it does.
pub async fn list_failures(tx: &mut Tx, msp: &MspScope) -> Result<Vec<Failure>> {
    let chosen: &[CustomerId] = match msp.reach() {
        Reach::All => &[],
        Reach::Chosen(chosen) if chosen.is_empty() => return Ok(Vec::new()),
        Reach::Chosen(chosen) => chosen,
    };
    let within = if chosen.is_empty() {
        String::new()
    } else {
        format!("and a.customer_id in ({})", placeholders(2, chosen.len()))
    };
    let sql = format!(
        "select u.agent_id, a.customer_id, a.hostname, u.version, u.state, u.settled_at, u.detail
         from agent_updates u
         join agents a on a.msp_id = u.msp_id and a.id = u.agent_id
         where u.msp_id = $1 and u.state in ('taken_back', 'refused') and a.state <> 'revoked' {within}
         order by u.settled_at desc
         limit 500"
    );
    let tenant = tx.msp().uuid();
    either!(&mut tx.inner, c => {
        let mut query = sqlx::query_as::<_, Failure>(AssertSqlSafe(sql)).bind(tenant);
        for customer in chosen {
            query = query.bind(customer.uuid());
        }
        query.fetch_all(c)
    })
}
