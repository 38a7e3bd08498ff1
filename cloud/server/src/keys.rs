//! The cloud's own keys: the master key that seals, and the signing key it seals.

use std::fs;
use std::io::{ErrorKind, Write as _};
use std::path::Path;

use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305, aead::Aead as _, aead::Payload};
use rollcall_protocol::{
    catalogue,
    key::{PrivateKey, PublicKey},
};
use rollcall_store::{Db, StoreError, cloud_keys};
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

    async fn is_made(db: &Db) -> Result<bool, StartError> {
        Ok(cloud_keys::find(db, NAME).await.map_err(away)?.is_some())
    }

    /// Reads the identity, or makes it at the first start.
    pub async fn load(db: &Db, master: &MasterKey, clock: &Clock, entropy: &Entropy) -> Result<Self, StartError> {
        if !Self::is_made(db).await? {
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

fn away(error: StoreError) -> StartError {
    StartError::new(&catalogue::DATABASE_UNREACHABLE, format!("{error}"))
}

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
    /// Reads it. In the data folder it is made at the first start, and never once something is sealed: another key would
    /// open nothing, and hide that the right one is missing.
    pub async fn load(
        db: &Db,
        source: &MasterKeySource,
        data_dir: &Path,
        entropy: &Entropy,
    ) -> Result<Self, StartError> {
        match source {
            MasterKeySource::Given(text) => Self::parse(text, "ROLLCALL_MASTER_KEY"),
            MasterKeySource::File(file) => Self::read(file),
            MasterKeySource::DataFolder => {
                let file = data_dir.join("master.key");
                if !file.exists() {
                    if CloudIdentity::is_made(db).await? {
                        let missing = format!("{} is missing, and the database is sealed with it", file.display());
                        return Err(StartError::new(&catalogue::MASTER_KEY, missing));
                    }
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

/// Readable by its owner only, and never over an existing file. When this returns, a power cut takes neither the text nor
/// the name; before, it leaves no file that is half written.
fn write_new(file: &Path, text: &str) -> std::io::Result<()> {
    let folder = file.parent().unwrap_or(Path::new("."));
    // Made with mode 0600.
    let mut fresh = tempfile::NamedTempFile::new_in(folder)?;
    fresh.write_all(text.as_bytes())?;
    fresh.as_file().sync_all()?;
    match fresh.persist_noclobber(file) {
        Ok(_) => {}
        // Another instance was first; its key is the one.
        Err(taken) if taken.error.kind() == ErrorKind::AlreadyExists => {}
        Err(refused) => return Err(refused.error),
    }
    #[cfg(unix)]
    fs::File::open(folder)?.sync_all()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use rollcall_store::testing::TestDb;

    use super::*;

    #[tokio::test]
    async fn a_lost_master_key_is_missed_and_not_replaced() {
        let (test, folder) = (TestDb::sqlite().await.unwrap(), tempfile::tempdir().unwrap());
        let (entropy, clock) = (Entropy::seeded(1), Clock::of(chrono::DateTime::default));
        let load = || MasterKey::load(&test.db, &MasterKeySource::DataFolder, folder.path(), &entropy);
        let master = load().await.unwrap();
        let made = CloudIdentity::load(&test.db, &master, &clock, &entropy).await.unwrap();
        let file = folder.path().join("master.key");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        let again = CloudIdentity::load(&test.db, &load().await.unwrap(), &clock, &entropy).await.unwrap();
        assert_eq!(again.id, made.id);
        let names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["master.key"], "nothing half written stays behind");

        // As a power cut does that takes the name and leaves the database.
        fs::remove_file(&file).unwrap();
        let missed = load().await.unwrap_err();

        assert!(missed.to_string().contains("RC-8007") && !file.exists(), "{missed}");
    }

    #[test]
    fn a_key_that_another_instance_made_meanwhile_stays() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("master.key");
        write_new(&file, "first").unwrap();

        write_new(&file, "second").unwrap();

        assert_eq!(fs::read_to_string(&file).unwrap(), "first");
    }

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
