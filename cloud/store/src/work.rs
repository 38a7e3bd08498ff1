//! The jobs of one tenant as its people see them: how many wait, how many are planned, and which were given up.

use chrono::{DateTime, Utc};
use rollcall_domain::ids::JobId;
use uuid::Uuid;

use crate::{
    Result, Tx, WriteTx,
    live::{Event, Topic},
};

#[derive(Debug, Clone, Copy, Default)]
pub struct Standing {
    /// Due, and not begun.
    pub ready: i64,
    pub oldest_due: Option<DateTime<Utc>>,
    /// For a later time: another try, or what is thrown away in a week.
    pub planned: i64,
    pub next_planned: Option<DateTime<Utc>>,
    pub running: i64,
    pub dead: i64,
}

/// Jobs that are alike, and when the first of them is due.
#[derive(Debug, sqlx::FromRow)]
struct Alike {
    state: String,
    is_planned: bool,
    jobs: i64,
    first_due: DateTime<Utc>,
}

pub async fn count(tx: &mut Tx, now: DateTime<Utc>) -> Result<Standing> {
    let rows = fetch_all!(
        tx,
        Alike,
        "select state, due_at > $2 as is_planned, count(*) as jobs, min(due_at) as first_due
         from jobs
         where msp_id = $1
         group by 1, 2",
        now,
    )?;
    let sum = |state: &str| rows.iter().filter(|row| row.state == state).map(|row| row.jobs).sum();
    let due = rows.iter().find(|row| row.state == "ready" && !row.is_planned);
    let planned = rows.iter().find(|row| row.state == "ready" && row.is_planned);
    Ok(Standing {
        ready: due.map_or(0, |row| row.jobs),
        oldest_due: due.map(|row| row.first_due),
        planned: planned.map_or(0, |row| row.jobs),
        next_planned: planned.map(|row| row.first_due),
        running: sum("running"),
        dead: sum("dead"),
    })
}

/// A job that failed so often that a human decides.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Dead {
    #[sqlx(try_from = "Uuid")]
    pub id: JobId,
    pub kind: String,
    pub due_at: DateTime<Utc>,
    pub last_error: Option<String>,
}

pub async fn list_dead(tx: &mut Tx, limit: i64) -> Result<Vec<Dead>> {
    fetch_all!(
        tx,
        Dead,
        "select id, kind, due_at, last_error from jobs where msp_id = $1 and state = 'dead' order by id desc limit $2",
        limit,
    )
}

/// Puts a job back into the queue with all its tries. False if it was not given up.
pub async fn revive(tx: &mut WriteTx, id: JobId, now: DateTime<Utc>) -> Result<bool> {
    let changed = execute!(
        tx,
        "update jobs
         set state = 'ready', attempts = 0, due_at = $3, lease_until = null
         where msp_id = $1 and id = $2 and state = 'dead'",
        id.uuid(),
        now,
    )?;
    let event = Event::of(tx.msp(), Topic::Job);
    tx.tell(event);
    Ok(changed.any())
}
