//! Decides how much of what a directory tells, names above all, may be kept in memory: entries are counted, but one entry may
//! bring very many names.

use rollcall_protocol::limits;

use super::entry::Entry;
use super::reader::Refused;

/// What is left for names in one search.
#[derive(Debug)]
pub struct Room {
    left: usize,
}

/// What the tables around a name take, about.
const AROUND: usize = 64;
/// A name is kept as it came, folded, and as a key.
const COPIES: usize = 3;
/// Where each level of it begins.
const LEVEL: usize = 8;

impl Default for Room {
    fn default() -> Self {
        Self { left: limits::DIRECTORY_NAMES }
    }
}

impl Room {
    /// An eighth of the room, for tests that fill it.
    #[cfg(test)]
    pub fn small() -> Self {
        Self { left: limits::DIRECTORY_NAMES / 8 }
    }

    /// Room for a name that is kept.
    pub fn keep(&mut self, name: &str) -> Result<(), Refused> {
        let levels = name.bytes().filter(|byte| *byte == b',').count() + 1;
        self.take(COPIES * name.len() + LEVEL * levels + AROUND)
    }

    /// Room for one more that stands under a name that is kept.
    pub fn link(&mut self) -> Result<(), Refused> {
        self.take(size_of::<uuid::Uuid>())
    }

    /// Room for an entry that is kept whole.
    pub fn keep_entry(&mut self, entry: &Entry) -> Result<(), Refused> {
        self.take(entry.size() + AROUND)
    }

    fn take(&mut self, bytes: usize) -> Result<(), Refused> {
        self.left = self.left.checked_sub(bytes).ok_or(Refused::TooManyNames)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_without_end_are_refused_however_long_each_is() {
        for length in [0, 1, 200, 4_096, 1 << 20] {
            let (mut room, name) = (Room::default(), "x".repeat(length));
            let kept = (0..=limits::DIRECTORY_NAMES).take_while(|_| room.keep(&name).is_ok()).count();
            assert!(
                kept * length * COPIES <= limits::DIRECTORY_NAMES && kept <= limits::DIRECTORY_NAMES / AROUND,
                "{length}"
            );
        }
    }
}
