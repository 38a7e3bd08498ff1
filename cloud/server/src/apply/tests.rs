//! What a cycle does to the accounts, told from the outside: an agent sends, the cloud shows.

mod people;
mod holds;
mod snapshots;
mod ended;
mod batches;
mod standing;

use rollcall_domain::ids::ImportId;
use uuid::Uuid;

use crate::testing::{TestAgent, TestCloud};

const STAFF: Uuid = Uuid::from_u128(0x0f);

/// A cloud with an agent and an import of the staff OU.
async fn set_up(cloud: &TestCloud) -> (TestAgent, ImportId) {
    let agent = TestAgent::enrol(cloud, 1).await;
    let import = cloud.import(STAFF).await;
    (agent, import)
}
