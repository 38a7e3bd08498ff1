//! Decides who may look into the agent's folder: the system, administrators and the service, nobody else.
//!
//! Elsewhere than on Windows the mode of files and folders says the same (`private_file`).

use std::io;
use std::path::Path;

#[cfg(windows)]
mod windows;

/// The service's own identity, `NT SERVICE\RollcallAgent`: `S-1-5-80-` and the SHA-1 of the upper-case name, as
/// `sc.exe showsid RollcallAgent` prints it. The same under every account the service may run as.
pub const SERVICE_SID: &str = "S-1-5-80-1634965499-3083482521-2318770455-3675206821-2644386314";

/// Owner Administrators; protected, so nothing comes down from `ProgramData`; full control for these, inherited below.
#[cfg(any(windows, test))]
fn access_list(account: Option<&str>) -> String {
    let named = ["SY", "BA", SERVICE_SID].into_iter().chain(account);
    named.fold("O:BAD:P".to_owned(), |list, who| list + "(A;OICI;FA;;;" + who + ")")
}

/// Closes a folder and everything in it to everybody else.
pub fn guard(folder: &Path) -> io::Result<()> {
    #[cfg(windows)]
    return windows::guard(folder);
    #[cfg(not(windows))]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700))
    }
}

/// What accounts may do with a file or folder that are neither the system, nor administrators, nor the service, nor its
/// owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Openness {
    Closed,
    Readable,
    /// They may have put something there.
    Writable,
}

pub fn openness(path: &Path) -> io::Result<Openness> {
    #[cfg(windows)]
    return windows::openness(path);
    #[cfg(not(windows))]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(path)?.permissions().mode();
        Ok(match (mode & 0o022, mode & 0o077) {
            (0, 0) => Openness::Closed,
            (0, _) => Openness::Readable,
            (_, _) => Openness::Writable,
        })
    }
}

/// Whether others may at least read it.
pub fn is_open(path: &Path) -> io::Result<bool> {
    Ok(openness(path)? != Openness::Closed)
}

/// Whether the folder was made by somebody who might as well be an attacker: every user may make folders below
/// `ProgramData`, and an owner can always let himself in.
pub fn is_foreign(folder: &Path) -> io::Result<bool> {
    // A link could lead anywhere.
    if std::fs::symlink_metadata(folder)?.is_symlink() {
        return Ok(true);
    }
    #[cfg(windows)]
    return windows::is_foreign(folder);
    #[cfg(not(windows))]
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_administrators_the_service_and_its_chosen_account_get_in_and_nobody_else() {
        let list = |account| access_list(account).replace(SERVICE_SID, "SERVICE");

        assert_eq!(list(None), "O:BAD:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;FA;;;SERVICE)");
        assert_eq!(list(Some("S-1-5-21-1-2-3-1107")), list(None) + "(A;OICI;FA;;;S-1-5-21-1-2-3-1107)");
    }

    #[cfg(unix)]
    #[test]
    fn a_guarded_folder_is_closed_and_a_link_is_foreign() {
        let folder = tempfile::tempdir().unwrap();
        let open = folder.path().join("open");
        std::fs::create_dir(&open).unwrap();
        std::os::unix::fs::symlink(&open, folder.path().join("link")).unwrap();

        guard(&open).unwrap();

        assert!(!is_open(&open).unwrap());
        assert!(!is_foreign(&open).unwrap());
        assert!(is_foreign(&folder.path().join("link")).unwrap());
    }
}
