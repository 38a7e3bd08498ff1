//! Keeps the small things beside the spool that the next start should know. Losing one loses nothing that matters.

use std::io;
use std::marker::PhantomData;
use std::path::Path;

use chrono::{DateTime, Utc};
use rollcall_protocol::ceiling::Ceiling;
use rollcall_protocol::checkin::CycleReport;
use rollcall_protocol::hash::Hash;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::belongings;
use crate::config::Config;
use crate::cycle::Reached;
use crate::directory::ceiling;
use crate::platform::private_file;

/// How the last cycle ended.
pub const REPORT: Kept<CycleReport> = Kept::new(belongings::REPORT, "the report of the last cycle");
/// How the directory was reached last.
pub const REACHED: Kept<Reached> = Kept::new(belongings::REACHED, "how the directory was reached");
/// The refusal of the last reading, if it ended so.
pub const REFUSAL: Kept<Refusal> = Kept::new(belongings::REFUSAL, "that the sign-in was refused");
/// The effect of the local ceiling in the last reading.
pub const CEILING: Kept<Ceiling> = Kept::new(belongings::CEILING, "the effect of the local ceiling");

/// One thing in a file of its own.
#[derive(Debug)]
pub struct Kept<T> {
    file: &'static str,
    /// In words, for the log.
    what: &'static str,
    kind: PhantomData<fn() -> T>,
}

impl<T> Kept<T> {
    pub const fn new(file: &'static str, what: &'static str) -> Self {
        Self { file, what, kind: PhantomData }
    }

    pub fn forget(&self, folder: &Path) {
        let _ = std::fs::remove_file(folder.join(self.file));
    }
}

impl<T: DeserializeOwned> Kept<T> {
    /// A file that cannot be read is as good as none.
    pub fn find(&self, folder: &Path) -> Option<T> {
        serde_json::from_slice(&std::fs::read(folder.join(self.file)).ok()?).ok()
    }
}

impl<T: Serialize> Kept<T> {
    pub fn save(&self, folder: &Path, value: &T) {
        let saved = serde_json::to_vec(value).map_err(io::Error::from);
        if let Err(error) = saved.and_then(|json| write_if_other(&folder.join(self.file), &json)) {
            tracing::warn!(%error, "{} could not be kept", self.what);
        }
    }
}

/// Leaves a file alone that says the same already.
pub fn write_if_other(path: &Path, text: &[u8]) -> io::Result<()> {
    if std::fs::read(path).is_ok_and(|kept| kept == text) {
        return Ok(());
    }
    private_file::write(path, text)
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

/// Keeps that the directory refused this sign-in. When somebody's order insisted on it last stays known.
pub fn note_refusal(config: &Config, at: DateTime<Utc>) {
    let insisted_at = REFUSAL.find(&config.data_dir).and_then(|before| before.insisted_at);
    REFUSAL.save(&config.data_dir, &Refusal { at, sign_in: config.sign_in_mark(), insisted_at });
}

/// What the file on this machine keeps back: as it took effect in the last reading, or as it is written since.
pub fn ceiling(config: &Config) -> Option<Ceiling> {
    let (attributes, places) = (config.privacy.attributes().ok()?, config.privacy.never_read().ok()?);
    Some(ceiling::tell_before_reading(&attributes, &places, CEILING.find(&config.data_dir)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_that_an_older_agent_noted_is_understood() {
        let folder = tempfile::tempdir().unwrap();
        let refusal = Refusal { at: DateTime::UNIX_EPOCH, sign_in: Hash::of(b"s"), insisted_at: None };
        let mut old = serde_json::to_value(refusal).unwrap();
        old.as_object_mut().unwrap().remove("insisted_at");

        std::fs::write(folder.path().join(belongings::REFUSAL), old.to_string()).unwrap();

        assert_eq!(REFUSAL.find(folder.path()), Some(refusal));
    }
}
