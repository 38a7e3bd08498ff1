//! Watches which version the cloud wants, fetches it, and ends the running one once the new one lies ready.

use std::time::Duration;

use rollcall_protocol::catalogue;
use rollcall_protocol::desired::DesiredState;
use rollcall_protocol::update::Version;
use rollcall_protocol::update::report::{UpdateOutcome, UpdateReport};
use tokio::sync::watch;

use crate::cloud::link::Link;
use crate::desk::Desk;
use crate::diagnostic::Diagnostic;
use crate::exit::Exit;
use crate::platform::reason;
use crate::update::fetch::{self, Wish};
use crate::update::files::Disk;
use crate::update::ledger::Installed;
use crate::update::pinned::{self, Trustworthy};
use crate::update::store::Store;
use crate::version;

/// After a refusal the same question would have the same answer for a while.
const RETRY: Duration = Duration::from_mins(15);
/// A reading that is under way may end before the version changes; nothing is lost if it does not.
const PATIENCE: Duration = Duration::from_mins(10);

/// Returns when a newer version lies ready and should be started in place of this one.
pub async fn keep_current(link: &Link, store: &Store, desk: &Desk) {
    tell_failure(link, store, desk);
    let mut desired = desk.watch_desired();
    let prove = async {
        let mut answered = desk.watch_answered();
        if answered.wait_for(|answered| *answered).await.is_ok()
            && let Err(error) = store.leave_mark(&mut Disk, version::number())
        {
            tracing::error!(%error, "the mark of a working version could not be written");
        }
        std::future::pending::<()>().await;
    };
    let update = async {
        loop {
            let wanted = wait_for_wish(&mut desired).await;
            if try_once(link, store, desk, &wanted).await {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(RETRY + RETRY.mul_f64(link.chance.fraction())) => {}
                () = wait_for_other(&mut desired, &wanted) => forget_refusal(desk),
            }
        }
    };
    tokio::select! {
        () = prove => {}
        () = update => {}
    }
    wait_for_pause(desk).await;
}

/// A newer version than this one, as soon as one is wanted.
async fn wait_for_wish(desired: &mut watch::Receiver<Option<DesiredState>>) -> Version {
    loop {
        let wanted = desired.borrow_and_update().as_ref().and_then(|desired| desired.update.clone());
        match wanted {
            Some(wanted) if wanted.version > *version::number() => return wanted.version,
            Some(_) | None => {}
        }
        if desired.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

async fn wait_for_other(desired: &mut watch::Receiver<Option<DesiredState>>, tried: &Version) {
    let is_other = |desired: &Option<DesiredState>| {
        let wanted = desired.as_ref().and_then(|desired| desired.update.as_ref());
        wanted.is_none_or(|wanted| wanted.version != *tried)
    };
    if desired.wait_for(is_other).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Whether the version lies ready now.
async fn try_once(link: &Link, store: &Store, desk: &Desk, wanted: &Version) -> bool {
    let staged = match fetch_wanted(link, store, wanted).await {
        Ok(installed) => store
            .stage(&mut Disk, &installed)
            .map_err(|error| Diagnostic::new(catalogue::NOT_WRITABLE, reason::of(&error), Exit::Failed)),
        // It was told when this version started.
        Err(diagnostic) if diagnostic.fault == catalogue::UPDATE_TAKEN_BACK => return false,
        Err(diagnostic) => Err(diagnostic),
    };
    match staged {
        Ok(()) => {
            tracing::info!(version = %wanted, "a new version lies ready");
            desk.set_update(UpdateReport { version: wanted.clone(), outcome: UpdateOutcome::Fetched });
            true
        }
        Err(diagnostic) => {
            refuse(link, desk, wanted, &diagnostic);
            false
        }
    }
}

async fn fetch_wanted(link: &Link, store: &Store, wanted: &Version) -> Result<Installed, Diagnostic> {
    match pinned::judge() {
        Trustworthy::Yes => {}
        Trustworthy::TestKeys => {
            return Err(Diagnostic::new(catalogue::UPDATE_TEST_KEYS, "pinned to the test root", Exit::Failed));
        }
    }
    // The publication's own clock is the cloud's: a machine whose clock is off must not take the expired for current.
    let now = link.clock.cloud_now().max(link.clock.now());
    let ledger = store.open(now);
    let wish = Wish { wanted, running: version::number(), ledger: &ledger, now };
    fetch::fetch(link, store, &mut Disk, wish).await.map_err(|error| Diagnostic::from(&error))
}

/// What was wrong with a version is no trouble any more when it is not wanted.
fn forget_refusal(desk: &Desk) {
    desk.clear_wish();
}

fn refuse(link: &Link, desk: &Desk, wanted: &Version, diagnostic: &Diagnostic) {
    tracing::error!(code = diagnostic.fault.code, detail = %diagnostic.detail, version = %wanted, "no update");
    forget_refusal(desk);
    desk.raise(diagnostic, link.clock.now());
    desk.set_update(UpdateReport { version: wanted.clone(), outcome: UpdateOutcome::Refused });
}

/// A version that was taken back is told as long as nothing newer runs.
fn tell_failure(link: &Link, store: &Store, desk: &Desk) {
    let now = link.clock.now();
    let ledger = store.open(now);
    let Some(back) = ledger.last_failure(version::number()) else { return };
    let detail = format!("version {}: {}", back.installed.version, back.why.sentence());
    desk.raise(&Diagnostic::new(catalogue::UPDATE_TAKEN_BACK, detail, Exit::Attention), back.at);
    desk.set_update(UpdateReport { version: back.installed.version.clone(), outcome: UpdateOutcome::TakenBack });
}

/// Between two readings, if that comes soon.
async fn wait_for_pause(desk: &Desk) {
    let quiet = async {
        while desk.is_busy() {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    let _ = tokio::time::timeout(PATIENCE, quiet).await;
}
