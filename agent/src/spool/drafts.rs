//! Keeps the records of one reading, one behind the other, in a file that is worth nothing after the
//! cycle and goes with the process.

use std::fs::{self, File};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;

use crate::platform::private_file;

/// Texts by where they begin.
#[derive(Debug)]
pub struct Drafts {
    file: File,
    written: u64,
    /// What is not in the file yet.
    pending: Vec<u8>,
}

const AT_ONCE: usize = 256 * 1024;
/// A directory that never ends must not fill the disk.
const MOST: u64 = 4 * 1024 * 1024 * 1024;

impl Drafts {
    /// Begins anew; nobody else may read the file.
    pub fn create(path: &Path) -> io::Result<Self> {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        Ok(Self { file: private_file::create_fleeting(path)?, written: 0, pending: Vec::new() })
    }

    /// Adds a text and says where it begins.
    pub fn append(&mut self, text: &str) -> io::Result<u64> {
        let at = self.written + self.pending.len() as u64;
        if at > MOST {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.pending.extend_from_slice(text.as_bytes());
        if self.pending.len() >= AT_ONCE {
            self.flush()?;
        }
        Ok(at)
    }

    /// The text of so many bytes that begins there.
    pub fn get(&mut self, at: u64, length: u32) -> io::Result<String> {
        let mut bytes = Vec::new();
        self.copy(at, length, &mut bytes)?;
        String::from_utf8(bytes).map_err(|_| io::ErrorKind::InvalidData.into())
    }

    /// Puts the same behind what is there.
    pub fn copy(&mut self, at: u64, length: u32, to: &mut Vec<u8>) -> io::Result<()> {
        if !self.pending.is_empty() {
            self.flush()?;
        }
        let length = usize::try_from(length).map_err(|_| io::ErrorKind::UnexpectedEof)?;
        if at + length as u64 > self.written {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let start = to.len();
        to.resize(start + length, 0);
        private_file::read_at(&self.file, at, to.get_mut(start..).unwrap_or_default())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(self.written))?;
        self.file.write_all(&self.pending)?;
        self.written += self.pending.len() as u64;
        self.pending.clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_found_again_wherever_they_lie_and_however_many_follow() {
        let folder = tempfile::tempdir().unwrap();
        let mut drafts = Drafts::create(&folder.path().join("drafts")).unwrap();
        let text = |number: usize| format!("{number}{}", "x".repeat(number % 900));
        let mut places = Vec::new();
        for number in 0..2_000 {
            places.push(drafts.append(&text(number)).unwrap());
            if number % 700 == 0 {
                assert_eq!(drafts.get(places[0], 1).unwrap(), "0");
            }
        }

        for (number, at) in places.into_iter().enumerate().rev() {
            assert_eq!(drafts.get(at, u32::try_from(text(number).len()).unwrap()).unwrap(), text(number));
        }
        assert!(drafts.get(0, u32::MAX).is_err());
    }
}
