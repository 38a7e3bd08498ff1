//! Decides how much of the names that a directory tells may be kept in memory: entries are counted, but one entry may
//! bring very many names.

use rollcall_protocol::limits;

use super::reader::Refused;

/// What is left for names in one search.
#[derive(Debug)]
pub struct Room {
    left: usize,
}

/// What the tables around a name take, about.
const AROUND: usize = 64;

impl Default for Room {
    fn default() -> Self {
        Self { left: limits::DIRECTORY_NAMES }
    }
}

impl Room {
    /// Room for a name that is kept.
    pub fn keep(&mut self, name: &str) -> Result<(), Refused> {
        self.take(name.len() + AROUND)
    }

    /// Room for one more that stands under a name that is kept.
    pub fn link(&mut self) -> Result<(), Refused> {
        self.take(size_of::<uuid::Uuid>())
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
            assert!(kept * length <= limits::DIRECTORY_NAMES && kept <= limits::DIRECTORY_NAMES / AROUND, "{length}");
        }
    }
}
