//! The agent's installer as it lies on this cloud: one file for every customer, handed out with its SHA-256.

mod turnstile;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

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
    /// Held by the one who reads, also past the deadline: a share that hangs costs one thread, and a new file is read and
    /// kept once, however many ask for it at its first moment.
    reading: Arc<tokio::sync::Mutex<()>>,
    holders: Mutex<Turnstile<SecretHash>>,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inner").field("file", &self.file).finish_non_exhaustive()
    }
}

/// By this a changed file is noticed.
type Stamp = (u64, SystemTime);

/// One file of some megabytes. A folder that takes longer lies on a share that does not answer; what is read of it later is
/// there for the next one who asks.
const DEADLINE: Duration = Duration::from_secs(5);

/// A file that changed less than this ago may still be on its way here.
const SETTLED: Duration = Duration::from_secs(3);

/// The file as it was read.
#[derive(Debug, Clone)]
pub struct Msi {
    pub bytes: Bytes,
    /// In hexadecimal digits.
    pub sha256: String,
}

impl Shelf {
    pub fn new(folder: &Path) -> Self {
        Self(Arc::new(Inner {
            file: folder.join(NAME),
            known: Mutex::default(),
            reading: Arc::default(),
            holders: Mutex::default(),
        }))
    }

    /// Counts a download by the holder of a token; an error is how long to wait.
    pub fn admit(&self, token: SecretHash, now: DateTime<Utc>) -> Result<(), TimeDelta> {
        self.0.holders.lock().unwrap_or_else(PoisonError::into_inner).pass(token, now)
    }

    /// The file, if there is one that can be read. While another one is copied here, or somebody else looks, it is the one
    /// before. Not to be asked inside a transaction: it may wait.
    pub async fn find(&self, now: DateTime<Utc>) -> Option<Msi> {
        let before = self.0.known().map(|(_, msi)| msi);
        let turn = match (Arc::clone(&self.0.reading).try_lock_owned(), &before) {
            (Ok(turn), _) => turn,
            (Err(_), Some(_)) => return before,
            (Err(_), None) => tokio::time::timeout(DEADLINE, Arc::clone(&self.0.reading).lock_owned()).await.ok()?,
        };
        let inner = Arc::clone(&self.0);
        let reading = tokio::task::spawn_blocking(move || {
            let found = inner.read(now);
            drop(turn);
            found
        });
        match tokio::time::timeout(DEADLINE, reading).await {
            Ok(Ok(found)) => found,
            Ok(Err(_)) | Err(_) => before,
        }
    }
}

impl Inner {
    fn known(&self) -> Option<(Stamp, Msi)> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn read(&self, now: DateTime<Utc>) -> Option<Msi> {
        let stamp = self.stamp()?;
        let known = self.known();
        let before = known.as_ref().map(|(_, msi)| msi.clone());
        if known.is_some_and(|(known, _)| known == stamp) || !is_settled(stamp.1, now) {
            return before;
        }
        let bytes = Bytes::from(fs::read(&self.file).ok()?);
        if self.stamp() != Some(stamp) {
            return before;
        }
        let sha256 = crate::keys::to_hex(&Sha256::digest(&bytes));
        let msi = Msi { bytes, sha256 };
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Some((stamp, msi.clone()));
        Some(msi)
    }

    fn stamp(&self) -> Option<Stamp> {
        let found = fs::metadata(&self.file).ok()?;
        let is_one = found.is_file() && found.len() <= LARGEST;
        is_one.then_some((found.len(), found.modified().ok()?))
    }
}

/// A time in the future comes from another machine's clock and says nothing of the copying.
fn is_settled(changed: SystemTime, now: DateTime<Utc>) -> bool {
    match SystemTime::from(now).duration_since(changed) {
        Ok(age) => age >= SETTLED,
        Err(ahead) => ahead.duration() >= SETTLED,
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

    /// Writes as a copy does: the time is that of the last byte.
    fn write(folder: &Path, bytes: &str, at: DateTime<Utc>) {
        let mut file = std::fs::File::create(folder.join(NAME)).unwrap();
        std::io::Write::write_all(&mut file, bytes.as_bytes()).unwrap();
        file.set_modified(SystemTime::from(at)).unwrap();
    }

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
    }

    #[tokio::test]
    async fn a_new_file_takes_effect_without_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = Shelf::new(folder.path());
        assert!(shelf.find(at(0)).await.is_none());

        write(folder.path(), "one", at(0));
        let one = shelf.find(at(10)).await.unwrap();
        write(folder.path(), "two", at(20));
        let two = shelf.find(at(30)).await.unwrap();

        assert_eq!(one.sha256, "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed");
        assert_eq!(&two.bytes[..], b"two");
    }

    #[tokio::test]
    async fn a_file_that_is_still_copied_is_not_handed_out() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = Shelf::new(folder.path());
        write(folder.path(), "on", at(0));
        assert!(shelf.find(at(1)).await.is_none(), "it may go on");
        write(folder.path(), "one", at(2));
        assert_eq!(&shelf.find(at(5)).await.unwrap().bytes[..], b"one");

        write(folder.path(), "tw", at(10));
        assert_eq!(&shelf.find(at(11)).await.unwrap().bytes[..], b"one", "the one before, until the new one is whole");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn who_asks_while_it_is_read_gets_the_same_copy_or_the_one_before() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = Shelf::new(folder.path());
        write(folder.path(), &"one".repeat(1 << 20), at(0));

        let asked = (0..50).map(|_| {
            let shelf = shelf.clone();
            tokio::spawn(async move { shelf.find(at(10)).await.unwrap() })
        });
        let copies: Vec<Msi> =
            futures_util::future::join_all(asked).await.into_iter().map(std::result::Result::unwrap).collect();
        let one = &copies[0];
        assert!(copies.iter().all(|copy| copy.bytes.as_ptr() == one.bytes.as_ptr()), "one is kept for all of them");

        write(folder.path(), "two", at(20));
        let somebody_reads = Arc::clone(&shelf.0.reading).lock_owned().await;
        assert_eq!(shelf.find(at(30)).await.unwrap().sha256, one.sha256);
        drop(somebody_reads);
        assert_eq!(&shelf.find(at(30)).await.unwrap().bytes[..], b"two");
    }
}
