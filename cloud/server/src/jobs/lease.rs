//! Keeps a job's lease while it runs; a worker that died keeps nothing.

use std::{convert::Infallible, time::Duration};

use rollcall_domain::job::LEASE;
use rollcall_store::{JobScope, StoreError, jobs};

use crate::state::AppState;

const RENEW_EVERY: Duration = Duration::from_secs(20);

/// Renews for as long as the job runs. One whose lease was lost runs on to its end, where the fence refuses what it did:
/// to cut it off would forget what it may just have sent. On SQLite this waits while the job holds the only writer, which
/// is as good.
pub async fn keep(state: &AppState, scope: &JobScope) -> Infallible {
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
