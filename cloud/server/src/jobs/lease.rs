//! Keeps a job's lease while it runs; a worker that died keeps nothing.

use std::time::Duration;

use chrono::TimeDelta;
use rollcall_store::{JobScope, StoreError, jobs};

use crate::state::AppState;

pub const LEASE: TimeDelta = TimeDelta::seconds(60);
const RENEW_EVERY: Duration = Duration::from_secs(20);

/// Renews until the lease is lost. On SQLite it waits while the job itself holds the only writer, which is as good.
pub async fn keep(state: &AppState, scope: &JobScope) {
    loop {
        tokio::time::sleep(RENEW_EVERY).await;
        match renew(state, scope).await {
            Ok(true) => {}
            Ok(false) => return std::future::pending().await,
            Err(error) => tracing::warn!(%error, job = %scope.job(), "a lease could not be renewed"),
        }
    }
}

async fn renew(state: &AppState, scope: &JobScope) -> Result<bool, StoreError> {
    let mut tx = state.db.write(scope).await?;
    let kept = jobs::renew(&mut tx, scope, state.now() + LEASE).await?;
    tx.commit().await?;
    Ok(kept)
}
