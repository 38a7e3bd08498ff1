//! The end of the log files beside the data, where the agent writes any.

use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::redact::Redactor;
use crate::config::Config;

/// As much as is read; packed it is a tenth of it.
const TAIL: u64 = 512 * 1024;
const NONE: &str = "No log files lie in the data folder. Under systemd: journalctl -u rollcall-agent\n";

/// From the folder that the configuration names, or the one that a Windows service logs to.
pub fn read(config: &Config, redactor: &mut Redactor) -> String {
    read_folder(&config.log.folder.clone().unwrap_or_else(|| config.data_dir.join(crate::belongings::LOGS)), redactor)
}

fn read_folder(folder: &Path, redactor: &mut Redactor) -> String {
    let Some(text) = newest(folder).and_then(|file| tail(&file).ok()) else { return NONE.to_owned() };
    text.lines().flat_map(|line| [redactor.line(line), "\n".to_owned()]).collect()
}

fn newest(folder: &Path) -> Option<PathBuf> {
    let files = std::fs::read_dir(folder).ok()?.filter_map(Result::ok);
    let dated = files.filter_map(|file| {
        let facts = file.metadata().ok().filter(std::fs::Metadata::is_file)?;
        Some((facts.modified().unwrap_or(SystemTime::UNIX_EPOCH), file.path()))
    });
    dated.max().map(|(_, path)| path)
}

/// Whole lines only; what is no text is shown as a question mark.
fn tail(file: &Path) -> std::io::Result<String> {
    let mut file = std::fs::File::open(file)?;
    let length = file.metadata()?.len();
    let start = length.saturating_sub(TAIL);
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = Vec::new();
    file.take(TAIL).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    Ok(match (start, text.split_once('\n')) {
        (0, _) | (_, None) => text,
        (_, Some((_, whole))) => whole.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_the_newest_log_is_read_in_whole_lines() {
        let folder = tempfile::tempdir().unwrap();
        let line = format!("{}\n", "x ".repeat(49));
        std::fs::write(folder.path().join("agent.log"), line.repeat(20_000)).unwrap();

        let text = read_folder(folder.path(), &mut Redactor::new(Vec::new()));

        assert!(text.len() <= 512 * 1024 && text.len() > 500 * 1024);
        assert!(text.lines().all(|line| line.trim_end().len() == 97));
    }

    #[test]
    fn without_log_files_it_says_where_the_log_is() {
        let folder = tempfile::tempdir().unwrap();

        assert!(read_folder(folder.path(), &mut Redactor::new(Vec::new())).contains("journalctl"));
    }
}
