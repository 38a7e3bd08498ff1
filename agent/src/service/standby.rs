//! What the service does: waits until this machine is an agent, then supervises it, and waits again after a revocation.
//! So it may be installed, and started, before anybody has a token.

use std::path::Path;
use std::time::Duration;

use rollcall_protocol::catalogue;
use secrecy::ExposeSecret;

use super::joining;
use super::launcher::{self, Launch};
use crate::clock::{Chance, Clock};
use crate::cloud::backoff::{self, Backoff};
use crate::config::Config;
use crate::diagnostic::Diagnostic;
use crate::exit::Exit;
use crate::folder::pending::{self, Order, Pending};
use crate::folder::{erasure, lock};
use crate::identity::Identity;

/// How soon an `enroll` of somebody at the machine is noticed.
const LOOK: Duration = Duration::from_secs(2);

/// Runs until `stop` is ready, or the agent's store breaks.
pub async fn run(
    config: &Config,
    launch: &Launch,
    clock: &Clock,
    chance: &Chance,
    stop: impl Future<Output = ()>,
) -> Result<Exit, Diagnostic> {
    tokio::pin!(stop);
    let mut backoff = backoff::STORE;
    loop {
        tokio::select! {
            () = &mut stop => return Ok(Exit::Ok),
            () = until_enrolled(config, clock, chance) => {}
        }
        match Box::pin(launcher::run(config, launch, clock, chance, &mut stop)).await? {
            // Starting a version again does not mend the identity; the service manager's operator hears of it.
            Exit::NotEnrolled if is_beyond_repair(&config.data_dir) => return Ok(Exit::NotEnrolled),
            // Revoked: whoever enrols this machine again finds the service waiting. Where the identity could not be
            // erased, it would be shown to the cloud and refused without end.
            Exit::NotEnrolled => {
                let is_erased = matches!(Identity::find(&config.data_dir), Ok(None));
                let pause = if is_erased { Duration::ZERO } else { backoff.failed(chance.fraction()) };
                tokio::select! {
                    () = &mut stop => return Ok(Exit::Ok),
                    () = tokio::time::sleep(pause) => {}
                }
            }
            ended @ (Exit::Ok
            | Exit::Failed
            | Exit::Usage
            | Exit::CloudUnreachable
            | Exit::DirectoryUnreachable
            | Exit::Updated
            | Exit::Attention) => return Ok(ended),
        }
    }
}

async fn until_enrolled(config: &Config, clock: &Clock, chance: &Chance) {
    let folder = config.data_dir.as_path();
    erase_what_is_owed(folder, clock, chance).await;
    let mut backoff = backoff::CLOUD;
    let mut has_told = false;
    while !is_enrolled(folder) {
        let pause = match pending::find(folder) {
            Some(Pending::Waits(order)) => match attempt(&order, config, clock, chance).await {
                Ok(()) => return,
                Err(diagnostic) => failed(&diagnostic, folder, clock, &mut backoff, chance),
            },
            Some(Pending::Refused(_)) | None => LOOK,
        };
        if !has_told {
            has_told = true;
            tracing::warn!(code = catalogue::NOT_ENROLLED.code, "waiting until this machine is enrolled");
        }
        tokio::time::sleep(pause).await;
    }
    if !Identity::is_broken(folder) {
        // The token of an installation over an agent that is enrolled already is of no use.
        pending::remove(folder);
    }
}

/// An earlier agent of this folder may not have been able to remove everything; it is tried until it is done.
async fn erase_what_is_owed(folder: &Path, clock: &Clock, chance: &Chance) {
    let mut backoff = backoff::STORE;
    while erasure::is_owed(folder) {
        let erased = lock::take(folder).and_then(|_lock| erasure::erase(folder, clock.now()));
        let Err(owed) = erased else { return };
        tracing::error!(code = owed.fault.code, detail = %owed.detail, "not everything could be erased");
        tokio::time::sleep(backoff.failed(chance.fraction())).await;
    }
}

/// A damaged identity, and no token that waits to replace it.
fn is_beyond_repair(folder: &Path) -> bool {
    Identity::is_broken(folder) && !matches!(pending::find(folder), Some(Pending::Waits(_)))
}

/// An identity that cannot be read counts: the supervisor tells what is wrong with it. A broken one does not while a token
/// waits to replace it. While `enroll` still writes, the folder is locked.
fn is_enrolled(folder: &Path) -> bool {
    let is_there = match Identity::find(folder) {
        Ok(found) => found.is_some(),
        Err(_) => !Identity::is_broken(folder) || is_beyond_repair(folder),
    };
    is_there && !lock::is_held(folder)
}

async fn attempt(order: &Order, config: &Config, clock: &Clock, chance: &Chance) -> Result<(), Diagnostic> {
    let token = order.token.expose_secret();
    joining::check_cloud(token, order.cloud_url.as_deref())?;
    let identity = joining::join(token, config, clock, chance).await?;
    tracing::info!(agent = %identity.agent, cloud = identity.url, "enrolled");
    pending::remove(&config.data_dir);
    Ok(())
}

/// A refused token is given up and its reason kept; anything else is tried again, for as long as the token lives.
fn failed(diagnostic: &Diagnostic, folder: &Path, clock: &Clock, backoff: &mut Backoff, chance: &Chance) -> Duration {
    let (code, detail) = (diagnostic.fault.code, &diagnostic.detail);
    if diagnostic.fault != catalogue::TOKEN_REFUSED {
        tracing::warn!(code, %detail, "the enrolment is tried again");
        return backoff.failed(chance.fraction());
    }
    tracing::error!(code, %detail, "the enrolment was refused");
    if let Err(unwritable) = pending::refuse(folder, diagnostic.to_problem(clock.now())) {
        tracing::error!(code = unwritable.fault.code, detail = %unwritable.detail, "the refused token is still there");
    }
    LOOK
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::launcher::Times;
    #[cfg(unix)]
    use crate::update::{
        files::Disk,
        ledger::{Installed, Ledger},
        store::Store,
    };
    use chrono::DateTime;
    #[cfg(unix)]
    use rollcall_protocol::{hash::Hash, update::Version};

    const LAUNCH: Launch = Launch {
        config_file: None,
        reader: crate::log::Reader::Terminal,
        times: Times { trial: Duration::from_secs(1), pause: Duration::from_secs(1) },
    };

    fn fixture() -> (tempfile::TempDir, Config, Clock, Chance) {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config::parse("").unwrap();
        config.data_dir = folder.path().to_owned();
        (folder, config, Clock::fixed(DateTime::UNIX_EPOCH), Chance::seeded(1))
    }

    #[tokio::test]
    async fn a_service_that_nobody_enrolled_waits_and_can_be_stopped() {
        let (_folder, config, clock, chance) = fixture();

        let ended = run(&config, &LAUNCH, &clock, &chance, tokio::time::sleep(Duration::from_millis(50))).await;

        assert_eq!(ended, Ok(Exit::Ok));
    }

    #[tokio::test]
    async fn a_token_that_is_none_is_given_up_and_not_kept() {
        let (folder, config, clock, chance) = fixture();
        pending::save(folder.path(), "not.a.token", None).unwrap();
        let refused = async {
            while !matches!(pending::find(folder.path()), Some(Pending::Refused(_))) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };

        let ended = run(&config, &LAUNCH, &clock, &chance, refused).await;

        assert_eq!(ended, Ok(Exit::Ok));
        assert!(!folder.path().join("identity.json").exists());
    }

    #[tokio::test]
    async fn a_broken_identity_is_told_unless_a_token_waits_to_replace_it() {
        let (folder, config, clock, chance) = fixture();
        crate::platform::private_file::write(&Identity::path(folder.path()), b"{").unwrap();
        assert!(is_enrolled(folder.path()));

        pending::save(folder.path(), "not.a.token", None).unwrap();
        assert!(!is_enrolled(folder.path()));
        let told = run(&config, &LAUNCH, &clock, &chance, std::future::pending()).await.unwrap_err();

        assert_eq!(told.fault, catalogue::NOT_ENROLLED);
        assert!(
            matches!(pending::find(folder.path()), Some(Pending::Refused(_))),
            "why the token was of no use is kept"
        );
    }

    /// A fetched version that has proven itself, and ends at once: whoever started it was told that nobody is enrolled.
    #[cfg(unix)]
    fn fetch_one_that_finds_nobody_enrolled(folder: &Path) {
        use std::os::unix::fs::PermissionsExt;
        let text = format!("#!/bin/sh\necho started >> '{}'\nexit 3\n", folder.join("starts").display());
        let (version, store) = (Version::new(999, 0, 0), Store::new(folder));
        let program = store.program(&version);
        std::fs::create_dir_all(program.parent().unwrap()).unwrap();
        std::fs::write(&program, &text).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        let installed =
            Installed { version, length: u64::try_from(text.len()).unwrap(), sha256: Hash::of(text.as_bytes()) };
        store.write(&mut Disk, &Ledger { proven: Some(installed), ..Ledger::default() }).unwrap();
    }

    #[cfg(unix)]
    fn starts(folder: &Path) -> usize {
        std::fs::read_to_string(folder.join("starts")).unwrap().lines().count()
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_damaged_identity_ends_the_service_under_a_fetched_version_too() {
        let (folder, config, clock, chance) = fixture();
        fetch_one_that_finds_nobody_enrolled(folder.path());
        crate::platform::private_file::write(&Identity::path(folder.path()), b"{").unwrap();

        let ended = run(&config, &LAUNCH, &clock, &chance, std::future::pending()).await;

        assert_eq!((ended, starts(folder.path())), (Ok(Exit::NotEnrolled), 1));
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn an_agent_that_is_revoked_and_cannot_be_erased_takes_its_time() {
        let (folder, config, clock, chance) = fixture();
        fetch_one_that_finds_nobody_enrolled(folder.path());
        let key = rollcall_protocol::key::PrivateKey::from_seed(&[7; 32]);
        Identity::new(crate::identity::Enrolled::example(), &key).save(folder.path()).unwrap();

        let ended = run(&config, &LAUNCH, &clock, &chance, tokio::time::sleep(Duration::from_secs(3))).await;

        assert_eq!(ended, Ok(Exit::Ok));
        assert!((1..=6).contains(&starts(folder.path())), "{} starts in 3 s", starts(folder.path()));
    }

    #[test]
    fn a_cloud_that_is_away_costs_no_token() {
        let (folder, _, clock, chance) = fixture();
        pending::save(folder.path(), "eyJ0.a.b", None).unwrap();
        let away = Diagnostic::new(catalogue::CLOUD_UNREACHABLE, "refused", Exit::CloudUnreachable);

        failed(&away, folder.path(), &clock, &mut backoff::CLOUD.clone(), &chance);

        assert!(matches!(pending::find(folder.path()), Some(Pending::Waits(_))));
    }
}
