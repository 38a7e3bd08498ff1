//! Keeps the key of an enrolment that was begun, so that an answer that got lost can be asked for again: the cloud gives
//! the same key the same answer, and any other key finds the token used.

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rollcall_protocol::hash::Hash;
use rollcall_protocol::key::PrivateKey;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::belongings;
use crate::clock::Chance;
use crate::diagnostic::Diagnostic;
use crate::platform::{private_file, secret};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    /// Which token the key was shown with.
    token: Hash,
    sealed_seed: String,
}

fn path(folder: &Path) -> PathBuf {
    folder.join(belongings::ENROLLING)
}

/// The key to enrol with. It is on the disk before anybody hears of it.
pub fn begin(folder: &Path, token: &str, chance: &Chance) -> Result<PrivateKey, Diagnostic> {
    let token = Hash::of(token.as_bytes());
    if let Some(key) = find(folder, token) {
        return Ok(key);
    }
    let mut seed = Zeroizing::new([0; 32]);
    chance.fill(seed.as_mut_slice());
    let unwritable = |error: std::io::Error| Diagnostic::not_writable(folder, &error);
    let sealed_seed = secret::seal(seed.as_slice()).map_err(unwritable)?;
    let text = serde_json::to_vec(&Stored { token, sealed_seed }).map_err(Diagnostic::unexpected)?;
    private_file::write(&path(folder), &Zeroizing::new(text)).map_err(unwritable)?;
    Ok(PrivateKey::from_seed(&seed))
}

/// The seed of the key, as the identity would write it, so that it can be blotted out.
pub fn find_seed_text(folder: &Path) -> Option<String> {
    let text = Zeroizing::new(fs::read(path(folder)).ok()?);
    let stored: Stored = serde_json::from_slice(&text).ok()?;
    Some(URL_SAFE_NO_PAD.encode(secret::open(&stored.sealed_seed).ok()?.as_slice()))
}

/// A file that cannot be read is as good as none: its key was perhaps never shown to anybody.
fn find(folder: &Path, token: Hash) -> Option<PrivateKey> {
    let text = Zeroizing::new(fs::read(path(folder)).ok()?);
    let stored: Stored = serde_json::from_slice(&text).ok()?;
    let seed = secret::open(&stored.sealed_seed).ok()?;
    let seed: &[u8; 32] = seed.as_slice().try_into().ok()?;
    (stored.token == token).then(|| PrivateKey::from_seed(seed))
}

/// The enrolment is answered, and its outcome is on the disk.
pub fn end(folder: &Path) {
    let _ = fs::remove_file(path(folder));
}

/// Room on the disk for everything that follows the answer. A token must not be spent for what cannot be kept.
#[derive(Debug)]
pub struct Room(PathBuf);

/// Identity, place in the chain, and what the spool writes to begin an epoch.
const ROOM: usize = 128 * 1024;

impl Room {
    pub fn take(folder: &Path) -> Result<Self, Diagnostic> {
        let room = Self(folder.join(belongings::ROOM));
        private_file::write(&room.0, &vec![0x52; ROOM]).map_err(|error| Diagnostic::not_writable(folder, &error))?;
        Ok(room)
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_token_is_tried_with_the_same_key_until_it_is_answered() {
        let folder = tempfile::tempdir().unwrap();
        let chance = Chance::seeded(1);
        let key = |token: &str| begin(folder.path(), token, &chance).unwrap().id();

        let first = key("a");
        assert_eq!(key("a"), first, "after a lost answer, or a crash");
        assert_ne!(key("b"), first, "another token");
        let again = key("a");
        end(folder.path());

        assert_ne!(key("a"), again, "after the answer");
        assert!(!private_file::is_readable_by_others(&path(folder.path())).unwrap());
    }
}
