//! Keeps a token that an installation brought until the cloud could be reached: sealed, in the closed folder, and not a
//! moment longer than it can be of use.

use std::fs;
use std::path::{Path, PathBuf};

use rollcall_protocol::checkin::Problem;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::belongings;
use crate::diagnostic::Diagnostic;
use crate::platform::{private_file, secret};

/// What the installation ordered.
#[derive(Debug, Clone)]
pub struct Order {
    pub token: SecretString,
    /// The token must be of this cloud, where one was named.
    pub cloud_url: Option<String>,
}

/// What lies there.
#[derive(Debug, Clone)]
pub enum Pending {
    Waits(Order),
    /// The token was of no use, for this reason; it is not kept.
    Refused(Problem),
}

/// The file's form.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
enum Stored {
    Waits { sealed_token: String, cloud_url: Option<String> },
    Refused(Problem),
}

fn path(folder: &Path) -> PathBuf {
    folder.join(belongings::ENROLMENT)
}

/// What was ordered, if anything. A file that cannot be read is as good as none: a new token replaces it.
pub fn find(folder: &Path) -> Option<Pending> {
    let stored = serde_json::from_slice(&fs::read(path(folder)).ok()?).ok()?;
    match stored {
        Stored::Refused(problem) => Some(Pending::Refused(problem)),
        Stored::Waits { sealed_token, cloud_url } => {
            let token = String::from_utf8(secret::open(&sealed_token).ok()?.to_vec()).ok()?;
            Some(Pending::Waits(Order { token: SecretString::from(token), cloud_url }))
        }
    }
}

pub fn save(folder: &Path, token: &str, cloud_url: Option<String>) -> Result<(), Diagnostic> {
    let sealed_token =
        secret::seal(token.trim().as_bytes()).map_err(|error| Diagnostic::not_writable(folder, &error))?;
    write(folder, &Stored::Waits { sealed_token, cloud_url })
}

/// Keeps why the token was refused, in place of the token.
pub fn refuse(folder: &Path, problem: Problem) -> Result<(), Diagnostic> {
    write(folder, &Stored::Refused(problem))
}

pub fn remove(folder: &Path) {
    let _ = fs::remove_file(path(folder));
}

fn write(folder: &Path, stored: &Stored) -> Result<(), Diagnostic> {
    let text = serde_json::to_vec(stored).map_err(Diagnostic::unexpected)?;
    private_file::write(&path(folder), &text).map_err(|error| Diagnostic::not_writable(folder, &error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::DateTime;
    use secrecy::ExposeSecret;

    #[test]
    fn a_token_waits_and_is_gone_once_it_was_refused() {
        let folder = tempfile::tempdir().unwrap();
        save(folder.path(), " eyJ0.a.b\r\n", Some("https://rollcall.example".to_owned())).unwrap();
        let Some(Pending::Waits(order)) = find(folder.path()) else { panic!("nothing waits") };
        assert_eq!(order.token.expose_secret(), "eyJ0.a.b");
        assert!(!format!("{order:?}").contains("eyJ0"));

        let problem = Problem { code: "RC-3101".into(), detail: "used".into(), since: DateTime::UNIX_EPOCH };
        refuse(folder.path(), problem).unwrap();

        assert!(matches!(find(folder.path()), Some(Pending::Refused(problem)) if problem.detail == "used"));
        assert!(!fs::read_to_string(path(folder.path())).unwrap().contains("sealed_token"));
    }
}
