//! Decides what every request says of itself and signs it with the agent's key.

use std::sync::{Arc, PoisonError, RwLock};

use chrono::{DateTime, Utc};
use rollcall_protocol::batch::BatchLink;
use rollcall_protocol::hash::BodyDigest;
use rollcall_protocol::jws::{self, JwsError, Kind};
use rollcall_protocol::key::PrivateKey;
use rollcall_protocol::request::RequestClaims;
use rollcall_protocol::{PROTO, path};
use serde::Serialize;
use uuid::Uuid;

/// Who signs, for whom.
#[derive(Debug)]
pub struct Signer {
    pub key: PrivateKey,
    /// Nil while enrolling.
    pub agent: Uuid,
    pub cloud: Uuid,
}

/// The signer in force. A rotation puts another one in its place while requests are under way.
#[derive(Debug, Clone)]
pub struct Keyholder(Arc<RwLock<Arc<Signer>>>);

impl Keyholder {
    pub fn new(signer: Signer) -> Self {
        Self(Arc::new(RwLock::new(Arc::new(signer))))
    }

    pub fn signer(&self) -> Arc<Signer> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn replace(&self, signer: Signer) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(signer);
    }
}

/// What makes one request different from every other.
#[derive(Debug, Clone, Copy)]
pub struct Stamp {
    /// By the cloud's clock, as far as we know it.
    pub at: DateTime<Utc>,
    pub jti: Uuid,
}

impl Signer {
    /// Signs a plain request.
    pub fn sign_request(&self, path: &str, body: &[u8], stamp: Stamp) -> Result<String, JwsError> {
        jws::sign(Kind::Request, &self.key, &self.claims(path, BodyDigest::of(body), stamp, ()))
    }

    /// Signs a request that only fetches.
    pub fn sign_fetch(&self, path: &str, stamp: Stamp) -> Result<String, JwsError> {
        let claims = self.claims(path, BodyDigest::of(b""), stamp, ());
        jws::sign(Kind::Request, &self.key, &RequestClaims { method: "GET".to_owned(), ..claims })
    }

    /// Signs an enrolment, which proves that we hold the new key.
    pub fn sign_enrolment<L: Serialize>(&self, body: &[u8], stamp: Stamp, link: L) -> Result<String, JwsError> {
        jws::sign(Kind::Enrol, &self.key, &self.claims(path::ENROL, BodyDigest::of(body), stamp, link))
    }

    /// Signs a batch, once: it is resent with this very signature.
    pub fn sign_batch(&self, body: BodyDigest, stamp: Stamp, link: BatchLink) -> Result<String, JwsError> {
        jws::sign(Kind::Batch, &self.key, &self.claims(path::BATCHES, body, stamp, link))
    }

    fn claims<L>(&self, path: &str, body: BodyDigest, stamp: Stamp, link: L) -> RequestClaims<L> {
        RequestClaims {
            proto: PROTO,
            iss: self.agent,
            aud: self.cloud,
            iat: stamp.at.timestamp(),
            jti: stamp.jti,
            method: "POST".to_owned(),
            path: path.to_owned(),
            body,
            link,
        }
    }
}
