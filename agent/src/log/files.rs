//! Decides how log files take turns: five of at most 4 MiB, the newest without a number. Whatever goes wrong with them,
//! the agent goes on: a full disk must not stop it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tracing_subscriber::fmt::MakeWriter;

use crate::platform::private_file;

const LARGEST: u64 = 4 * 1024 * 1024;
const OLDER: u32 = 4;

/// The files of one folder.
#[derive(Debug, Clone)]
pub struct Files(Arc<Mutex<Turn>>);

#[derive(Debug)]
struct Turn {
    folder: PathBuf,
    largest: u64,
    /// The open file and its size.
    open: Option<(File, u64)>,
}

impl Files {
    /// Nothing is opened before the first line.
    pub fn open(folder: PathBuf) -> Self {
        Self::bounded(folder, LARGEST)
    }

    /// Whether lines can be written there.
    pub fn check(folder: &Path) -> io::Result<()> {
        open(folder).map(drop)
    }

    fn bounded(folder: PathBuf, largest: u64) -> Self {
        Self(Arc::new(Mutex::new(Turn { folder, largest, open: None })))
    }
}

impl Turn {
    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        let length = u64::try_from(line.len()).unwrap_or(u64::MAX);
        let (file, size) = match self.open.take() {
            Some((file, size)) if size.saturating_add(length) <= self.largest || size == 0 => (file, size),
            Some(full) => {
                // Windows renames no open file.
                drop(full);
                make_room(&self.folder);
                open(&self.folder)?
            }
            None => open(&self.folder)?,
        };
        let (file, size) = self.open.insert((file, size));
        *size = size.saturating_add(length);
        file.write_all(line)
    }
}

fn name(folder: &Path, age: u32) -> PathBuf {
    folder.join(if age == 0 { "rollcall-agent.log".to_owned() } else { format!("rollcall-agent.{age}.log") })
}

/// The oldest gives way. Where a rename fails, the newest file grows on, and the next line tries again.
fn make_room(folder: &Path) {
    let _ = fs::remove_file(name(folder, OLDER));
    for age in (0..OLDER).rev() {
        let _ = fs::rename(name(folder, age), name(folder, age + 1));
    }
}

fn open(folder: &Path) -> io::Result<(File, u64)> {
    private_file::make_folder(folder)?;
    let file = OpenOptions::new().create(true).append(true).open(name(folder, 0))?;
    let size = file.metadata()?.len();
    Ok((file, size))
}

/// One line on its way.
#[derive(Debug)]
pub struct Line<'a>(&'a Files);

impl Write for Line<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut turn = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A line that cannot be written is lost; an error here would be printed for every line.
        let _ = turn.write(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Files {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Self::Writer {
        Line(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(files: &Files, line: &str) {
        files.make_writer().write_all(line.as_bytes()).unwrap();
    }

    #[test]
    fn files_are_bounded_in_size_and_number_and_the_newest_lines_stay() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files::bounded(folder.path().join("logs"), 100);

        for number in 0..200 {
            write(&files, &format!("line {number:03} of two hundred\n"));
        }

        let kept: Vec<PathBuf> = fs::read_dir(folder.path().join("logs")).unwrap().map(|e| e.unwrap().path()).collect();
        assert_eq!(kept.len(), 5);
        assert!(kept.iter().all(|file| fs::metadata(file).unwrap().len() <= 100));
        let newest = fs::read_to_string(name(&folder.path().join("logs"), 0)).unwrap();
        assert!(newest.ends_with("line 199 of two hundred\n"));
    }

    #[test]
    fn a_restart_continues_the_newest_file() {
        let folder = tempfile::tempdir().unwrap();
        write(&Files::open(folder.path().to_owned()), "before\n");

        write(&Files::open(folder.path().to_owned()), "after\n");

        assert_eq!(fs::read_to_string(name(folder.path(), 0)).unwrap(), "before\nafter\n");
    }

    #[test]
    fn a_folder_that_cannot_be_written_loses_lines_and_nothing_else() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let files = Files::open(file.path().join("logs"));

        write(&files, "nobody reads this\n");

        assert_eq!(fs::metadata(file.path()).unwrap().len(), 0);
    }
}
