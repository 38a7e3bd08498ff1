//! Runs the listener and the worker side by side and ends both when told to.

use std::path::Path;
use std::sync::Arc;

use rollcall_protocol::catalogue;

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
use crate::spool::{Found, Spool};

/// Runs until `stop` is ready, the agent is revoked, or its store breaks.
pub async fn run(
    config: &Config,
    clock: &Clock,
    chance: &Chance,
    stop: impl Future<Output = ()>,
) -> Result<Exit, Diagnostic> {
    let folder: &Path = &config.data_dir;
    let identity = Identity::get(folder)?;
    let _lock = keeping::lock(folder)?;
    let (spool, found) = Spool::open(folder, clock.now()).map_err(|error| Diagnostic::from(&error))?;
    let link = open_link(config, &identity, clock, chance)?;
    let pinned = spool.state().map_err(|error| Diagnostic::from(&error))?.domain;
    let desired = keeping::find_desired(folder, &identity, pinned.as_ref());
    let desk = Desk::new(desired, keeping::find_report(folder), clock.now());
    if let Some(ceiling) = keeping::ceiling(config) {
        desk.set_ceiling(ceiling);
    }
    match found {
        Found::Sound => {}
        Found::SetAside => {
            let detail = "the damaged file lies beside it";
            desk.raise(&Diagnostic::new(catalogue::SPOOL_REBUILT, detail, Exit::Attention), clock.now());
        }
    }
    tracing::info!(agent = %identity.agent, cloud = link.url(), "started");
    let worker = Worker::new(spool, config, folder, &link, &desk).work();
    let listener = listener::listen(&link, &identity, folder, &desk);
    let ended = tokio::select! {
        () = stop => return Ok(stopped()),
        listener::Ended::Revoked = listener => Ended::Revoked,
        ended = worker => ended,
    };
    match ended {
        Ended::Revoked => Ok(revoked(folder, clock)),
        Ended::Broken(error) => Err(Diagnostic::from(&error)),
    }
}

fn stopped() -> Exit {
    tracing::info!("stopped");
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
    let signer = Arc::new(identity.signer()?);
    Link::new(&identity.url, &config.cloud, signer, clock.clone(), chance.clone())
        .map_err(|error| Diagnostic::from(&error))
}
