//! Throws support bundles away when their week is over, whether or not anybody asks for another one.

use rollcall_store::{JobScope, StoreError, bundles, jobs};

use crate::state::AppState;

pub async fn run(state: &AppState, job: &JobScope) -> Result<(), StoreError> {
    let mut tx = state.db.write(job).await?;
    bundles::delete_expired(&mut tx, state.now()).await?;
    jobs::finish(&mut tx, job).await?;
    tx.commit().await
}
