//! Decides how long what is over is kept, and throws it away: sign-ins, links, tokens, commands, and jobs that were given up.

use chrono::{DateTime, TimeDelta, Utc};
use rollcall_domain::ids::MspId;
use uuid::Uuid;

use crate::{Db, Result, Scope};

/// Sign-ins that ended, and links that were used or not. They open nothing any more, and name an address and a browser.
pub const SIGN_INS: TimeDelta = TimeDelta::days(1);

/// Enrolment tokens after their end, commands after they were done, jobs after they were given up: as long as somebody may ask
/// what became of them. Until then a token that is used once more is known, and told in the audit log.
pub const RECORDS: TimeDelta = TimeDelta::days(90);

/// A tenant whose turn it is. Good for throwing away what is over, and for nothing else.
#[derive(Debug, Clone, Copy)]
pub struct Turn(MspId);

crate::scope::seal!(Turn);

impl Scope for Turn {
    fn msp(&self) -> MspId {
        self.0
    }
}

/// Rows that were thrown away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dropped {
    pub sessions: u64,
    pub links: u64,
    pub tokens: u64,
    pub commands: u64,
    pub jobs: u64,
}

/// Every tenant, each founded under its name.
pub async fn list_tenants(db: &Db) -> Result<Vec<Turn>> {
    let mut tx = db.system_read().await?;
    let rows: Vec<(Uuid,)> = either!(&mut tx.inner, c =>
        sqlx::query_as("select msp_id from keyring where kind = 'msp_name' order by msp_id").fetch_all(c))?;
    Ok(rows.into_iter().map(|(msp,)| Turn(msp.into())).collect())
}

/// Two that do it at once, or again, do no harm.
pub async fn throw_away(db: &Db, turn: Turn, now: DateTime<Utc>) -> Result<Dropped> {
    let mut tx = db.write(&turn).await?;
    let (sign_ins, records) = (now - SIGN_INS, now - RECORDS);
    execute!(
        tx,
        "delete from keyring
         where msp_id = $1 and kind in ('session', 'signin_link')
             and (expires_at <= $2
                 or key_hash in (select id_hash from sessions where msp_id = $1 and expires_at <= $2))",
        sign_ins,
    )?
    .count();
    execute!(
        tx,
        "delete from keyring
         where msp_id = $1 and kind = 'enrol_token' and key_hash in (
             select token_hash
             from enrol_tokens
             where msp_id = $1 and coalesce(used_at, revoked_at, expires_at) <= $2)",
        records,
    )?
    .count();
    let dropped = Dropped {
        sessions: execute!(tx, "delete from sessions where msp_id = $1 and expires_at <= $2", sign_ins)?.count(),
        links: execute!(
            tx,
            "delete from signin_links where msp_id = $1 and coalesce(used_at, expires_at) <= $2",
            sign_ins
        )?
        .count(),
        tokens: execute!(
            tx,
            "delete from enrol_tokens where msp_id = $1 and coalesce(used_at, revoked_at, expires_at) <= $2",
            records,
        )?
        .count(),
        commands: execute!(tx, "delete from commands where msp_id = $1 and done_at <= $2", records)?.count(),
        jobs: execute!(tx, "delete from jobs where msp_id = $1 and state = 'dead' and due_at <= $2", records)?.count(),
    };
    tx.commit().await?;
    Ok(dropped)
}
