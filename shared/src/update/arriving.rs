//! Decides, while it comes, whether a file is the signed one: never a byte more, none less, and none other.

use crate::hash::Hash;
use crate::update::metadata::Release;
use crate::update::refused::Refused;
use sha2::{Digest as _, Sha256};

/// A file on its way.
#[derive(Debug, Clone)]
pub struct Arriving {
    length: u64,
    sha256: Hash,
    got: u64,
    hasher: Sha256,
}

impl Arriving {
    pub fn new(release: &Release) -> Self {
        Self { length: release.length, sha256: release.sha256, got: 0, hasher: Sha256::new() }
    }

    /// Takes the next bytes; refuses before anything beyond the signed length could be kept.
    pub fn take(&mut self, bytes: &[u8]) -> Result<(), Refused> {
        self.got = self.got.saturating_add(bytes.len() as u64);
        if self.got > self.length {
            return Err(Refused::TooLong(self.length));
        }
        self.hasher.update(bytes);
        Ok(())
    }

    /// The end came.
    pub fn finish(self) -> Result<(), Refused> {
        if self.got < self.length {
            return Err(Refused::Truncated { needed: self.length, got: self.got });
        }
        let hash = Hash::from_bytes(self.hasher.finalize().into());
        if hash == self.sha256 { Ok(()) } else { Err(Refused::Altered) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::update::metadata::Platform;
    use proptest::prelude::*;
    use semver::Version;

    fn release(bytes: &[u8]) -> Release {
        Release {
            version: Version::new(1, 0, 0),
            platform: Platform::here(),
            length: bytes.len() as u64,
            sha256: Hash::of(bytes),
            published_at: None,
        }
    }

    fn verdict(signed: &[u8], came: &[u8], chunk: usize) -> Result<(), Refused> {
        let mut arriving = Arriving::new(&release(signed));
        for part in came.chunks(chunk.max(1)) {
            arriving.take(part)?;
        }
        arriving.finish()
    }

    #[test]
    fn a_cut_an_endless_and_an_altered_file_are_told_apart() {
        assert_eq!(verdict(b"program", b"program", 3), Ok(()));
        assert_eq!(verdict(b"program", b"progr", 3), Err(Refused::Truncated { needed: 7, got: 5 }));
        assert_eq!(verdict(b"program", b"program and more", 3), Err(Refused::TooLong(7)));
        assert_eq!(verdict(b"program", b"pr0gram", 3), Err(Refused::Altered));
    }

    proptest! {
        #[test]
        fn only_the_signed_bytes_arrive(
            signed in proptest::collection::vec(any::<u8>(), 0..300),
            came in proptest::collection::vec(any::<u8>(), 0..300),
            chunk in 1_usize..64,
        ) {
            prop_assert_eq!(verdict(&signed, &came, chunk).is_ok(), signed == came);
            prop_assert!(verdict(&signed, &signed, chunk).is_ok());
        }
    }
}
