//! Decides when an agent believes that it was revoked: only on its own cloud's signature, never on a proxy's word.
//!
//! A revoked agent wipes what it knows and cannot come back by itself, so this is the one refusal that is proved.

use crate::jws::{self, JwsError, Kind, Unverified};
use crate::key::{PrivateKey, PublicKey};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Revocation {
    pub cloud: Uuid,
    pub agent: Uuid,
}

impl Revocation {
    pub fn sign(&self, key: &PrivateKey) -> Result<String, JwsError> {
        jws::sign(Kind::Revoked, key, self)
    }

    /// Whether the cloud that holds this key says it of this very agent.
    pub fn is_proved_by(&self, proof: &str, cloud_key: &PublicKey) -> bool {
        let said = Unverified::parse(proof).and_then(|jws| jws.verify::<Self>(Kind::Revoked, cloud_key));
        said.is_ok_and(|said| said == *self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_believes_its_own_cloud_and_nobody_else() {
        let (cloud, proxy) = (PrivateKey::from_seed(&[1; 32]), PrivateKey::from_seed(&[2; 32]));
        let own = Revocation { cloud: Uuid::from_u128(1), agent: Uuid::from_u128(2) };
        let other = Revocation { agent: Uuid::from_u128(3), ..own.clone() };

        assert!(own.is_proved_by(&own.sign(&cloud).unwrap(), &cloud.public()));
        assert!(!own.is_proved_by(&own.sign(&proxy).unwrap(), &cloud.public()));
        assert!(!own.is_proved_by(&other.sign(&cloud).unwrap(), &cloud.public()));
        assert!(!own.is_proved_by("", &cloud.public()));
    }
}
