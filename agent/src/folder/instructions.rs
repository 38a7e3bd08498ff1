//! Keeps the instructions in force beside the spool, so that they stay in force when the cloud is away.

use std::io;
use std::path::Path;

use chrono::{DateTime, Utc};
use rollcall_protocol::desired::DesiredState;

use super::kept;
use crate::belongings::DESIRED;
use crate::clock::Clock;
use crate::cloud::checkin::{self, InForce, Instructions};
use crate::identity::Identity;
use crate::spool::state::State;

/// The instructions in force, checked again as if they had just come: a file is no more trusted than the line.
/// One that is older than what was obeyed before was put there by somebody else.
pub fn find(folder: &Path, identity: &Identity, state: Option<&State>) -> Option<DesiredState> {
    let text = std::fs::read_to_string(folder.join(DESIRED)).ok()?;
    match checkin::read(text, identity, in_force(state, None)) {
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

/// What instructions must fit to, as far as the spool and those that are kept know it.
pub fn in_force<'a>(state: Option<&'a State>, desired: Option<&'a DesiredState>) -> InForce<'a> {
    let domain = state.and_then(|state| state.domain.as_ref());
    InForce { domain, version: state.map_or(0, |state| state.obeyed), desired }
}

/// Keeps their signed text.
pub fn save(folder: &Path, text: &str) -> io::Result<()> {
    // The file's time says when they came; shown again they came no later.
    kept::write_if_other(&folder.join(DESIRED), text.as_bytes())
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    #[test]
    fn instructions_that_are_shown_again_came_no_later() {
        let folder = tempfile::tempdir().unwrap();
        save(folder.path(), "signed").unwrap();
        let long_ago = std::time::SystemTime::UNIX_EPOCH;
        File::options().write(true).open(folder.path().join(DESIRED)).unwrap().set_modified(long_ago).unwrap();

        save(folder.path(), "signed").unwrap();
        assert_eq!(find_arrival(folder.path()), Some(DateTime::UNIX_EPOCH));
        save(folder.path(), "signed anew").unwrap();

        assert!(find_arrival(folder.path()) > Some(DateTime::UNIX_EPOCH));
    }
}
