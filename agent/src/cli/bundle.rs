//! `bundle`: makes a support bundle and says what was left out of it.

use std::path::{Path, PathBuf};

use rollcall_protocol::catalogue;

use super::output::Output;
use crate::bundle;
use crate::check::{Caution, Situation};
use crate::clock::{Chance, Clock};
use crate::config::Config;
use crate::diagnostic::Diagnostic;
use crate::exit::Exit;
use crate::machine;
use crate::platform::private_file;
use crate::platform::reason;

pub async fn run(
    config: Result<Config, Diagnostic>,
    file: Option<&Path>,
    clock: &Clock,
    chance: &Chance,
    output: &Output,
) -> Result<Exit, Diagnostic> {
    let situation = Situation { config: config.as_ref(), clock, chance, caution: Caution::RespectLastRefusal };
    let made = bundle::make(&situation).await?;
    let file = file.map_or_else(|| default_name(clock), Path::to_owned);
    private_file::write_among_others(&file, &made.zip, chance.id(clock.now())).map_err(|error| {
        Diagnostic::new(catalogue::BUNDLE_FAILED, format!("{}: {}", file.display(), reason::of(&error)), Exit::Failed)
    })?;
    let removed = made.removed.iter().flat_map(|what| ["\n  removed: ", what]).collect::<String>();
    let text = format!("{} ({} bytes){removed}", file.display(), made.zip.len());
    let json = serde_json::json!({ "file": file, "bytes": made.zip.len(), "removed": made.removed });
    output.result(text, &json);
    Ok(Exit::Ok)
}

fn default_name(clock: &Clock) -> PathBuf {
    let host: String = machine::facts().host.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
    Path::new(".").join(format!("rollcall-bundle-{host}-{}.zip", clock.now().format("%Y%m%d-%H%M%S")))
}
