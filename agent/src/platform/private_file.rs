//! Decides how a file that only this service may read comes to be: never half written, never readable in between.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::acl;

/// Writes a file of a folder that is ours whole: a new file beside it, synced, then put in its place, then the folder synced.
/// What a crash left beside it gives way.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let beside = path.with_extension("new");
    let _ = fs::remove_file(&beside);
    put(path, &beside, bytes)
}

/// The same where others keep their files: only one of this name gives way. `unique` tells the file beside from theirs.
pub fn write_among_others(path: &Path, bytes: &[u8], unique: Uuid) -> io::Result<()> {
    let mut beside = path.to_owned().into_os_string();
    beside.push(format!(".{unique}.new"));
    let beside = PathBuf::from(beside);
    let written = put(path, &beside, bytes);
    // One that was there before was not made by us, so nothing was written.
    if written.as_ref().is_err_and(|error| error.kind() != io::ErrorKind::AlreadyExists) {
        let _ = fs::remove_file(&beside);
    }
    written
}

fn put(path: &Path, beside: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = private().open(beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    drop(file);
    rename(beside, path)?;
    // A bare name lies in the current folder.
    let folder = path.parent().ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
    sync_folder(if folder.as_os_str().is_empty() { Path::new(".") } else { folder })
}

/// Puts a file in the place of another.
#[cfg(unix)]
pub fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)
}

/// Puts a file in the place of another. A virus scanner often holds a fresh file for a moment, and the name with it.
#[cfg(not(unix))]
pub fn rename(from: &Path, to: &Path) -> io::Result<()> {
    const ACCESS_DENIED: i32 = 5;
    const SHARING_VIOLATION: i32 = 32;
    for _ in 0..20 {
        match fs::rename(from, to) {
            Err(error) if matches!(error.raw_os_error(), Some(ACCESS_DENIED | SHARING_VIOLATION)) => {
                std::thread::sleep(std::time::Duration::from_millis(50));
            }
            done => return done,
        }
    }
    fs::rename(from, to)
}

/// Makes an empty file if there is none, and in any case one that only this service may read.
pub fn touch(path: &Path) -> io::Result<()> {
    match private().open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => tighten(path),
        Err(error) => Err(error),
    }
}

#[cfg(unix)]
fn tighten(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    if is_readable_by_others(path)? { fs::set_permissions(path, fs::Permissions::from_mode(0o600)) } else { Ok(()) }
}

/// On Windows the folder's access list decides; the installer sets it.
#[cfg(not(unix))]
fn tighten(path: &Path) -> io::Result<()> {
    fs::metadata(path).map(drop)
}

/// Fills the buffer with what lies there; for many short pieces, one call each.
#[cfg(unix)]
pub fn read_at(file: &File, at: u64, to: &mut [u8]) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, to, at)
}

/// Fills the buffer with what lies there.
#[cfg(not(unix))]
pub fn read_at(mut file: &File, at: u64, to: &mut [u8]) -> io::Result<()> {
    use std::io::{Read, Seek, SeekFrom};
    file.seek(SeekFrom::Start(at))?;
    file.read_exact(to)
}

/// Tells one file from another of the same name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileId(u64, u64);

#[cfg(unix)]
pub fn id(path: &Path) -> io::Result<FileId> {
    use std::os::unix::fs::MetadataExt;
    let metadata = fs::metadata(path)?;
    Ok(FileId(metadata.dev(), metadata.ino()))
}

/// Windows lets nobody remove or replace a file that SQLite holds open.
#[cfg(not(unix))]
pub fn id(path: &Path) -> io::Result<FileId> {
    fs::metadata(path).map(|_| FileId(0, 0))
}

/// Whether others than the owner can read the file.
pub fn is_readable_by_others(path: &Path) -> io::Result<bool> {
    acl::is_open(path)
}

/// Makes a folder that only this service may look into.
pub fn make_folder(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// A new, empty file for its owner alone.
pub fn create(path: &Path) -> io::Result<File> {
    private().open(path)
}

/// The same, gone with the process, however that ends. Here it has no name from the beginning.
#[cfg(unix)]
pub fn create_fleeting(path: &Path) -> io::Result<File> {
    let file = create(path)?;
    fs::remove_file(path)?;
    Ok(file)
}

/// The same, gone with the process, however that ends: Windows removes the file with its last handle.
#[cfg(not(unix))]
pub fn create_fleeting(path: &Path) -> io::Result<File> {
    use std::os::windows::fs::OpenOptionsExt;
    use windows_sys::Win32::Foundation::{GENERIC_READ, GENERIC_WRITE};
    use windows_sys::Win32::Storage::FileSystem::{DELETE, FILE_FLAG_DELETE_ON_CLOSE};
    private().access_mode(GENERIC_READ | GENERIC_WRITE | DELETE).custom_flags(FILE_FLAG_DELETE_ON_CLOSE).open(path)
}

/// Lets the owner start it.
#[cfg(unix)]
pub fn make_executable(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o700))
}

/// On Windows a program is told by its name.
#[cfg(not(unix))]
pub fn make_executable(path: &Path) -> io::Result<()> {
    fs::metadata(path).map(drop)
}

/// Makes the names in a folder outlast a power cut.
#[cfg(unix)]
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// NTFS keeps names in its own journal.
#[cfg(not(unix))]
pub fn sync_folder(_folder: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fleeting_file_is_gone_with_its_handle_and_can_be_read_until_then() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("drafts");
        let mut file = create_fleeting(&path).unwrap();
        file.write_all(b"somebody").unwrap();
        let mut read = [0; 4];

        read_at(&file, 4, &mut read).unwrap();

        assert_eq!(&read, b"body");
        drop(file);
        assert!(!path.exists());
    }

    #[cfg(unix)]
    #[test]
    fn a_private_file_is_for_its_owner_alone_and_replaces_the_old_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("identity.json");

        write(&path, b"old").unwrap();
        write(&path, b"new").unwrap();

        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert!(!is_readable_by_others(&path).unwrap());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_among_those_of_others_takes_no_other_name_than_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let unique = Uuid::from_u128(7);
        for theirs in ["report.new", "report.zip.new"] {
            fs::write(path(theirs), b"theirs").unwrap();
        }

        write_among_others(&path("report.zip"), b"first", unique).unwrap();
        write_among_others(&path("report.zip"), b"ours", unique).unwrap();
        fs::write(path(&format!("report.zip.{unique}.new")), b"theirs").unwrap();
        assert!(write_among_others(&path("report.zip"), b"third", unique).is_err());

        assert_eq!(fs::read(path("report.zip")).unwrap(), b"ours");
        let names = ["report.new", "report.zip.new", &format!("report.zip.{unique}.new")];
        assert!(names.iter().all(|name| fs::read(path(name)).unwrap() == b"theirs"));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 4);
    }
}
