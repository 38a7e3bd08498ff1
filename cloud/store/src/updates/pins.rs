//! Pins: customers that stay at one version, or go straight to it.

use chrono::{DateTime, Utc};
use rollcall_domain::ids::CustomerId;
use uuid::Uuid;

use crate::{CustomerScope, MspScope, Result, Tx, WriteTx};

/// A customer that stays at, or goes straight to, one version.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Pin {
    #[sqlx(try_from = "Uuid")]
    pub customer_id: CustomerId,
    pub version: String,
    pub pinned_by: String,
    pub pinned_at: DateTime<Utc>,
}

pub async fn find(tx: &mut Tx, customer: &CustomerScope) -> Result<Option<Pin>> {
    fetch_optional!(
        tx,
        Pin,
        "select customer_id, version, pinned_by, pinned_at from update_pins where msp_id = $1 and customer_id = $2",
        customer.customer().uuid(),
    )
}

/// Within the reach of this scope.
pub async fn list(tx: &mut Tx, msp: &MspScope) -> Result<Vec<Pin>> {
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
