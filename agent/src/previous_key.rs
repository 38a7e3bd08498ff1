//! Keeps the key before the present one for a while: a cloud that was restored from before the change knows only that
//! one, and with it the agent can introduce its present key once more.
//!
//! It lies in a file of its own, so that an older version of the agent, taken back after an update, still reads the
//! identity. It opens nothing by itself: a cloud that has seen the change has retired it.

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use rollcall_protocol::key::PrivateKey;
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::belongings;
use crate::platform::{private_file, secret};

/// A backup of the cloud that is older than this is no longer reached back to.
const KEPT: TimeDelta = TimeDelta::days(30);

#[derive(Serialize, Deserialize)]
struct Kept {
    agent: Uuid,
    replaced_at: DateTime<Utc>,
    /// Sealed as this machine seals secrets.
    key: String,
}

fn path(folder: &Path) -> PathBuf {
    folder.join(belongings::PREVIOUS_KEY)
}

/// Keeps a key that was just replaced. Without it only a restored cloud is out of reach, so a failure is no more than told.
pub fn keep(folder: &Path, agent: Uuid, key: &PrivateKey, now: DateTime<Utc>) {
    let written = || {
        let kept = Kept { agent, replaced_at: now, key: secret::seal(key.to_seed().as_slice())? };
        let text = Zeroizing::new(serde_json::to_string(&kept)?);
        private_file::write(&path(folder), text.as_bytes())
    };
    if let Err(error) = written() {
        tracing::warn!(%error, "the key before could not be kept");
    }
}

/// The key before the present one, as long as it is kept.
pub fn find(folder: &Path, agent: Uuid, now: DateTime<Utc>) -> Option<PrivateKey> {
    let text = Zeroizing::new(std::fs::read_to_string(path(folder)).ok()?);
    let kept: Kept = serde_json::from_str(&text).ok()?;
    let is_ours = kept.agent == agent && (now - kept.replaced_at).abs() < KEPT;
    if !is_ours || private_file::is_readable_by_others(&path(folder)).unwrap_or(true) {
        return None;
    }
    let seed = secret::open(&kept.key).ok()?;
    let seed: &[u8; 32] = seed.as_slice().try_into().ok()?;
    Some(PrivateKey::from_seed(seed))
}

/// Its seed, as the identity would write it, so that it can be blotted out; whosever it is, and however long ago.
pub fn find_seed_text(folder: &Path) -> Option<String> {
    let text = Zeroizing::new(std::fs::read_to_string(path(folder)).ok()?);
    let kept: Kept = serde_json::from_str(&text).ok()?;
    Some(URL_SAFE_NO_PAD.encode(secret::open(&kept.key).ok()?.as_slice()))
}

/// Removes it when its time is over.
pub fn forget_if_over(folder: &Path, agent: Uuid, now: DateTime<Utc>) {
    if path(folder).exists() && find(folder, agent, now).is_none() {
        forget(folder);
    }
}

pub fn forget(folder: &Path) {
    let _ = std::fs::remove_file(path(folder));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(number: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::days(number)
    }

    #[test]
    fn the_key_before_is_kept_for_a_month_and_for_this_agent_alone() {
        let folder = tempfile::tempdir().unwrap();
        let (agent, key) = (Uuid::from_u128(1), PrivateKey::from_seed(&[7; 32]));
        let found = |agent, now| find(folder.path(), agent, now).map(|key| key.id());
        keep(folder.path(), agent, &key, day(0));

        assert_eq!(found(agent, day(29)), Some(key.id()));
        assert_eq!(found(agent, day(30)), None);
        assert_eq!(found(Uuid::from_u128(2), day(1)), None);
        forget_if_over(folder.path(), agent, day(29));
        assert!(path(folder.path()).exists());
        forget_if_over(folder.path(), agent, day(30));
        assert!(!path(folder.path()).exists());
    }

    #[cfg(unix)]
    #[test]
    fn a_key_that_others_could_read_vouches_for_nothing() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let agent = Uuid::from_u128(1);
        keep(folder.path(), agent, &PrivateKey::from_seed(&[7; 32]), day(0));
        std::fs::set_permissions(path(folder.path()), std::fs::Permissions::from_mode(0o644)).unwrap();

        assert!(find(folder.path(), agent, day(1)).is_none());
    }
}
