//! Key rotation: the old key introduces the new one, and the new one agrees.

use crate::jws::{self, JwsError, Kind, Unverified};
use crate::key::{KeyId, PrivateKey, PublicKey};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Body of `POST /agent/v1/rotate`, plain JSON. The request is signed by the old key; `consent` by the new one, so that
/// nobody can introduce a key they do not hold. Both keys hold until the agent works with the new one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RotateRequest {
    pub new_key: PublicKey,
    pub consent: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Consent {
    agent: Uuid,
    old_key: KeyId,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RotateResponse {
    pub key: KeyId,
}

impl RotateRequest {
    pub fn new(agent: Uuid, old_key: KeyId, new_key: &PrivateKey) -> Result<Self, JwsError> {
        let consent = jws::sign(Kind::NewKey, new_key, &Consent { agent, old_key })?;
        Ok(Self { new_key: new_key.public(), consent })
    }

    /// Whether the new key's holder agrees to stand for this agent after this old key.
    pub fn check(&self, agent: Uuid, old_key: KeyId) -> Result<(), JwsError> {
        let consent: Consent = Unverified::parse(&self.consent)?.verify(Kind::NewKey, &self.new_key)?;
        if consent == (Consent { agent, old_key }) { Ok(()) } else { Err(JwsError::BadClaims) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_taken_only_with_its_holders_consent_for_this_very_change() {
        let (old, new) = (PrivateKey::from_seed(&[1; 32]), PrivateKey::from_seed(&[2; 32]));
        let agent = Uuid::from_u128(1);
        let request = RotateRequest::new(agent, old.id(), &new).unwrap();
        assert_eq!(request.check(agent, old.id()), Ok(()));
        assert_eq!(request.check(Uuid::from_u128(2), old.id()), Err(JwsError::BadClaims));
        assert_eq!(request.check(agent, new.id()), Err(JwsError::BadClaims));
        let stolen = RotateRequest { new_key: old.public(), ..request };
        assert_eq!(stolen.check(agent, old.id()), Err(JwsError::WrongKey));
    }
}
