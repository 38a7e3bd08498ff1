//! Runs the listener and the worker side by side and ends both when told to.

use std::path::Path;

use rollcall_protocol::catalogue;
use rollcall_protocol::directory::DomainPin;

use super::desk::Desk;
use super::keeping;
use super::listener;
use super::worker::{Ended, Worker};
use crate::clock::{Chance, Clock};
use crate::cloud::link::Link;
use crate::config::Config;
use crate::diagnostic::Diagnostic;
use crate::exit::Exit;
use crate::identity::Identity;
use crate::log::{STARTED, STOPPED};
use crate::spool::Spool;
use crate::update::store::Store;
use crate::update::updater;

/// Runs until `stop` is ready or the agent is revoked. A store that fails is waited for or begun anew.
pub async fn run(
    config: &Config,
    clock: &Clock,
    chance: &Chance,
    stop: impl Future<Output = ()>,
) -> Result<Exit, Diagnostic> {
    let folder: &Path = &config.data_dir;
    let identity = Identity::get(folder)?;
    let _lock = keeping::lock(folder)?;
    let link = open_link(config, &identity, clock, chance)?;
    let pinned = find_pinned(folder);
    let desired = keeping::find_desired(folder, &identity, pinned.as_ref());
    let desk = Desk::new(desired, keeping::find_report(folder), clock.now());
    tracing::info!(event = STARTED, agent = %identity.agent, cloud = link.url(), "started");
    let worker = Worker::new(config, folder, identity.clone(), &link, &desk).work();
    let listener = listener::listen(&link, &identity, folder, &desk);
    let store = Store::new(folder);
    tokio::select! {
        () = stop => Ok(stopped()),
        () = updater::keep_current(&link, &store, &desk) => Ok(Exit::Updated),
        listener::Ended::Revoked = listener => Ok(revoked(folder, clock)),
        Ended::Revoked = worker => Ok(revoked(folder, clock)),
    }
}

/// The domain this agent belongs to, as far as its spool can be asked before the worker has opened it.
fn find_pinned(folder: &Path) -> Option<DomainPin> {
    Spool::open_to_look(folder).ok()??.state().ok()?.domain
}

fn stopped() -> Exit {
    tracing::info!(event = STOPPED, "stopped");
    Exit::Ok
}

/// Nothing of the customer's people stays on the machine of a revoked agent.
fn revoked(folder: &Path, clock: &Clock) -> Exit {
    tracing::error!(code = catalogue::AGENT_REVOKED.code, "this agent was revoked; its store is wiped");
    match Spool::open(folder, clock.now()) {
        Ok((mut spool, _)) => {
            if let Err(error) = spool.wipe() {
                tracing::error!(%error, "the spool could not be wiped");
            }
        }
        Err(error) => tracing::error!(%error, "the spool could not be wiped"),
    }
    keeping::wipe(folder);
    Exit::NotEnrolled
}

/// The link of an enrolled agent.
pub fn open_link(config: &Config, identity: &Identity, clock: &Clock, chance: &Chance) -> Result<Link, Diagnostic> {
    let signer = identity.signer()?;
    Link::new(&identity.url, &config.cloud, signer, Some(identity.cloud_key.clone()), clock.clone(), chance.clone())
        .map_err(|error| Diagnostic::from(&error))
}
