//! Decides whether a document carries enough signatures of its role.
//!
//! The form is RFC 7515's general JSON serialisation: one payload, several signatures over the very bytes that travel.
//! Each signature is read by the same strict rules as any other statement of this protocol.

use crate::jws::{self, JwsError, Unverified};
use crate::key::PrivateKey;
use crate::limits;
use crate::update::metadata::{Dated, Keys, Root};
use crate::update::refused::Refused;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Document {
    payload: String,
    signatures: Vec<Signature>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Signature {
    protected: String,
    signature: String,
}

/// Signs with every key given.
pub fn sign<T: Serialize + Dated>(keys: &[&PrivateKey], value: &T) -> Result<String, JwsError> {
    let mut document = Document { payload: String::new(), signatures: Vec::new() };
    for key in keys {
        let text = jws::sign(T::ROLE.kind(), key, value)?;
        let mut parts = text.split('.');
        let mut part = || parts.next().map(str::to_owned).ok_or(JwsError::Malformed);
        let protected = part()?;
        document.payload = part()?;
        document.signatures.push(Signature { protected, signature: part()? });
    }
    serde_json::to_string(&document).map_err(|_| JwsError::BadClaims)
}

/// What the document says, once as many different keys of its role signed it as must.
pub fn open<T: DeserializeOwned + Dated>(text: &str, keys: &Keys) -> Result<T, Refused> {
    let malformed = || Refused::Malformed(T::ROLE);
    if text.len() > limits::UPDATE_DOCUMENT {
        return Err(malformed());
    }
    let document: Document = serde_json::from_str(text).map_err(|_| malformed())?;
    if document.signatures.len() > limits::UPDATE_SIGNATURES {
        return Err(malformed());
    }
    let good = count_good(&document, T::ROLE.kind(), keys);
    // A threshold of nobody would believe anybody.
    if good < keys.threshold.max(1) {
        return Err(Refused::Signatures { role: T::ROLE, good, needed: keys.threshold.max(1) });
    }
    read(&document).ok_or_else(malformed)
}

/// Different keys: one key that signs twice is still one.
fn count_good(document: &Document, kind: jws::Kind, keys: &Keys) -> u32 {
    let mut seen = BTreeSet::new();
    for signature in &document.signatures {
        let compact = format!("{}.{}.{}", signature.protected, document.payload, signature.signature);
        let Ok(statement) = Unverified::parse(&compact) else { continue };
        let kid = *statement.kid();
        let Some(key) = keys.keys.iter().find(|key| key.id() == kid) else { continue };
        if statement.verify::<IgnoredAny>(kind, key).is_ok() {
            seen.insert(kid);
        }
    }
    u32::try_from(seen.len()).unwrap_or(u32::MAX)
}

/// What it says without any check, for the one reader who has no keys yet: a pinned root names its own.
pub(super) fn peek<T: DeserializeOwned + Dated>(text: &str) -> Result<T, Refused> {
    let document: Option<Document> =
        (text.len() <= limits::UPDATE_DOCUMENT).then(|| serde_json::from_str(text).ok()).flatten();
    document.as_ref().and_then(read).ok_or(Refused::Malformed(T::ROLE))
}

/// A root document that its own keys signed: one that was pinned, or that lies in a folder of ours.
pub fn open_self_signed(text: &str) -> Result<Root, Refused> {
    let root: Root = peek(text)?;
    open(text, &root.root)
}

/// Only after [`count_good`]: the payload alone proves nothing.
fn read<T: DeserializeOwned>(document: &Document) -> Option<T> {
    let signature = document.signatures.first()?;
    let compact = format!("{}.{}.{}", signature.protected, document.payload, signature.signature);
    Unverified::parse(&compact).ok()?.peek().ok()
}
