//! The cloud's own keys: the master key that seals, and the signing key it seals.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305, aead::Aead as _, aead::Payload};
use rollcall_protocol::{
    catalogue,
    key::{PrivateKey, PublicKey},
};
use rollcall_store::{Db, cloud_keys};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::{
    clock::{Clock, Entropy},
    config::MasterKeySource,
    start::StartError,
};

/// Who this cloud is to its agents.
#[derive(Debug)]
pub struct CloudIdentity {
    /// Stable for ever; agents name it in every request.
    pub id: Uuid,
    pub key: PrivateKey,
}

impl CloudIdentity {
    pub fn public(&self) -> PublicKey {
        self.key.public()
    }

    /// Reads the identity, or makes it at the first start.
    pub async fn load(db: &Db, master: &MasterKey, clock: &Clock, entropy: &Entropy) -> Result<Self, StartError> {
        let away = |error| StartError::new(&catalogue::DATABASE_UNREACHABLE, format!("{error}"));
        if cloud_keys::find(db, NAME).await.map_err(away)?.is_none() {
            let fresh = Zeroizing::new([entropy.bytes::<16>().as_slice(), entropy.bytes::<32>().as_slice()].concat());
            let sealed = master.seal(NAME, &fresh, entropy).ok_or_else(unopened)?;
            cloud_keys::add_if_none(db, NAME, &sealed, clock.now()).await.map_err(away)?;
        }
        // Read again: another instance may have been first.
        let sealed = cloud_keys::find(db, NAME).await.map_err(away)?.unwrap_or_default();
        let opened = master.open(NAME, &sealed).ok_or_else(unopened)?;
        let (id, seed) = opened.split_at_checked(16).ok_or_else(unopened)?;
        let id = uuid::Builder::from_slice(id).map_err(|_| unopened())?.into_uuid();
        let seed: Zeroizing<[u8; 32]> = Zeroizing::new(seed.try_into().map_err(|_| unopened())?);
        Ok(Self { id, key: PrivateKey::from_seed(&seed) })
    }
}

const NAME: &str = "identity-1";

fn unopened() -> StartError {
    StartError::new(&catalogue::MASTER_KEY, "the cloud's signing key cannot be opened with this master key")
}

/// The key that everything secret in the database is sealed with.
pub struct MasterKey(Zeroizing<[u8; 32]>);

impl std::fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MasterKey(…)")
    }
}

impl MasterKey {
    pub fn load(source: &MasterKeySource, data_dir: &Path, entropy: &Entropy) -> Result<Self, StartError> {
        match source {
            MasterKeySource::Given(text) => Self::parse(text, "ROLLCALL_MASTER_KEY"),
            MasterKeySource::File(file) => Self::read(file),
            MasterKeySource::DataFolder => {
                let file = data_dir.join("master.key");
                if !file.exists() {
                    write_new(&file, &to_hex(&entropy.bytes::<32>())).map_err(|error| {
                        StartError::new(&catalogue::DATA_FOLDER, format!("{}: {error}", file.display()))
                    })?;
                }
                Self::read(&file)
            }
        }
    }

    fn read(file: &Path) -> Result<Self, StartError> {
        let text = fs::read_to_string(file)
            .map(Zeroizing::new)
            .map_err(|error| StartError::new(&catalogue::MASTER_KEY, format!("{}: {error}", file.display())))?;
        Self::parse(text.trim(), &file.display().to_string())
    }

    fn parse(text: &str, place: &str) -> Result<Self, StartError> {
        let wrong = || StartError::new(&catalogue::MASTER_KEY, format!("{place} does not hold 64 hexadecimal digits"));
        if text.len() != 64 || !text.is_ascii() {
            return Err(wrong());
        }
        let mut key = Zeroizing::new([0; 32]);
        for (byte, at) in key.iter_mut().zip((0..64).step_by(2)) {
            *byte = u8::from_str_radix(&text[at..at + 2], 16).map_err(|_| wrong())?;
        }
        Ok(Self(key))
    }

    /// `place` says where it will stand, so that a sealed value cannot be moved.
    pub fn seal(&self, place: &str, plain: &[u8], entropy: &Entropy) -> Option<Vec<u8>> {
        let nonce: [u8; 24] = entropy.bytes();
        let sealed = self.cipher().encrypt(&nonce.into(), Payload { msg: plain, aad: place.as_bytes() }).ok()?;
        Some([nonce.as_slice(), &sealed].concat())
    }

    pub fn open(&self, place: &str, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (nonce, sealed) = sealed.split_at_checked(24)?;
        let nonce: [u8; 24] = nonce.try_into().ok()?;
        self.cipher().decrypt(&nonce.into(), Payload { msg: sealed, aad: place.as_bytes() }).ok().map(Zeroizing::new)
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new((&*self.0).into())
    }
}

pub fn to_hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing into a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Readable by its owner only, and never over an existing file.
fn write_new(file: &Path, text: &str) -> std::io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(file)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> MasterKey {
        MasterKey::parse(&"ab".repeat(32), "test").unwrap()
    }

    #[test]
    fn a_sealed_secret_opens_only_at_its_own_place_and_with_its_own_key() {
        let sealed = key().seal("msp|a", b"secret", &Entropy::seeded(1)).unwrap();
        assert_eq!(key().open("msp|a", &sealed).unwrap().as_slice(), b"secret");
        assert!(key().open("msp|b", &sealed).is_none());
        assert!(MasterKey::parse(&"cd".repeat(32), "test").unwrap().open("msp|a", &sealed).is_none());
        assert!(key().open("msp|a", &sealed[..20]).is_none());
    }

    #[test]
    fn a_master_key_is_64_hexadecimal_digits() {
        for bad in ["", "ab", &"xy".repeat(32), &"ä".repeat(32)] {
            assert_eq!(MasterKey::parse(bad, "test").unwrap_err().fault.code, "RC-8007");
        }
    }
}
