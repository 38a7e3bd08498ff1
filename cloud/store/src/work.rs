//! The jobs of one tenant as its people see them: how many wait, and which were given up.

use chrono::{DateTime, Utc};
use rollcall_domain::ids::JobId;
use uuid::Uuid;

use crate::{
    Result, Tx, WriteTx,
    live::{Event, Topic},
};

#[derive(Debug, Clone, Copy, Default)]
pub struct Standing {
    pub ready: i64,
    pub running: i64,
    pub dead: i64,
    pub oldest_due: Option<DateTime<Utc>>,
}

pub async fn count(tx: &mut Tx, now: DateTime<Utc>) -> Result<Standing> {
    let rows: Vec<(String, i64)> =
        fetch_all!(tx, (String, i64), "select state, count(*) from jobs where msp_id = $1 group by state")?;
    let of = |wanted: &str| rows.iter().find(|(state, _)| state == wanted).map_or(0, |(_, count)| *count);
    let oldest: Option<(DateTime<Utc>,)> = fetch_optional!(
        tx,
        (DateTime<Utc>,),
        "select due_at from jobs where msp_id = $1 and state = 'ready' and due_at <= $2 order by due_at limit 1",
        now,
    )?;
    Ok(Standing { ready: of("ready"), running: of("running"), dead: of("dead"), oldest_due: oldest.map(|(due,)| due) })
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
