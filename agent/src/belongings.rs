//! Names what the agent makes in its data folder beside the spool, so that whoever erases it, takes it away or blots it out
//! forgets nothing.

use std::io;
use std::path::Path;

pub const IDENTITY: &str = "identity.json";
/// An identity that has ended, until everything else is gone.
pub const ENDED: &str = "identity.ended.json";
/// An identity that could not be read, as it was before a new token took its place.
pub const BROKEN: &str = "identity.broken.json";
pub const PREVIOUS_KEY: &str = "previous-key.json";
/// The key of an enrolment that was begun.
pub const ENROLLING: &str = "enrolling.json";
/// A token that waits for the cloud.
pub const ENROLMENT: &str = "enrolment.json";
/// Room on the disk, held for what follows an enrolment.
pub const ROOM: &str = "room.tmp";
pub const DESIRED: &str = "desired.jws";
pub const REPORT: &str = "last-cycle.json";
pub const CEILING: &str = "ceiling.json";
pub const REACHED: &str = "reached.json";
pub const REFUSAL: &str = "refused.json";
/// That a reading began, until it ends.
pub const BEGUN: &str = "begun.json";
pub const LOCK: &str = "lock";
pub const VERSIONS: &str = "versions";
pub const LOGS: &str = "logs";

/// Files in which a secret lies.
pub const SECRETS: [&str; 4] = [IDENTITY, PREVIOUS_KEY, ENROLLING, ENROLMENT];

/// What says nothing to another agent in the same folder.
const OF_THIS_ONE: [&str; 6] = [DESIRED, REPORT, CEILING, REACHED, BEGUN, PREVIOUS_KEY];
/// What an agent that has ended forgets too, beside its spool, its identity, and a token that waits to make it another one.
const OF_THE_AGENT: [&str; 3] = [REFUSAL, ENROLLING, BROKEN];
const OF_THE_FOLDER: [&str; 5] = [IDENTITY, ENDED, ENROLMENT, ROOM, LOCK];
const FOLDERS: [&str; 2] = [VERSIONS, LOGS];

/// Removes what an agent before this one was told and has told.
pub fn forget_predecessor(folder: &Path) {
    for name in OF_THIS_ONE {
        forget(&folder.join(name));
    }
}

/// Removes what belongs to the agent that was.
pub fn forget_agent(folder: &Path) {
    forget_predecessor(folder);
    for name in OF_THE_AGENT {
        forget(&folder.join(name));
    }
    // The identity itself goes last, under another name; this is one that was never put in its place.
    let _ = std::fs::remove_file(folder.join(IDENTITY).with_extension("new"));
}

/// Removes everything of ours in a folder that is not ours, and the folder if nothing else was in it.
pub fn remove_all(folder: &Path, remove_folder: impl Fn(&Path) -> io::Result<()>) -> io::Result<()> {
    forget_agent(folder);
    for name in OF_THE_FOLDER {
        forget(&folder.join(name));
    }
    let removed = FOLDERS.map(|name| remove_folder(&folder.join(name)).or_else(absent));
    let _ = std::fs::remove_dir(folder);
    removed.into_iter().collect()
}

/// A crash may have left the file beside, in which the next one of this name was being written.
fn forget(file: &Path) {
    let _ = std::fs::remove_file(file);
    let _ = std::fs::remove_file(file.with_extension("new"));
}

/// What is not there need not be removed.
pub fn absent(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn everything_of_ours_goes_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let names = OF_THIS_ONE.into_iter().chain(OF_THE_AGENT).chain(OF_THE_FOLDER).chain(SECRETS);
        for name in names.chain(["desired.new", "somebody's.txt"]) {
            fs::write(folder.path().join(name), "x").unwrap();
        }
        for name in FOLDERS {
            fs::create_dir_all(folder.path().join(name).join("deep")).unwrap();
        }

        remove_all(folder.path(), |folder| fs::remove_dir_all(folder)).unwrap();

        let left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["somebody's.txt"]);
    }

    #[test]
    fn a_folder_that_held_nothing_else_goes_too() {
        let folder = tempfile::tempdir().unwrap();
        let ours = folder.path().join("ours");
        fs::create_dir(&ours).unwrap();

        remove_all(&ours, |folder| fs::remove_dir_all(folder)).unwrap();

        assert!(!ours.exists());
    }
}
