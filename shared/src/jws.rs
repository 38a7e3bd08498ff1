//! Compact JWS with one algorithm: how a statement is signed, and when a signed statement is believed.
//!
//! The form is RFC 7515's compact serialisation with `alg` EdDSA (RFC 8037). It is read strictly: exactly three parts,
//! unpadded base64url, exactly the header members `alg`, `kid`, `typ`, each once. The algorithm is fixed by the type
//! of the key, never chosen by the token.

use crate::key::{KeyId, PrivateKey, PublicKey};
use crate::limits;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// What a statement is for. A signature made for one kind is worthless as any other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// An enrolment token, signed by the cloud.
    #[serde(rename = "rollcall-token")]
    Token,
    /// A request to enrol, signed by the new key.
    #[serde(rename = "rollcall-enrol")]
    Enrol,
    /// Any other request of an agent.
    #[serde(rename = "rollcall-request")]
    Request,
    /// A batch of a cycle.
    #[serde(rename = "rollcall-batch")]
    Batch,
    /// The new key's consent to a rotation.
    #[serde(rename = "rollcall-new-key")]
    NewKey,
    /// Desired state, signed by the cloud.
    #[serde(rename = "rollcall-desired")]
    Desired,
    /// The end of an agent, signed by the cloud.
    #[serde(rename = "rollcall-revoked")]
    Revoked,
    /// Who may sign updates: keys and thresholds of the four roles.
    #[serde(rename = "rollcall-update-root")]
    UpdateRoot,
    /// Which releases there are.
    #[serde(rename = "rollcall-update-targets")]
    UpdateTargets,
    /// Which list of releases goes with which moment.
    #[serde(rename = "rollcall-update-snapshot")]
    UpdateSnapshot,
    /// That all of it is still current.
    #[serde(rename = "rollcall-update-timestamp")]
    UpdateTimestamp,
}

impl Kind {
    const fn limit(self) -> usize {
        match self {
            Self::Token | Self::Enrol | Self::Request | Self::Batch | Self::NewKey | Self::Revoked => limits::JWS,
            Self::Desired => limits::DESIRED,
            Self::UpdateRoot | Self::UpdateTargets | Self::UpdateSnapshot | Self::UpdateTimestamp => {
                limits::UPDATE_DOCUMENT
            }
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Algorithm {
    #[serde(rename = "EdDSA")]
    EdDsa,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    alg: Algorithm,
    kid: KeyId,
    typ: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JwsError {
    #[error("longer than a signed statement may be")]
    TooLong,
    #[error("not a compact JWS of this protocol")]
    Malformed,
    #[error("signed for another purpose")]
    WrongKind,
    #[error("signed by another key")]
    WrongKey,
    #[error("the signature does not hold")]
    BadSignature,
    #[error("the signature holds, but the claims are not of the expected form")]
    BadClaims,
}

/// Signs `claims` with `key`.
pub fn sign<C: Serialize>(kind: Kind, key: &PrivateKey, claims: &C) -> Result<String, JwsError> {
    let header = Header { alg: Algorithm::EdDsa, kid: key.id(), typ: kind };
    let mut text = encode(&header)?;
    text.push('.');
    text.push_str(&encode(claims)?);
    let signature = key.sign(text.as_bytes());
    text.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut text);
    if text.len() > kind.limit() {
        return Err(JwsError::TooLong);
    }
    Ok(text)
}

fn encode<T: Serialize>(value: &T) -> Result<String, JwsError> {
    let json = serde_json::to_vec(value).map_err(|_| JwsError::BadClaims)?;
    Ok(URL_SAFE_NO_PAD.encode(json))
}

/// A statement whose signature was not checked yet. All it gives away is which key it claims and what for.
#[derive(Debug)]
pub struct Unverified<'a> {
    header: Header,
    signed: &'a str,
    claims: &'a str,
    signature: Vec<u8>,
}

impl<'a> Unverified<'a> {
    pub fn parse(text: &'a str) -> Result<Self, JwsError> {
        if text.len() > limits::DESIRED {
            return Err(JwsError::TooLong);
        }
        let (signed, signature) = text.rsplit_once('.').ok_or(JwsError::Malformed)?;
        let (header, claims) = signed.split_once('.').ok_or(JwsError::Malformed)?;
        // A further dot would stand in `claims`, where base64url refuses it.
        if header.len() > limits::JWS {
            return Err(JwsError::TooLong);
        }
        let header: Header = decode(header)?;
        if text.len() > header.typ.limit() {
            return Err(JwsError::TooLong);
        }
        Ok(Self { header, signed, claims, signature: decode_bytes(signature)? })
    }

    /// The key it claims to be signed by, to look the key record up.
    pub const fn kid(&self) -> &KeyId {
        &self.header.kid
    }

    pub const fn kind(&self) -> Kind {
        self.header.typ
    }

    /// The claims, once kind, key and signature hold.
    pub fn verify<C: DeserializeOwned>(self, kind: Kind, key: &PublicKey) -> Result<C, JwsError> {
        if self.header.typ != kind {
            return Err(JwsError::WrongKind);
        }
        if self.header.kid != key.id() {
            return Err(JwsError::WrongKey);
        }
        if !key.accepts(self.signed.as_bytes(), &self.signature) {
            return Err(JwsError::BadSignature);
        }
        decode(self.claims).map_err(|_| JwsError::BadClaims)
    }

    /// The claims without any check, for the one reader who cannot have the key yet: an agent that reads from its
    /// enrolment token where the cloud is. Whatever is decided on them must be confirmed by [`Unverified::verify`].
    pub fn peek<C: DeserializeOwned>(&self) -> Result<C, JwsError> {
        decode(self.claims).map_err(|_| JwsError::BadClaims)
    }
}

fn decode<T: DeserializeOwned>(part: &str) -> Result<T, JwsError> {
    serde_json::from_slice(&decode_bytes(part)?).map_err(|_| JwsError::Malformed)
}

fn decode_bytes(part: &str) -> Result<Vec<u8>, JwsError> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| JwsError::Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key() -> PrivateKey {
        PrivateKey::from_seed(&[1; 32])
    }

    fn forged(header: &str) -> String {
        let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode("7"));
        let signature = URL_SAFE_NO_PAD.encode(key().sign(signed.as_bytes()));
        format!("{signed}.{signature}")
    }

    fn verdict(text: &str) -> Result<u32, JwsError> {
        Unverified::parse(text)?.verify(Kind::Batch, &key().public())
    }

    #[test]
    fn a_signed_statement_is_believed_for_its_own_purpose_only() {
        let text = sign(Kind::Batch, &key(), &7).unwrap();
        assert_eq!(verdict(&text), Ok(7));
        let text = sign(Kind::Request, &key(), &7).unwrap();
        assert_eq!(verdict(&text), Err(JwsError::WrongKind));
    }

    #[test]
    fn a_foreign_key_is_refused_even_when_it_signs_well() {
        let text = sign(Kind::Batch, &PrivateKey::from_seed(&[2; 32]), &7).unwrap();
        assert_eq!(verdict(&text), Err(JwsError::WrongKey));
    }

    #[test]
    fn the_token_never_chooses_its_algorithm() {
        let kid = key().id();
        for alg in ["none", "HS256", "ES256", "eddsa"] {
            let text = forged(&format!(r#"{{"alg":"{alg}","kid":"{kid}","typ":"rollcall-batch"}}"#));
            assert_eq!(verdict(&text), Err(JwsError::Malformed), "{alg}");
        }
    }

    #[test]
    fn odd_headers_are_refused_although_their_signature_holds() {
        let kid = key().id();
        let good = format!(r#"{{"alg":"EdDSA","kid":"{kid}","typ":"rollcall-batch"}}"#);
        assert_eq!(verdict(&forged(&good)), Ok(7));
        let twice = format!(r#"{{"alg":"EdDSA","alg":"EdDSA","kid":"{kid}","typ":"rollcall-batch"}}"#);
        let extra = format!(r#"{{"alg":"EdDSA","kid":"{kid}","typ":"rollcall-batch","crit":["b64"],"b64":false}}"#);
        for header in [twice, extra, format!("{good} x"), String::new()] {
            assert_eq!(verdict(&forged(&header)), Err(JwsError::Malformed), "{header}");
        }
    }

    #[test]
    fn padding_trailing_bytes_and_extra_parts_are_refused() {
        let text = sign(Kind::Batch, &key(), &7).unwrap();
        for odd in
            [format!("{text}="), format!("{text}."), format!("{text}\n"), format!(".{text}"), text.replace('.', "..")]
        {
            assert!(verdict(&odd).is_err(), "{odd}");
        }
    }

    proptest! {
        #[test]
        fn every_single_bit_change_of_a_statement_is_refused(byte in 0_usize..10_000, bit in 0_u8..8) {
            let mut text = sign(Kind::Batch, &key(), &7).unwrap().into_bytes();
            let byte = byte % text.len();
            text[byte] ^= 1 << bit;
            // A flip that leaves no text at all cannot even be a header.
            if let Ok(text) = String::from_utf8(text) {
                prop_assert!(verdict(&text).is_err());
            }
        }
    }
}
