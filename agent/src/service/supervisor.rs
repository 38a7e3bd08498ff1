//! Runs the listener and the worker side by side and ends both when told to.

use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use rollcall_protocol::catalogue;

use super::guarded::Panicked;
use super::worker::{self, Worker};
use super::workshop::Workshop;
use super::{clerk, listener, updater};
use crate::clock::{Chance, Clock};
use crate::cloud::link::Link;
use crate::config::Config;
use crate::desk::Desk;
use crate::diagnostic::Diagnostic;
use crate::exit::Exit;
use crate::folder::{attempt, erasure, instructions, lock};
use crate::identity::Identity;
use crate::log::{STARTED, STOPPED};
use crate::spool::state::State;
use crate::spool::{self, Spool};
use crate::update::store::Store;

/// What ended the work.
enum Ended {
    Told,
    Updated,
    Revoked,
    Broken,
}

/// Runs until `stop` is ready or the agent is revoked. A store that fails is waited for or begun anew.
pub async fn run(
    config: &Config,
    clock: &Clock,
    chance: &Chance,
    stop: impl Future<Output = ()>,
) -> Result<Exit, Diagnostic> {
    let folder: &Path = &config.data_dir;
    pay_what_is_owed(folder, clock)?;
    let identity = Identity::get(folder)?;
    let _lock = lock::take(folder)?;
    // A crash right after the enrolment left the key in a second file.
    attempt::end(folder);
    let link = Link::open(config, &identity, clock, chance)?;
    let state = find_state(folder);
    let desired = instructions::find(folder, &identity, state.as_ref());
    instructions::vouch(clock, folder, desired.as_ref());
    let desk = Arc::new(Desk::open(config, desired, state.as_ref(), clock.now()));
    tracing::info!(event = STARTED, agent = %identity.agent, cloud = link.url(), "started");
    let mut workshop = open_workshop(config, &identity, &link, &desk)?;
    let store = Store::new(folder);
    tokio::pin!(stop);
    let ended = tokio::select! {
        () = &mut stop => Ended::Told,
        () = updater::keep_current(&link, &store, &desk) => Ended::Updated,
        never = clerk::serve(config, &link, &desk) => match never {},
        listener::Ended::Revoked = listener::listen(&link, &identity, folder, &desk) => Ended::Revoked,
        ended = workshop.ended() => match ended {
            Ok(worker::Ended::Revoked) => Ended::Revoked,
            Err(Panicked) => Ended::Broken,
        }
    };
    end(ended, &mut workshop, stop, folder, clock).await
}

/// An earlier agent of this folder may have left something behind.
fn pay_what_is_owed(folder: &Path, clock: &Clock) -> Result<(), Diagnostic> {
    if !erasure::is_owed(folder) {
        return Ok(());
    }
    let _lock = lock::take(folder)?;
    erasure::erase(folder, clock.now())
}

fn open_workshop(config: &Config, identity: &Identity, link: &Link, desk: &Arc<Desk>) -> Result<Workshop, Diagnostic> {
    let (config, identity, link, desk) = (config.clone(), identity.clone(), link.clone(), Arc::clone(desk));
    Workshop::open(move |closing| async move {
        closing.or(Worker::new(&config, &config.data_dir, identity, &link, &desk).work()).await
    })
}

/// A stop waits no longer than this for a worker that is in the midst of something. What it writes then is written whole
/// or never was, and the process ends with it.
const PATIENCE: Duration = Duration::from_secs(2);

async fn end(
    ended: Ended,
    workshop: &mut Workshop,
    stop: Pin<&mut impl Future<Output = ()>>,
    folder: &Path,
    clock: &Clock,
) -> Result<Exit, Diagnostic> {
    match ended {
        Ended::Told => {
            if tokio::time::timeout(PATIENCE, workshop.close()).await.is_err() {
                tracing::warn!("ending in the midst of a reading");
                // The process ends without a word to whoever reads; Windows lets nobody remove what is open.
                spool::remove_reading(folder);
            }
            Ok(stopped())
        }
        Ended::Updated => Ok(let_go(workshop, stop).await.unwrap_or(Exit::Updated)),
        Ended::Revoked => Ok(match let_go(workshop, stop).await {
            // What is owed is paid at the next start, since the cloud says the same again.
            Some(exit) => exit,
            None => revoked(folder, clock),
        }),
        Ended::Broken => Err(Diagnostic::unexpected("the worker broke off in the program")),
    }
}

/// Waits until nobody writes the spool any more; the exit of a stop that came first.
async fn let_go(workshop: &mut Workshop, stop: Pin<&mut impl Future<Output = ()>>) -> Option<Exit> {
    tokio::select! {
        () = workshop.close() => None,
        () = stop => Some(stopped()),
    }
}

/// The domain this agent belongs to and what it has obeyed, as far as its spool can be asked before the worker has opened
/// it.
fn find_state(folder: &Path) -> Option<State> {
    Spool::open_to_look(folder).ok()??.state().ok()
}

fn stopped() -> Exit {
    tracing::info!(event = STOPPED, "stopped");
    Exit::Ok
}

/// Nothing of the customer's people stays on the machine of a revoked agent.
fn revoked(folder: &Path, clock: &Clock) -> Exit {
    tracing::error!(code = catalogue::AGENT_REVOKED.code, "this agent was revoked; what it knew is erased");
    if let Err(owed) = erasure::erase(folder, clock.now()) {
        tracing::error!(code = owed.fault.code, detail = %owed.detail, "not everything could be erased");
    }
    Exit::NotEnrolled
}
