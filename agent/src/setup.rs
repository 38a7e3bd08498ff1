//! The installer's steps on this machine, called by the MSI and by nobody else: what an installation leaves and what an
//! uninstallation takes away.

use std::fs;
use std::io::{self, Read as _};
use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use rollcall_protocol::enrol::EnrolToken;
use rollcall_protocol::{catalogue, limits};
use secrecy::{ExposeSecret, SecretString};
use toml_edit::{DocumentMut, Item, Table, value};
use zeroize::Zeroizing;

use crate::belongings;
use crate::clock::Clock;
use crate::config::{self, Config};
use crate::diagnostic::Diagnostic;
use crate::exit::Exit;
use crate::folder::{attempt, erasure, pending};
use crate::identity::Identity;
use crate::platform::acl::{self, Openness};
use crate::platform::private_file;
use crate::spool;

const UPGRADING: &str = "upgrading";
/// An installation is under way that has brought a token.
const BROUGHT: &str = "token-brought";

/// What the installation was told.
#[derive(Debug)]
pub struct Wishes {
    pub token: Option<SecretString>,
    pub cloud_url: Option<String>,
    pub proxy: Option<SecretString>,
}

/// Prepares the folder, writes the configuration, and keeps the token for the service's first start.
///
/// An identity that is there stays: an upgrade or a repair enrols nobody anew.
pub fn install(wishes: &Wishes, config_path: &Path, clock: &Clock) -> Result<(), Diagnostic> {
    let home = config_path.parent().unwrap_or(config_path);
    make_home(home).map_err(|error| Diagnostic::not_writable(home, &error))?;
    for note in [UPGRADING, BROUGHT] {
        let _ = fs::remove_file(home.join(note));
    }
    write_config(config_path, wishes.proxy.as_ref().map(ExposeSecret::expose_secret))?;
    // A mistake in it is the service's to tell: an upgrade must not fail on it.
    let folder = Config::read(config_path).map_or_else(|_| home.to_owned(), |config| config.data_dir);
    private_file::make_folder(&folder)
        .and_then(|()| acl::guard(&folder))
        .map_err(|error| Diagnostic::not_writable(&folder, &error))?;
    // A broken identity is no agent either, and a token is what replaces it.
    let is_agent = !matches!(Identity::find(&folder), Ok(None)) && !Identity::is_broken(&folder);
    match &wishes.token {
        Some(token) if !is_agent => {
            note(&home.join(BROUGHT), clock)?;
            pending::save(&folder, token.expose_secret(), wishes.cloud_url.clone())
        }
        Some(_) | None => Ok(()),
    }
}

/// The token that lies in a file, so that no command line shows it. Whoever calls removes the file; one that holds no token
/// is somebody else's and an error.
pub fn read_token(file: &Path) -> Result<SecretString, Diagnostic> {
    let mut text = Zeroizing::new(String::new());
    let read = fs::File::open(file).and_then(|file| file.take(limits::JWS as u64 + 5).read_to_string(&mut text));
    read.map_err(|error| Diagnostic::not_writable(file, &error))?;
    // Windows PowerShell begins a file with a mark of its encoding.
    let token = text.trim_start_matches('\u{feff}').trim();
    let none = || Diagnostic::new(catalogue::TOKEN_REFUSED, format!("{} holds no token", file.display()), Exit::Failed);
    EnrolToken::peek(token).map_err(|_| none())?;
    Ok(SecretString::from(token.to_owned()))
}

/// The template where there is no file yet; what is there stays but for the proxy.
fn write_config(path: &Path, proxy: Option<&str>) -> Result<(), Diagnostic> {
    let found = match fs::read_to_string(path) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(Diagnostic::not_writable(path, &error)),
    };
    let text = with_proxy(found.as_deref().unwrap_or(config::TEMPLATE), proxy)?;
    if found.as_deref() == Some(&text) {
        return Ok(());
    }
    private_file::write(path, text.as_bytes()).map_err(|error| Diagnostic::not_writable(path, &error))
}

/// Forgets the token of an installation that was rolled back. One that waited before it stays, and so does the key that it
/// may have been shown with: a repair or an upgrade brings none.
pub fn withdraw(config: &Result<Config, Diagnostic>, config_path: &Path, clock: &Clock) {
    let brought = config_path.with_file_name(BROUGHT);
    if let (Ok(config), true) = (config, is_recent(&brought, clock.now())) {
        pending::remove(&config.data_dir);
        attempt::end(&config.data_dir);
    }
    let _ = fs::remove_file(brought);
}

/// Notes that a newer version takes over within minutes. Windows Installer tells the old version so itself; but a lost
/// identity is dear, and this word of our own costs nothing.
pub fn announce(config_path: &Path, clock: &Clock) -> Result<(), Diagnostic> {
    note(&config_path.with_file_name(UPGRADING), clock)
}

fn note(mark: &Path, clock: &Clock) -> Result<(), Diagnostic> {
    fs::write(mark, clock.now().to_rfc3339()).map_err(|error| Diagnostic::not_writable(mark, &error))
}

/// A note counts for a quarter of an hour: an upgrade that failed must not keep a later removal from its work.
fn is_recent(mark: &Path, now: DateTime<Utc>) -> bool {
    let noted = fs::read_to_string(mark).ok();
    let noted = noted.and_then(|text| DateTime::parse_from_rfc3339(text.trim()).ok());
    noted.is_some_and(|noted| (now - noted.to_utc()).abs() < TimeDelta::minutes(15))
}

/// Takes away what the agent kept here: its key, its spool, its logs and the versions it fetched. A data folder elsewhere
/// loses the same by name; what others put there is not ours to delete.
pub fn remove(config: &Result<Config, Diagnostic>, config_path: &Path, clock: &Clock) -> Result<(), Diagnostic> {
    let home = config_path.parent().unwrap_or(config_path);
    if is_recent(&home.join(UPGRADING), clock.now()) {
        return Ok(());
    }
    let erased = match config {
        Ok(config) if !config.data_dir.starts_with(home) => remove_ours(&config.data_dir, clock),
        Ok(_) | Err(_) => Ok(()),
    };
    match remove_patiently(home) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Diagnostic::not_writable(home, &error)),
        Ok(()) | Err(_) => erased,
    }
}

/// Who was read is overwritten before the file goes.
fn remove_ours(folder: &Path, clock: &Clock) -> Result<(), Diagnostic> {
    erasure::erase(folder, clock.now())?;
    let removed = spool::remove_files(folder).and_then(|()| belongings::remove_all(folder, remove_patiently));
    removed.map_err(|error| Diagnostic::not_writable(folder, &error))
}

/// A fetched version may take a moment longer to end than the service above it, and Windows deletes no running program.
fn remove_patiently(folder: &Path) -> io::Result<()> {
    for _ in 0..50 {
        match fs::remove_dir_all(folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => std::thread::sleep(Duration::from_millis(200)),
            done => return done,
        }
    }
    fs::remove_dir_all(folder)
}

/// A folder of our own making, closed to others. One that an ordinary user made beforehand is set aside.
fn make_home(home: &Path) -> io::Result<()> {
    if fs::symlink_metadata(home).is_ok() && acl::is_foreign(home)? {
        let aside = home.with_extension("set-aside");
        tracing::warn!(aside = %aside.display(), "the data folder was made by somebody else and is set aside");
        fs::rename(home, aside)?;
    }
    fs::create_dir_all(home)?;
    match acl::openness(home)? {
        Openness::Writable => set_strangers_aside(home)?,
        // Whoever could only read has put nothing there: a file of another owner is of the account that the service ran as.
        Openness::Readable | Openness::Closed => {}
    }
    acl::guard(home)
}

/// What others may have put into a folder that was open until now: a configuration of theirs is none of ours.
fn set_strangers_aside(home: &Path) -> io::Result<()> {
    for entry in fs::read_dir(home)? {
        let path = entry?.path();
        if acl::is_foreign(&path)? {
            let mut aside = path.clone().into_os_string();
            aside.push(".set-aside");
            fs::rename(&path, aside)?;
        }
    }
    Ok(())
}

/// The configuration with this proxy; comments and everything else stay.
fn with_proxy(text: &str, proxy: Option<&str>) -> Result<String, Diagnostic> {
    let Some(proxy) = proxy else { return Ok(text.to_owned()) };
    let unreadable = |what: String| Diagnostic::new(catalogue::CONFIG_UNREADABLE, what, Exit::Usage);
    let mut document: DocumentMut =
        text.parse().map_err(|error: toml_edit::TomlError| unreadable(error.message().to_owned()))?;
    let cloud = document.entry("cloud").or_insert_with(|| Item::Table(Table::new()));
    let cloud = cloud.as_table_like_mut().ok_or_else(|| unreadable("cloud is no section".to_owned()))?;
    cloud.insert("proxy", value(proxy));
    Ok(document.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Proxy;
    use crate::folder::pending::Pending;

    fn wishes(token: Option<&str>, proxy: Option<&str>) -> Wishes {
        Wishes {
            token: token.map(|token| SecretString::from(token.to_owned())),
            cloud_url: None,
            proxy: proxy.map(|proxy| SecretString::from(proxy.to_owned())),
        }
    }

    /// A configuration that keeps the data beside itself, as in `ProgramData`.
    fn prepared() -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().join("Rollcall");
        fs::create_dir(&home).unwrap();
        let path = home.join("agent.toml");
        fs::write(&path, format!("data_dir = {home:?}\n# mine\n[cycle]\nsecond_reading_seconds = 7\n")).unwrap();
        (folder, path)
    }

    #[test]
    fn an_installation_keeps_the_token_sealed_and_what_was_configured_before() {
        let (_folder, path) = prepared();

        install(
            &wishes(Some("eyJ0.a.b"), Some("http://proxy.lab.example:3128")),
            &path,
            &Clock::fixed(DateTime::UNIX_EPOCH),
        )
        .unwrap();

        let config = Config::read(&path).unwrap();
        assert_eq!(config.cloud.proxy, Some(Proxy::At("http://proxy.lab.example:3128".into())));
        assert_eq!(config.cycle.second_reading_seconds, 7);
        assert!(fs::read_to_string(&path).unwrap().contains("# mine"));
        assert!(matches!(pending::find(&config.data_dir), Some(Pending::Waits(_))));
        assert!(!acl::is_open(&config.data_dir).unwrap());
    }

    #[test]
    fn a_token_is_read_from_a_file_as_powershell_writes_it_and_nothing_else_is_taken_for_one() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        let token = EnrolToken {
            iss: uuid::Uuid::from_u128(1),
            url: "https://rollcall.example".into(),
            customer: uuid::Uuid::from_u128(2),
            jti: "AAAAAAAAAAAAAAAAAAAAAA".into(),
            exp: 100,
        };
        let token = token.sign(&rollcall_protocol::key::PrivateKey::from_seed(&[1; 32])).unwrap();
        for text in [token.clone(), format!("\u{feff}{token}\r\n")] {
            fs::write(&file, text).unwrap();
            assert_eq!(read_token(&file).unwrap().expose_secret(), token);
        }

        fs::write(&file, "somebody's letter").unwrap();
        assert_eq!(read_token(&file).unwrap_err().fault, catalogue::TOKEN_REFUSED);
        fs::write(&file, vec![0xff; 100]).unwrap();
        assert_eq!(read_token(&file).unwrap_err().fault, catalogue::NOT_WRITABLE);
        assert_eq!(read_token(&folder.path().join("none")).unwrap_err().fault, catalogue::NOT_WRITABLE);
    }

    #[test]
    fn a_token_over_a_broken_identity_waits_to_replace_it() {
        let (_folder, path) = prepared();
        let home = path.parent().unwrap();
        private_file::write(&Identity::path(home), &[0; 900]).unwrap();

        install(&wishes(Some("eyJ0.a.b"), None), &path, &Clock::fixed(DateTime::UNIX_EPOCH)).unwrap();

        assert!(matches!(pending::find(home), Some(Pending::Waits(_))));
    }

    #[test]
    fn a_rolled_back_installation_forgets_the_token_it_brought_and_none_that_waited_before() {
        let (_folder, path) = prepared();
        let at = |minutes| Clock::fixed(DateTime::UNIX_EPOCH + TimeDelta::minutes(minutes));
        let home = path.parent().unwrap();
        let key = || attempt::begin(home, "eyJ0.a.b", &crate::clock::Chance::seeded(1)).unwrap().id();
        install(&wishes(Some("eyJ0.a.b"), None), &path, &at(0)).unwrap();
        let shown = key();

        // An upgrade without a token fails after its step and, another time, before it.
        install(&wishes(None, None), &path, &at(60)).unwrap();
        withdraw(&Config::read(&path), &path, &at(61));
        withdraw(&Config::read(&path), &path, &at(90));
        assert!(pending::find(home).is_some());
        assert_eq!(key(), shown);

        install(&wishes(Some("eyJ0.c.d"), None), &path, &at(120)).unwrap();
        withdraw(&Config::read(&path), &path, &at(121));
        assert!(pending::find(home).is_none());
    }

    #[cfg(unix)]
    #[test]
    fn a_folder_that_others_could_read_loses_nothing_and_one_that_they_could_write_whatever_they_put_there() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let (folder, path) = prepared();
        let home = path.parent().unwrap();
        let theirs = home.join("identity.json");
        // Here a link is what somebody else has made.
        symlink(folder.path(), &theirs).unwrap();
        let install_when = |mode| {
            fs::set_permissions(home, fs::Permissions::from_mode(mode)).unwrap();
            install(&wishes(None, None), &path, &Clock::fixed(DateTime::UNIX_EPOCH)).unwrap();
            assert!(!acl::is_open(home).unwrap());
            fs::symlink_metadata(&theirs).is_ok()
        };

        assert!(install_when(0o755));
        assert!(!install_when(0o757));
        assert!(fs::symlink_metadata(home.join("identity.json.set-aside")).is_ok());
    }

    #[test]
    fn an_uninstallation_leaves_nothing() {
        let (folder, path) = prepared();
        install(&wishes(Some("eyJ0.a.b"), None), &path, &Clock::fixed(DateTime::UNIX_EPOCH)).unwrap();

        remove(&Config::read(&path), &path, &Clock::fixed(DateTime::UNIX_EPOCH)).unwrap();

        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        remove(&Config::read(&path), &path, &Clock::fixed(DateTime::UNIX_EPOCH)).unwrap();
    }

    #[test]
    fn a_version_that_is_replaced_takes_nothing_away_and_a_failed_upgrade_is_forgotten() {
        let (_folder, path) = prepared();
        let at = |minutes| Clock::fixed(DateTime::UNIX_EPOCH + TimeDelta::minutes(minutes));
        install(&wishes(Some("eyJ0.a.b"), None), &path, &Clock::fixed(DateTime::UNIX_EPOCH)).unwrap();

        announce(&path, &at(0)).unwrap();
        remove(&Config::read(&path), &path, &at(1)).unwrap();
        assert!(pending::find(path.parent().unwrap()).is_some());

        remove(&Config::read(&path), &path, &at(16)).unwrap();
        assert!(!path.exists());
    }

    #[test]
    fn a_data_folder_elsewhere_loses_the_token_and_keeps_what_is_not_ours() {
        let (folder, path) = prepared();
        let elsewhere = folder.path().join("elsewhere");
        fs::create_dir(&elsewhere).unwrap();
        fs::write(elsewhere.join("somebody's.txt"), "x").unwrap();
        fs::write(&path, format!("data_dir = {elsewhere:?}\n")).unwrap();
        install(&wishes(Some("eyJ0.a.b"), None), &path, &Clock::fixed(DateTime::UNIX_EPOCH)).unwrap();
        fs::create_dir_all(elsewhere.join("versions/1.2.3")).unwrap();
        fs::write(elsewhere.join("lock"), "").unwrap();

        remove(&Config::read(&path), &path, &Clock::fixed(DateTime::UNIX_EPOCH)).unwrap();

        let left: Vec<_> = fs::read_dir(&elsewhere).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["somebody's.txt"]);
        assert!(!path.exists());
    }

    #[test]
    fn the_template_takes_a_proxy() {
        let text = with_proxy(config::TEMPLATE, Some("http://proxy:1")).unwrap();

        assert_eq!(Config::parse(&text).unwrap().cloud.proxy, Some(Proxy::At("http://proxy:1".into())));
        assert!(text.contains("#: transport"));
    }
}
