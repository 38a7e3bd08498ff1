//! The agent's installer as it lies on this cloud: one file for every customer, handed out with its SHA-256.

mod turnstile;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use axum::body::Bytes;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, TimeDelta, Utc};
use rollcall_store::keyring::SecretHash;
use sha2::{Digest as _, Sha256};

use turnstile::Turnstile;

/// The same name on disk, in addresses and at the customer's.
pub const NAME: &str = "rollcall-agent-x64.msi";

/// It is held in memory; an agent that is larger than this is none of ours.
const LARGEST: u64 = 64 * 1024 * 1024;

/// The folder that an operator of the cloud puts the file into. A new file takes effect without a restart.
#[derive(Debug, Clone)]
pub struct Shelf(Arc<Inner>);

struct Inner {
    file: PathBuf,
    known: Mutex<Option<(Stamp, Msi)>>,
    holders: Mutex<Turnstile<SecretHash>>,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inner").field("file", &self.file).finish_non_exhaustive()
    }
}

/// By this a changed file is noticed.
type Stamp = (u64, Option<SystemTime>);

/// The file as it was read.
#[derive(Debug, Clone)]
pub struct Msi {
    pub bytes: Bytes,
    /// In hexadecimal digits.
    pub sha256: String,
}

impl Shelf {
    pub fn new(folder: &Path) -> Self {
        Self(Arc::new(Inner { file: folder.join(NAME), known: Mutex::default(), holders: Mutex::default() }))
    }

    /// Counts a download by the holder of a token; an error is how long to wait.
    pub fn admit(&self, token: SecretHash, now: DateTime<Utc>) -> Result<(), TimeDelta> {
        self.0.holders.lock().unwrap_or_else(PoisonError::into_inner).pass(token, now)
    }

    /// The file, if there is one that can be read.
    pub async fn find(&self) -> Option<Msi> {
        let found = tokio::fs::metadata(&self.0.file).await.ok()?;
        if !found.is_file() || found.len() > LARGEST {
            return None;
        }
        let stamp = (found.len(), found.modified().ok());
        if let Some((known, msi)) = &*self.0.known.lock().unwrap_or_else(PoisonError::into_inner)
            && *known == stamp
        {
            return Some(msi.clone());
        }
        let bytes = Bytes::from(tokio::fs::read(&self.0.file).await.ok()?);
        let sha256 = crate::keys::to_hex(&Sha256::digest(&bytes));
        let msi = Msi { bytes, sha256 };
        *self.0.known.lock().unwrap_or_else(PoisonError::into_inner) = Some((stamp, msi.clone()));
        Some(msi)
    }
}

impl IntoResponse for Msi {
    fn into_response(self) -> Response {
        let mut response = self.bytes.into_response();
        let name = format!("attachment; filename=\"{NAME}\"");
        let headers = [
            (header::CONTENT_TYPE, "application/x-msi"),
            (header::CONTENT_DISPOSITION, &name),
            (header::CACHE_CONTROL, "no-store"),
            (HeaderName::from_static("x-content-sha256"), &self.sha256),
        ];
        for (header, value) in headers {
            if let Ok(value) = HeaderValue::from_str(value) {
                response.headers_mut().insert(header, value);
            }
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_new_file_takes_effect_without_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = Shelf::new(folder.path());
        assert!(shelf.find().await.is_none());

        std::fs::write(folder.path().join(NAME), "one").unwrap();
        let one = shelf.find().await.unwrap();
        std::fs::write(folder.path().join(NAME), "three").unwrap();
        let three = shelf.find().await.unwrap();

        assert_eq!(one.sha256, "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed");
        assert_eq!(&three.bytes[..], b"three");
    }
}
