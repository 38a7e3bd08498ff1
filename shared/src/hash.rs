//! The one hash of the protocol: SHA-256, written as unpadded base64url.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest as _, Sha256};
use std::fmt;
use std::str::FromStr;

/// A SHA-256 value.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Hash([u8; 32]);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a SHA-256 value in unpadded base64url")]
pub struct NotAHash;

impl Hash {
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// Of texts that follow one another.
    pub fn of_all(parts: &[&[u8]]) -> Self {
        let mut sha = Sha256::new();
        for part in parts {
            sha.update(part);
        }
        Self(sha.finalize().into())
    }

    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl TryFrom<&[u8]> for Hash {
    type Error = NotAHash;

    fn try_from(bytes: &[u8]) -> Result<Self, NotAHash> {
        bytes.try_into().map(Self).map_err(|_| NotAHash)
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hash({self})")
    }
}

impl FromStr for Hash {
    type Err = NotAHash;

    fn from_str(text: &str) -> Result<Self, NotAHash> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| NotAHash)?;
        Self::try_from(bytes.as_slice())
    }
}

impl Serialize for Hash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

/// Hashes a body while it streams past, and counts it.
#[derive(Debug, Default, Clone)]
pub struct Hasher {
    sha: Sha256,
    length: u64,
}

impl Hasher {
    pub fn update(&mut self, bytes: &[u8]) {
        self.sha.update(bytes);
        self.length += bytes.len() as u64;
    }

    pub fn finish(self) -> BodyDigest {
        BodyDigest { sha256: Hash(self.sha.finalize().into()), length: self.length }
    }
}

/// What a request's claims say of its body: hash and length of the bytes exactly as sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BodyDigest {
    pub sha256: Hash,
    pub length: u64,
}

impl BodyDigest {
    pub fn of(body: &[u8]) -> Self {
        Self { sha256: Hash::of(body), length: body.len() as u64 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_reads_back_what_it_prints_and_nothing_looser() {
        let hash = Hash::of(b"rollcall");
        assert_eq!(hash.to_string().parse(), Ok(hash));
        assert_eq!(format!("{hash}=").parse::<Hash>(), Err(NotAHash));
        assert_eq!("".parse::<Hash>(), Err(NotAHash));
    }

    #[test]
    fn a_streamed_body_hashes_like_the_whole() {
        let mut hasher = Hasher::default();
        hasher.update(b"roll");
        hasher.update(b"call");
        assert_eq!(hasher.finish(), BodyDigest::of(b"rollcall"));
    }
}
