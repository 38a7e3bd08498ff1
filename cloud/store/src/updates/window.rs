//! The hours of the day in which an MSP's agents may be asked.

use chrono::{DateTime, Utc};
use rollcall_domain::rollout::Window;

use crate::{MspScope, Result, Tx, WriteTx};

/// `None`: at any hour.
pub async fn find(tx: &mut Tx) -> Result<Option<Window>> {
    let found: Option<(i64, i64)> =
        fetch_optional!(tx, (i64, i64), "select from_minute, to_minute from update_windows where msp_id = $1")?;
    Ok(found.and_then(|(from, to)| Window::of_minutes(u32::try_from(from).ok()?, u32::try_from(to).ok()?).ok()))
}

pub async fn set(
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
