//! Spends a token and leaves an identity and an empty spool: the same for `enroll` and for the service.

use std::path::Path;

use rollcall_protocol::answer::Refusal;
use rollcall_protocol::catalogue;
use rollcall_protocol::enrol::EnrolToken;

use crate::belongings;
use crate::clock::{Chance, Clock};
use crate::cloud::enrol;
use crate::cloud::link::LinkError;
use crate::config::Config;
use crate::diagnostic::Diagnostic;
use crate::exit::Exit;
use crate::folder::attempt::{self, Room};
use crate::folder::{erasure, lock};
use crate::identity::Identity;
use crate::machine;
use crate::platform::acl;
use crate::spool::Spool;

/// Makes this machine an agent. Before the token is spent the key lies on the disk and there is room for what follows: a
/// lost answer, a crash or a full disk costs no token, and the same command again ends the same enrolment.
pub async fn join(token: &str, config: &Config, clock: &Clock, chance: &Chance) -> Result<Identity, Diagnostic> {
    let folder = &config.data_dir;
    let _lock = lock::take(folder)?;
    close(folder)?;
    match Identity::find(folder) {
        Ok(None) => {}
        Ok(Some(_)) => return Err(Diagnostic::new(catalogue::ALREADY_ENROLLED, folder.display(), Exit::Failed)),
        // Whoever brings a token for it wants another one.
        Err(_) if Identity::is_broken(folder) => {}
        Err(unreadable) => return Err(unreadable),
    }
    if erasure::is_owed(folder) {
        erasure::erase(folder, clock.now())?;
    }
    let (mut spool, _) = Spool::open(folder, clock.now()).map_err(|error| Diagnostic::from(&error))?;
    let token = token.trim();
    let key = attempt::begin(folder, token, chance)?;
    let room = Room::take(folder)?;
    let asked = enrol::enrol(token, key, &config.cloud, machine::facts(), clock, chance).await;
    let new = asked.map_err(|error| refused(&error, folder))?;
    drop(room);
    // What an identity that is broken has left goes only when it has a successor.
    spool.wipe().map_err(|error| Diagnostic::from(&error))?;
    spool.begin_epoch(new.epoch).map_err(|error| Diagnostic::from(&error))?;
    Identity::set_broken_aside(folder)?;
    belongings::forget_predecessor(folder);
    new.identity.save(folder)?;
    attempt::end(folder);
    Ok(new.identity)
}

/// Closes the folder before a key lies in it. One that somebody else made stays theirs, whatever is set on it.
fn close(folder: &Path) -> Result<(), Diagnostic> {
    let unreadable = |error: std::io::Error| Diagnostic::not_writable(folder, &error);
    if acl::is_foreign(folder).map_err(unreadable)? {
        let detail = format!("{} was made by another account, or is a link", folder.display());
        return Err(Diagnostic::new(catalogue::SECRET_FILE_OPEN, detail, Exit::Failed));
    }
    if acl::is_open(folder).map_err(unreadable)? { acl::guard(folder).map_err(unreadable) } else { Ok(()) }
}

/// A token that the cloud does not take makes no agent, whatever key it is shown with.
fn refused(error: &LinkError, folder: &Path) -> Diagnostic {
    if matches!(error, LinkError::Refused(Refusal::Token { .. })) {
        attempt::end(folder);
    }
    Diagnostic::from(error)
}

/// Refuses a token of another cloud than the one that was named, before anything is sent anywhere.
pub fn check_cloud(token: &str, cloud_url: Option<&str>) -> Result<(), Diagnostic> {
    let Some(wanted) = cloud_url else { return Ok(()) };
    let refused = |detail: String| Diagnostic::new(catalogue::TOKEN_REFUSED, detail, Exit::Failed);
    let says = EnrolToken::peek(token.trim()).map_err(|_| refused("this is no token of Rollcall".to_owned()))?;
    if says.url == wanted.trim_end_matches('/') {
        return Ok(());
    }
    Err(refused(format!("the token is of {}, and {wanted} was named", says.url)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rollcall_protocol::key::PrivateKey;
    use uuid::Uuid;

    #[cfg(unix)]
    #[test]
    fn a_folder_is_closed_before_a_key_lies_in_it_and_a_link_is_none_of_ours() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let folder = tempfile::tempdir().unwrap();
        let open = folder.path().join("open");
        std::fs::create_dir(&open).unwrap();
        std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o755)).unwrap();
        symlink(&open, folder.path().join("link")).unwrap();

        close(&open).unwrap();

        assert!(!acl::is_open(&open).unwrap());
        assert_eq!(close(&folder.path().join("link")).unwrap_err().fault, catalogue::SECRET_FILE_OPEN);
    }

    #[test]
    fn a_token_of_another_cloud_than_the_named_one_is_refused() {
        let token = EnrolToken {
            iss: Uuid::from_u128(1),
            url: "https://rollcall.example".into(),
            customer: Uuid::from_u128(2),
            jti: "AAAAAAAAAAAAAAAAAAAAAA".into(),
            exp: 100,
        };
        let token = token.sign(&PrivateKey::from_seed(&[1; 32])).unwrap();

        assert!(check_cloud(&token, None).is_ok());
        assert!(check_cloud(&token, Some("https://rollcall.example/")).is_ok());
        let told = check_cloud(&token, Some("https://other.example")).unwrap_err();
        assert_eq!(told.fault, catalogue::TOKEN_REFUSED);
        assert!(check_cloud("no token", Some("https://rollcall.example")).is_err());
    }
}
