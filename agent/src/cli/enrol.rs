//! `enroll`: spends the token and leaves an identity, an empty spool, and a configuration to fill in.

use std::path::Path;

use rollcall_protocol::catalogue;

use super::output::Output;
use crate::clock::{Chance, Clock};
use crate::cloud::enrol;
use crate::config::{self, Config};
use crate::diagnostic::Diagnostic;
use crate::exit::Exit;
use crate::identity::Identity;
use crate::platform::private_file;
use crate::service::{keeping, machine};
use crate::spool::Spool;

pub async fn run(
    token: &str,
    config_path: &Path,
    config: Result<Config, Diagnostic>,
    clock: &Clock,
    chance: &Chance,
    output: &Output,
) -> Result<Exit, Diagnostic> {
    let config = config?;
    let folder = &config.data_dir;
    let _lock = keeping::lock(folder)?;
    if Identity::find(folder)?.is_some() {
        return Err(Diagnostic::new(catalogue::ALREADY_ENROLLED, folder.display(), Exit::Failed));
    }
    // Opened before the token is spent: a token must not be lost to a full disk.
    let (mut spool, _) = Spool::open(folder, clock.now()).map_err(|error| Diagnostic::from(&error))?;
    let facts = machine::facts();
    let new =
        enrol::enrol(token, &config.cloud, facts, clock, chance).await.map_err(|error| Diagnostic::from(&error))?;
    spool.wipe().map_err(|error| Diagnostic::from(&error))?;
    spool.begin_epoch(new.epoch).map_err(|error| Diagnostic::from(&error))?;
    new.identity.save(folder)?;
    write_template(config_path);
    let identity = &new.identity;
    let text = format!("Enrolled as agt_{} for {} ({}).", identity.agent, identity.customer, identity.msp);
    let json = serde_json::json!({
        "agent": format!("agt_{}", identity.agent),
        "customer": identity.customer,
        "msp": identity.msp,
        "cloud": identity.url,
    });
    output.result(text, &json);
    Ok(Exit::Ok)
}

/// A file to fill in, where there is none; the enrolment stands without it.
fn write_template(path: &Path) {
    if path.exists() {
        return;
    }
    if let Err(error) = private_file::write(path, config::TEMPLATE.as_bytes()) {
        tracing::warn!(%error, "no configuration template could be written");
    }
}
