//! Ed25519 keys: which public keys are acceptable, and how a key is named.

use crate::hash::Hash;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;
use std::str::FromStr;
use zeroize::Zeroizing;

/// The name of a key: the SHA-256 of its 32 public bytes. It travels as `kid`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeyId(Hash);

impl KeyId {
    pub const fn hash(&self) -> &Hash {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for KeyId {
    type Err = crate::hash::NotAHash;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an acceptable Ed25519 public key")]
pub struct BadKey;

/// A public key that was checked: canonical, and not one of the weak (low-order) points for which
/// signatures prove nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

impl PublicKey {
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, BadKey> {
        let bytes = bytes.try_into().map_err(|_| BadKey)?;
        let key = VerifyingKey::from_bytes(bytes).map_err(|_| BadKey)?;
        // `from_bytes` accepts encodings that are not canonical (ZIP-215); a key has one name only if it has one form.
        if key.is_weak() || key.to_edwards().compress().as_bytes() != bytes {
            return Err(BadKey);
        }
        Ok(Self(key))
    }

    pub fn to_bytes(&self) -> [u8; 32] {
        self.0.to_bytes()
    }

    pub fn id(&self) -> KeyId {
        KeyId(Hash::of(&self.0.to_bytes()))
    }

    /// Strict verification: refuses the malleable and mixed-order signatures that plain verification lets through.
    pub(crate) fn accepts(&self, message: &[u8], signature: &[u8]) -> bool {
        Signature::from_slice(signature).is_ok_and(|signature| self.0.verify_strict(message, &signature).is_ok())
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.id())
    }
}

impl Serialize for PublicKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&URL_SAFE_NO_PAD.encode(self.to_bytes()))
    }
}

impl<'de> Deserialize<'de> for PublicKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(de::Error::custom)?;
        Self::from_bytes(&bytes).map_err(de::Error::custom)
    }
}

/// A private key. It prints only its name and is wiped from memory when dropped.
pub struct PrivateKey(SigningKey);

impl PrivateKey {
    /// `seed` must be 32 bytes from the system's random source.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// The seed, for the one place that seals it at rest.
    pub fn to_seed(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0.to_bytes())
    }

    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    pub fn id(&self) -> KeyId {
        self.public().id()
    }

    pub(crate) fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).to_bytes()
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrivateKey({})", self.id())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weak_and_non_canonical_keys_are_refused() {
        let mut identity = [0; 32];
        identity[0] = 1;
        assert_eq!(PublicKey::from_bytes(&identity), Err(BadKey));
        assert_eq!(PublicKey::from_bytes(&[0; 32]), Err(BadKey));
        assert_eq!(PublicKey::from_bytes(&[0xff; 32]), Err(BadKey));
        assert_eq!(PublicKey::from_bytes(b"short"), Err(BadKey));
    }

    #[test]
    fn a_private_key_never_prints_its_seed() {
        let key = PrivateKey::from_seed(&[7; 32]);
        assert_eq!(format!("{key:?}"), format!("PrivateKey({})", key.id()));
    }
}
