//! Keeps who this agent is: its key, its cloud, and the cloud's key. One file that nobody else may read.

use std::io;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use rollcall_protocol::catalogue;
use rollcall_protocol::key::{PrivateKey, PublicKey};
use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;
use zeroize::{Zeroize, Zeroizing};

use crate::belongings;
use crate::diagnostic::Diagnostic;
use crate::exit::Exit;
use crate::platform::{private_file, secret};
use crate::signer::Signer;

/// What an enrolment left on this machine.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    pub agent: Uuid,
    pub cloud: Uuid,
    pub cloud_key: PublicKey,
    /// Scheme, host and port.
    pub url: String,
    pub msp: String,
    pub customer: String,
    pub enrolled_at: DateTime<Utc>,
    /// Since when the key is this one; `None`: since enrolment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key_since: Option<DateTime<Utc>>,
    key: Seed,
    /// A key on its way in: proposed to the cloud, perhaps known there, used for nothing yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    next_key: Option<Seed>,
}

/// A private key's seed in base64url; it prints nothing and is wiped when dropped. On disk it is sealed as this machine
/// seals secrets.
#[derive(Clone)]
struct Seed(String);

impl Serialize for Seed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let seed = Zeroizing::new(URL_SAFE_NO_PAD.decode(self.0.as_bytes()).map_err(S::Error::custom)?);
        serializer.serialize_str(&Zeroizing::new(secret::seal(&seed).map_err(S::Error::custom)?))
    }
}

impl<'de> Deserialize<'de> for Seed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Zeroizing::new(String::deserialize(deserializer)?);
        let seed = secret::open(&text).map_err(D::Error::custom)?;
        Ok(Self(URL_SAFE_NO_PAD.encode(seed.as_slice())))
    }
}

impl Drop for Seed {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl std::fmt::Debug for Seed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seed")
    }
}

/// What is known of the cloud and the customer when an identity is made.
#[derive(Debug, Clone)]
pub struct Enrolled {
    pub agent: Uuid,
    pub cloud: Uuid,
    pub cloud_key: PublicKey,
    pub url: String,
    pub msp: String,
    pub customer: String,
    pub at: DateTime<Utc>,
}

impl Identity {
    /// Where it lies.
    pub fn path(folder: &Path) -> PathBuf {
        folder.join(belongings::IDENTITY)
    }

    pub fn new(enrolled: Enrolled, key: &PrivateKey) -> Self {
        Self {
            agent: enrolled.agent,
            cloud: enrolled.cloud,
            cloud_key: enrolled.cloud_key,
            url: enrolled.url,
            msp: enrolled.msp,
            customer: enrolled.customer,
            enrolled_at: enrolled.at,
            key_since: None,
            next_key: None,
            key: Seed::of(key),
        }
    }

    /// The identity of this installation; `None` before enrolment.
    pub fn find(folder: &Path) -> Result<Option<Self>, Diagnostic> {
        let path = Self::path(folder);
        let text = match std::fs::read(&path) {
            Ok(text) => Zeroizing::new(text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Diagnostic::not_writable(&path, &error)),
        };
        if private_file::is_readable_by_others(&path).map_err(|error| Diagnostic::not_writable(&path, &error))? {
            return Err(Diagnostic::new(catalogue::SECRET_FILE_OPEN, path.display(), Exit::Failed));
        }
        let identity: Self = serde_json::from_slice(&text).map_err(|_| broken("the identity file is damaged"))?;
        identity.key.private().and_then(|_| identity.find_next_key())?;
        Ok(Some(identity))
    }

    /// Whether there is one that no key comes out of any more: damaged, or sealed by another Windows. One that merely cannot
    /// be looked at is none of these.
    pub fn is_broken(folder: &Path) -> bool {
        Self::find(folder).is_err_and(|told| told.fault == catalogue::NOT_ENROLLED)
    }

    /// Takes a broken one out of the way of its successor. The last one stays, for whoever wants to know.
    pub fn set_broken_aside(folder: &Path) -> Result<(), Diagnostic> {
        if !Self::is_broken(folder) {
            return Ok(());
        }
        tracing::warn!("the identity cannot be opened and is set aside for a new one");
        private_file::rename(&Self::path(folder), &folder.join(belongings::BROKEN))
            .map_err(|error| Diagnostic::not_writable(folder, &error))
    }

    /// The identity, which every command but `enroll` and `check` needs.
    pub fn get(folder: &Path) -> Result<Self, Diagnostic> {
        let missing = || Diagnostic::new(catalogue::NOT_ENROLLED, folder.display(), Exit::NotEnrolled);
        Self::find(folder)?.ok_or_else(missing)
    }

    /// Writes the file whole or not at all.
    pub fn save(&self, folder: &Path) -> Result<(), Diagnostic> {
        let text = Zeroizing::new(serde_json::to_string_pretty(self).map_err(Diagnostic::unexpected)?);
        private_file::write(&Self::path(folder), text.as_bytes())
            .map_err(|error| Diagnostic::not_writable(folder, &error))
    }

    /// The keys as text, the one in force and the one on its way in, to keep them out of everything else.
    pub fn seed_texts(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&self.key).chain(&self.next_key).map(|seed| seed.0.as_str())
    }

    /// The means to sign for this agent.
    pub fn signer(&self) -> Result<Signer, Diagnostic> {
        Ok(Signer { key: self.key.private()?, agent: self.agent, cloud: self.cloud })
    }

    /// Since when the key is this one.
    pub fn key_since(&self) -> DateTime<Utc> {
        self.key_since.unwrap_or(self.enrolled_at)
    }

    /// The key that was proposed and not taken over yet.
    pub fn find_next_key(&self) -> Result<Option<PrivateKey>, Diagnostic> {
        self.next_key.as_ref().map(Seed::private).transpose()
    }

    /// The same identity with a key to propose.
    #[must_use]
    pub fn with_next_key(&self, key: &PrivateKey) -> Self {
        Self { next_key: Some(Seed::of(key)), ..self.clone() }
    }

    /// The same identity with the proposed key as its own; without one, unchanged.
    #[must_use]
    pub fn with_next_key_in_force(&self, now: DateTime<Utc>) -> Self {
        match &self.next_key {
            None => self.clone(),
            Some(next) => Self { key: next.clone(), key_since: Some(now), next_key: None, ..self.clone() },
        }
    }
}

impl Seed {
    fn of(key: &PrivateKey) -> Self {
        Self(URL_SAFE_NO_PAD.encode(key.to_seed().as_slice()))
    }

    fn private(&self) -> Result<PrivateKey, Diagnostic> {
        let damaged = || broken("the key is damaged");
        let seed = Zeroizing::new(URL_SAFE_NO_PAD.decode(self.0.as_bytes()).map_err(|_| damaged())?);
        let seed: &[u8; 32] = seed.as_slice().try_into().map_err(|_| damaged())?;
        Ok(PrivateKey::from_seed(seed))
    }
}

fn broken(what: &str) -> Diagnostic {
    let detail = format!("{what}; a new token makes this machine an agent again, unenroll --even-unheard wipes it");
    Diagnostic::new(catalogue::NOT_ENROLLED, detail, Exit::NotEnrolled)
}

#[cfg(test)]
impl Enrolled {
    pub fn example() -> Self {
        Self {
            agent: Uuid::from_u128(1),
            cloud: Uuid::from_u128(2),
            cloud_key: PrivateKey::from_seed(&[8; 32]).public(),
            url: "https://rollcall.example".into(),
            msp: "Northwind IT".into(),
            customer: "Lab".into(),
            at: DateTime::UNIX_EPOCH,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity() -> (Identity, PrivateKey) {
        let key = PrivateKey::from_seed(&[7; 32]);
        (Identity::new(Enrolled::example(), &key), key)
    }

    #[test]
    fn an_identity_signs_with_the_same_key_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let (identity, key) = identity();
        identity.save(folder.path()).unwrap();

        let found = Identity::get(folder.path()).unwrap();

        assert_eq!(found.signer().unwrap().key.id(), key.id());
        assert!(!format!("{found:?}").contains(identity.key.0.as_str()));
    }

    #[test]
    fn before_enrolment_there_is_no_identity_and_the_exit_status_says_so() {
        let folder = tempfile::tempdir().unwrap();

        assert_eq!(Identity::get(folder.path()).unwrap_err().exit, Exit::NotEnrolled);
    }

    #[test]
    fn an_identity_that_no_key_comes_out_of_is_broken_and_can_be_set_aside() {
        let folder = tempfile::tempdir().unwrap();
        assert!(!Identity::is_broken(folder.path()));
        let (identity, _) = identity();
        identity.save(folder.path()).unwrap();
        Identity::set_broken_aside(folder.path()).unwrap();
        assert!(Identity::get(folder.path()).is_ok(), "a sound one stays");
        let sound = std::fs::read_to_string(Identity::path(folder.path())).unwrap();
        let other_key = Identity { key: Seed(URL_SAFE_NO_PAD.encode([7; 31])), ..identity };

        let broken = [vec![0; sound.len()], sound.as_bytes()[..40].to_vec(), vec![0xff; 40]];
        for bytes in broken.into_iter().chain([serde_json::to_vec(&other_key).unwrap()]) {
            private_file::write(&Identity::path(folder.path()), &bytes).unwrap();
            assert!(Identity::is_broken(folder.path()), "{bytes:?}");
        }
        Identity::set_broken_aside(folder.path()).unwrap();

        assert!(Identity::find(folder.path()).unwrap().is_none());
        assert!(folder.path().join(belongings::BROKEN).exists());
    }
}
