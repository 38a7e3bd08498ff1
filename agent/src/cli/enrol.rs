//! `enroll`: spends the token and leaves an identity, an empty spool, and a configuration to fill in.

use std::path::Path;

use super::output::Output;
use crate::clock::{Chance, Clock};
use crate::config::{self, Config};
use crate::diagnostic::Diagnostic;
use crate::exit::Exit;
use crate::platform::private_file;
use crate::service::joining;

pub async fn run(
    token: &str,
    config_path: &Path,
    config: Result<Config, Diagnostic>,
    clock: &Clock,
    chance: &Chance,
    output: &Output,
) -> Result<Exit, Diagnostic> {
    let identity = joining::join(token, &config?, clock, chance).await?;
    write_template(config_path);
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
