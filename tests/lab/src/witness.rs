//! Keeps what programs under test said, and the secrets they were given, so that a whole run can be searched for them.
//!
//! `cargo xtask test` names a folder; without one nothing is kept. Two forms, read by `xtask/src/leaks.rs`: lines of
//! `secrets.jsonl` are `{"of":"…","secret":"…"}`, and every file below `said/` is output.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// The folder of this run.
const VARIABLE: &str = "ROLLCALL_WITNESS_DIR";

/// Where one run is written down.
#[derive(Debug, Clone)]
pub struct Witness(PathBuf);

static NUMBER: AtomicU64 = AtomicU64::new(0);

impl Witness {
    pub fn at(folder: &Path) -> Self {
        Self(folder.to_path_buf())
    }

    /// Somebody was given this secret: nobody may say it. Short ones could stand anywhere by chance.
    pub fn secret(&self, of: &str, secret: &str) {
        if secret.len() < 8 {
            return;
        }
        let line = serde_json::json!({ "of": of, "secret": secret });
        let file = OpenOptions::new().create(true).append(true).open(self.0.join("secrets.jsonl"));
        // One write: lines of tests that run side by side do not mix.
        heard(file.and_then(|mut file| file.write_all(format!("{line}\n").as_bytes())));
    }

    /// A program said this.
    pub fn said(&self, by: &str, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder = self.0.join("said");
        let file = folder.join(format!("{}-{number}-{by}.log", std::process::id()));
        heard(fs::create_dir_all(&folder).and_then(|()| fs::write(file, bytes)));
    }

    /// Every log in a folder that is about to go.
    pub fn logs_in(&self, by: &str, folder: &Path) {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.contains(".log") && path.is_file() {
                self.said(&format!("{by}-{name}"), &fs::read(&path).unwrap_or_default());
            }
        }
    }
}

#[expect(clippy::panic, reason = "a witness that heard nothing would find nothing")]
fn heard(kept: std::io::Result<()>) {
    if let Err(error) = kept {
        panic!("the folder of {VARIABLE} cannot be written: {error}");
    }
}

/// The witness of this run, if it has one.
pub fn present() -> Option<&'static Witness> {
    static PRESENT: OnceLock<Option<Witness>> = OnceLock::new();
    #[expect(clippy::disallowed_methods, reason = "the run names its folder by this one variable")]
    let find = || std::env::var_os(VARIABLE).filter(|folder| !folder.is_empty()).map(|folder| Witness(folder.into()));
    PRESENT.get_or_init(find).as_ref()
}

/// See [`Witness::secret`]; nothing without a witness.
pub fn secret(of: &str, secret: &str) {
    if let Some(witness) = present() {
        witness.secret(of, secret);
    }
}

/// See [`Witness::said`]; nothing without a witness.
pub fn said(by: &str, bytes: &[u8]) {
    if let Some(witness) = present() {
        witness.said(by, bytes);
    }
}

/// See [`Witness::logs_in`]; nothing without a witness.
pub fn logs_in(by: &str, folder: &Path) {
    if let Some(witness) = present() {
        witness.logs_in(by, folder);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_and_what_was_said_lie_where_the_search_looks_for_them() {
        let folder = tempfile::tempdir().unwrap();
        let witness = Witness::at(folder.path());
        let logs = tempfile::tempdir().unwrap();
        fs::write(logs.path().join("rollcall-agent.log.2026-11-22"), "a day's log").unwrap();
        fs::write(logs.path().join("identity.json"), "not a log").unwrap();

        witness.secret("a token", "canary-\"1\"");
        witness.secret("too short", "wrong");
        witness.said("rollcall", b"hello");
        witness.said("rollcall", b"");
        witness.logs_in("agent", logs.path());

        let secrets = fs::read_to_string(folder.path().join("secrets.jsonl")).unwrap();
        assert_eq!(secrets, "{\"of\":\"a token\",\"secret\":\"canary-\\\"1\\\"\"}\n");
        let files = fs::read_dir(folder.path().join("said")).unwrap();
        let mut said: Vec<String> = files.map(|file| fs::read_to_string(file.unwrap().path()).unwrap()).collect();
        said.sort();
        assert_eq!(said, ["a day's log", "hello"]);
    }
}
