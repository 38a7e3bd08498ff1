//! The directories that somebody imports from, each with its own readings: the worst of them is the state of the customer.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use rollcall_domain::health::{self, Trouble};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::{Overview, placeholders, trouble_of};
use crate::{Result, Tx};

#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Watched {
    customer_id: Uuid,
    /// The agent that reads it.
    pub seen_at: Option<DateTime<Utc>>,
    pub last_good_run_at: Option<DateTime<Utc>>,
    /// Since when an import has been wanted: the oldest that was never paused since it was made, one that was since the end
    /// of its pause, whether or not that has come.
    pub wanted_since: Option<DateTime<Utc>>,
    pub last_result: Option<String>,
    pub last_code: Option<String>,
    pub last_run_at: Option<DateTime<Utc>>,
}

impl Watched {
    pub(super) const fn facts(&self) -> health::Watched {
        health::Watched {
            seen_at: self.seen_at,
            last_good_run_at: self.last_good_run_at,
            wanted_since: self.wanted_since,
        }
    }

    pub(super) fn trouble(&self) -> Option<Trouble> {
        trouble_of(self.last_result.as_deref(), self.last_code.as_deref(), self.last_run_at)
    }
}

/// The newest run is that of the agent: a reading of a foreign domain belongs to no directory, and is trouble of the one it
/// should have been.
const WATCHED: &str = "
    select d.customer_id, a.last_seen_at as seen_at,
        (select r.finished_at from runs r
            where r.msp_id = d.msp_id and r.directory_id = d.id and r.result in ('ok', 'partial')
            order by r.id desc limit 1) as last_good_run_at,
        (select min(case when i.paused_at is null then i.created_at else i.paused_until end) from imports i
            where i.msp_id = d.msp_id and i.directory_id = d.id and i.deleted_at is null) as wanted_since,
        r.result as last_result, r.reason_code as last_code, r.finished_at as last_run_at
    from directories d
    join agents a on a.msp_id = d.msp_id and a.id = d.agent_id
    left join runs r on r.msp_id = d.msp_id and r.id = (
        select newest.id from runs newest
        where newest.msp_id = d.msp_id and newest.agent_id = d.agent_id
        order by newest.id desc limit 1)
    where d.msp_id = $1
        and a.state <> 'revoked'
        and exists (select 1 from imports i
            where i.msp_id = d.msp_id and i.directory_id = d.id and i.deleted_at is null)";

/// Puts to each customer its directories.
pub(super) async fn fill(tx: &mut Tx, customers: &mut [Overview]) -> Result<()> {
    if customers.is_empty() {
        return Ok(());
    }
    let sql =
        format!("{WATCHED} and d.customer_id in ({}) order by d.customer_id, d.id", placeholders(2, customers.len()));
    let msp = tx.msp().uuid();
    let rows: Vec<Watched> = either!(&mut tx.inner, c => {
        let mut query = sqlx::query_as::<_, Watched>(AssertSqlSafe(sql)).bind(msp);
        for overview in &*customers {
            query = query.bind(overview.customer.id.uuid());
        }
        query.fetch_all(c)
    })?;
    let mut of: HashMap<Uuid, Vec<Watched>> = HashMap::new();
    for row in rows {
        of.entry(row.customer_id).or_default().push(row);
    }
    for overview in customers {
        overview.directories = of.remove(&overview.customer.id.uuid()).unwrap_or_default();
    }
    Ok(())
}
