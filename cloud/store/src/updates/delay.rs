//! How long after its publication a release reaches an MSP's agents.

use chrono::{DateTime, Utc};
use rollcall_domain::rollout::Delay;

use crate::{MspScope, Result, Tx, WriteTx};

pub async fn find(tx: &mut Tx) -> Result<Delay> {
    let found: Option<(i64,)> = fetch_optional!(tx, (i64,), "select days from update_delays where msp_id = $1")?;
    Ok(found.and_then(|(days,)| Delay::of_days(days).ok()).unwrap_or(Delay::NONE))
}

pub async fn set(tx: &mut WriteTx, _whole: &MspScope, delay: Delay, by: &str, now: DateTime<Utc>) -> Result<()> {
    execute!(
        tx,
        "insert into update_delays (msp_id, days, set_by, set_at)
         values ($1, $2, $3, $4)
         on conflict (msp_id) do update set days = excluded.days, set_by = excluded.set_by, set_at = excluded.set_at",
        i64::from(delay.days()),
        by,
        now,
    )?
    .exactly(1)
}
