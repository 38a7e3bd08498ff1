//! Enrolment: what a one-time token says, what a new agent sends, and what it gets back.

use crate::chain::Epoch;
use crate::hash::Hash;
use crate::jws::{self, JwsError, Kind, Unverified};
use crate::key::{PrivateKey, PublicKey};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What the portal's one-time token says. Only the SHA-256 of the whole token is stored by the cloud.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnrolToken {
    /// The cloud's stable id.
    pub iss: Uuid,
    /// Where the cloud is: scheme, host and port, no trailing slash.
    pub url: String,
    pub customer: Uuid,
    /// At least 128 random bits in base64url: it makes the token unguessable and takes the place of a server nonce.
    pub jti: String,
    /// Last second of its life, since 1970.
    pub exp: i64,
}

impl EnrolToken {
    pub fn sign(&self, key: &PrivateKey) -> Result<String, JwsError> {
        jws::sign(Kind::Token, key, self)
    }

    /// Reads a token before the cloud's key is known, to learn where to go. See [`Unverified::peek`].
    pub fn peek(token: &str) -> Result<Self, JwsError> {
        let statement = Unverified::parse(token)?;
        if statement.kind() != Kind::Token {
            return Err(JwsError::WrongKind);
        }
        statement.peek()
    }

    pub fn verify(token: &str, key: &PublicKey) -> Result<Self, JwsError> {
        Unverified::parse(token)?.verify(Kind::Token, key)
    }

    pub const fn is_expired(&self, now: DateTime<Utc>) -> bool {
        now.timestamp() > self.exp
    }
}

/// What an enrolment adds to its request claims. The request is signed by the new key, which proves possession.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnrolLink {
    pub token_sha256: Hash,
}

/// Body of `POST /agent/v1/enroll`, plain JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnrolRequest {
    pub token: String,
    pub public_key: PublicKey,
    pub machine: MachineFacts,
}

/// Hints for people ("replace agent X?"), never identity: none of them is unique on cloned machines.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MachineFacts {
    pub host: String,
    pub os: String,
    pub agent_version: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine_id: Option<String>,
}

/// Answer to an enrolment. The agent pins `cloud` and `cloud_key`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnrolResponse {
    pub agent: Uuid,
    pub cloud: Uuid,
    pub cloud_key: PublicKey,
    pub msp: String,
    pub customer: String,
    pub epoch: Epoch,
    pub server_time: DateTime<Utc>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token() -> EnrolToken {
        EnrolToken {
            iss: Uuid::from_u128(1),
            url: "https://rollcall.example".into(),
            customer: Uuid::from_u128(2),
            jti: "AAAAAAAAAAAAAAAAAAAAAA".into(),
            exp: 100,
        }
    }

    #[test]
    fn a_token_lives_to_its_last_second() {
        let at = |seconds| DateTime::from_timestamp(seconds, 0).unwrap();
        assert!(!token().is_expired(at(100)));
        assert!(token().is_expired(at(101)));
    }

    #[test]
    fn a_token_of_another_cloud_can_be_read_but_not_believed() {
        let text = token().sign(&PrivateKey::from_seed(&[1; 32])).unwrap();
        assert_eq!(EnrolToken::peek(&text), Ok(token()));
        let other = PrivateKey::from_seed(&[2; 32]).public();
        assert_eq!(EnrolToken::verify(&text, &other), Err(JwsError::WrongKey));
    }
}
