//! What agents are answered, line by line of the answer table.

mod enrolment;
mod requests;
mod epochs;
mod keys;
mod standbys;
mod orders;

use rollcall_domain::ids::AgentId;
use rollcall_protocol::{
    answer::Answer,
    checkin::{CheckinResponse, EpochWish},
    key::PrivateKey,
    rotate::RotateResponse,
};
use uuid::Uuid;

use crate::testing::{TestAgent, TestCloud, agent::ask};

const STAFF: Uuid = Uuid::from_u128(0x0f);

pub async fn standing(cloud: &TestCloud, agent: AgentId) -> rollcall_store::agents::Agent {
    let mut tx = cloud.db().read(&cloud.who.scope).await.unwrap();
    rollcall_store::agents::find(&mut tx, &cloud.who.scope, agent).await.unwrap().unwrap().1
}

/// The key the agent signs with introduces this one.
pub async fn introduce(cloud: &TestCloud, agent: &mut TestAgent, new: &PrivateKey) {
    let request = agent.rotate_request(cloud, new);
    assert_eq!(ask(cloud, request).await, Answer::Accepted(RotateResponse { key: new.id() }));
}

pub fn key(seed: u8) -> PrivateKey {
    PrivateKey::from_seed(&[seed; 32])
}

/// What a check-in by this key is answered.
pub async fn check_in_by(cloud: &TestCloud, agent: &mut TestAgent, seed: u8) -> Answer<CheckinResponse> {
    let own = std::mem::replace(&mut agent.key, key(seed));
    let request = agent.checkin_request(cloud, EpochWish::Keep, |_| {});
    agent.key = own;
    ask(cloud, request).await
}
