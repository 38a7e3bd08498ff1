//! Keeps the small files beside the spool: the instructions in force, the last cycle's end, and the lock.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;

use chrono::{DateTime, Utc};
use rollcall_protocol::catalogue;
use rollcall_protocol::ceiling::Ceiling;
use rollcall_protocol::checkin::CycleReport;
use rollcall_protocol::desired::DesiredState;
use rollcall_protocol::hash::Hash;
use serde::{Deserialize, Serialize};

use crate::belongings::{CEILING, DESIRED, LOCK, REACHED, REFUSAL, REPORT};
use crate::clock::Clock;
use crate::cloud::checkin::{self, InForce, Instructions};
use crate::config::Config;
use crate::cycle::Reached;
use crate::diagnostic::Diagnostic;
use crate::directory::ceiling;
use crate::exit::Exit;
use crate::identity::Identity;
use crate::platform::private_file;
use crate::spool::state::State;

/// Held as long as a process may write the data folder.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// Makes the data folder if need be and takes its lock.
pub fn lock(folder: &Path) -> Result<Lock, Diagnostic> {
    let not_writable = |error: io::Error| Diagnostic::not_writable(folder, &error);
    private_file::make_folder(folder).map_err(not_writable)?;
    let path = folder.join(LOCK);
    // On a full or read-only disk the lock of an earlier start is as good.
    let file = File::create(&path).or_else(|error| File::open(&path).map_err(|_| error)).map_err(not_writable)?;
    match file.try_lock() {
        Ok(()) => Ok(Lock { _file: file }),
        Err(TryLockError::WouldBlock) => {
            Err(Diagnostic::new(catalogue::ALREADY_RUNNING, folder.display(), Exit::Failed))
        }
        Err(TryLockError::Error(error)) => Err(not_writable(error)),
    }
}

/// Whether a service holds the folder right now.
pub fn is_locked(folder: &Path) -> bool {
    let file = File::open(folder.join(LOCK));
    file.is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

/// The instructions in force, checked again as if they had just come: a file is no more trusted than the line.
/// One that is older than what was obeyed before was put there by somebody else.
pub fn find_desired(folder: &Path, identity: &Identity, state: Option<&State>) -> Option<DesiredState> {
    let text = std::fs::read_to_string(folder.join(DESIRED)).ok()?;
    match checkin::read(text, identity, in_force(state)) {
        Instructions::New { desired, .. } => Some(*desired),
        Instructions::AsBefore => None,
        Instructions::Refused(disobey) => {
            tracing::warn!(%disobey, "the stored instructions are not obeyed");
            None
        }
    }
}

/// What instructions that were kept say of the time: a restart must not shorten or lengthen a pause.
pub fn vouch(clock: &Clock, folder: &Path, desired: Option<&DesiredState>) {
    if let (Some(desired), Some(here)) = (desired, find_arrival(folder)) {
        clock.vouch(desired.issued_at, here);
    }
}

/// When the instructions that lie here came, by the clock of this machine.
pub fn find_arrival(folder: &Path) -> Option<DateTime<Utc>> {
    Some(std::fs::metadata(folder.join(DESIRED)).ok()?.modified().ok()?.into())
}

/// What instructions must fit to, as far as the spool knows it.
pub fn in_force(state: Option<&State>) -> InForce<'_> {
    InForce { domain: state.and_then(|state| state.domain.as_ref()), version: state.map_or(0, |state| state.obeyed) }
}

/// Keeps the signed text of the instructions, so that they stay in force when the cloud is away.
pub fn save_desired(folder: &Path, text: &str) -> io::Result<()> {
    let path = folder.join(DESIRED);
    // The file's time says when they came; shown again they came no later.
    if std::fs::read(&path).is_ok_and(|kept| kept == text.as_bytes()) {
        return Ok(());
    }
    private_file::write(&path, text.as_bytes())
}

/// How the last cycle ended, if there was one.
pub fn find_report(folder: &Path) -> Option<CycleReport> {
    serde_json::from_slice(&std::fs::read(folder.join(REPORT)).ok()?).ok()
}

/// A sign-in that the directory refused, and what it was made with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    pub at: DateTime<Utc>,
    /// See [`Config::sign_in_mark`].
    pub sign_in: Hash,
    /// When somebody's order last sent it once more, in vain. An agent that did not know of this kept none.
    #[serde(default)]
    pub insisted_at: Option<DateTime<Utc>>,
}

/// The refusal of the last reading, if it ended so.
pub fn find_refusal(folder: &Path) -> Option<Refusal> {
    serde_json::from_slice(&std::fs::read(folder.join(REFUSAL)).ok()?).ok()
}

pub fn save_refusal(folder: &Path, refusal: &Refusal) {
    let saved = serde_json::to_vec(refusal).map_err(io::Error::from);
    if let Err(error) = saved.and_then(|json| private_file::write(&folder.join(REFUSAL), &json)) {
        tracing::warn!(%error, "that the sign-in was refused could not be kept");
    }
}

pub fn forget_refusal(folder: &Path) {
    let _ = std::fs::remove_file(folder.join(REFUSAL));
}

/// Keeps it for `status`. Losing it loses nothing that matters.
pub fn save_report(folder: &Path, report: &CycleReport) {
    let saved = serde_json::to_vec(report).map_err(io::Error::from);
    if let Err(error) = saved.and_then(|json| private_file::write(&folder.join(REPORT), &json)) {
        tracing::warn!(%error, "the report of the last cycle could not be kept");
    }
}

/// What the file on this machine keeps back: as it took effect in the last reading, or as it is written since.
pub fn ceiling(config: &Config) -> Option<Ceiling> {
    let (attributes, places) = (config.privacy.attributes().ok()?, config.privacy.never_read().ok()?);
    let last = std::fs::read(config.data_dir.join(CEILING)).ok();
    let last = last.and_then(|json| serde_json::from_slice(&json).ok());
    Some(ceiling::tell_before_reading(&attributes, &places, last))
}

/// Keeps the effect for the next start. Losing it loses nothing that matters.
pub fn save_ceiling(folder: &Path, ceiling: &Ceiling) {
    let saved = serde_json::to_vec(ceiling).map_err(io::Error::from);
    if let Err(error) = saved.and_then(|json| private_file::write(&folder.join(CEILING), &json)) {
        tracing::warn!(%error, "the effect of the local ceiling could not be kept");
    }
}

/// How the directory was reached last, if it ever was.
pub fn find_reached(folder: &Path) -> Option<Reached> {
    serde_json::from_slice(&std::fs::read(folder.join(REACHED)).ok()?).ok()
}

/// Keeps it for `status` and for the next check-in.
pub fn save_reached(folder: &Path, reached: &Reached) {
    if find_reached(folder).as_ref() == Some(reached) {
        return;
    }
    let saved = serde_json::to_vec(reached).map_err(io::Error::from);
    if let Err(error) = saved.and_then(|json| private_file::write(&folder.join(REACHED), &json)) {
        tracing::warn!(%error, "how the directory was reached could not be kept");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instructions_that_are_shown_again_came_no_later() {
        let folder = tempfile::tempdir().unwrap();
        save_desired(folder.path(), "signed").unwrap();
        let long_ago = std::time::SystemTime::UNIX_EPOCH;
        File::options().write(true).open(folder.path().join(DESIRED)).unwrap().set_modified(long_ago).unwrap();

        save_desired(folder.path(), "signed").unwrap();
        assert_eq!(find_arrival(folder.path()), Some(DateTime::UNIX_EPOCH));
        save_desired(folder.path(), "signed anew").unwrap();

        assert!(find_arrival(folder.path()) > Some(DateTime::UNIX_EPOCH));
    }

    #[test]
    fn a_refusal_that_an_older_agent_noted_is_understood() {
        let folder = tempfile::tempdir().unwrap();
        let refusal = Refusal { at: DateTime::UNIX_EPOCH, sign_in: Hash::of(b"s"), insisted_at: None };
        let mut old = serde_json::to_value(refusal).unwrap();
        old.as_object_mut().unwrap().remove("insisted_at");

        std::fs::write(folder.path().join(REFUSAL), old.to_string()).unwrap();

        assert_eq!(find_refusal(folder.path()), Some(refusal));
    }

    #[test]
    fn one_process_at_a_time_writes_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let held = lock(folder.path()).unwrap();

        let second = lock(folder.path()).unwrap_err();

        assert_eq!(second.fault.code, "RC-1011");
        assert!(is_locked(folder.path()));
        drop(held);
        assert!(!is_locked(folder.path()));
        assert!(lock(folder.path()).is_ok());
    }
}
