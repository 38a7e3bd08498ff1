//! `setup`: the installer's own steps. Hidden, since nobody calls them by hand.

use std::fs;
use std::path::{Path, PathBuf};

use super::arguments::Step;
use super::output::Output;
use crate::clock::Clock;
use crate::config::Config;
use crate::diagnostic::Diagnostic;
use crate::exit::Exit;
use crate::platform::service;
use crate::setup::{self, Wishes};

pub fn run(
    step: &Step,
    path: &Path,
    config: &Result<Config, Diagnostic>,
    clock: &Clock,
    output: &Output,
) -> Result<Exit, Diagnostic> {
    match step {
        Step::Install { token, token_file, cloud_url, proxy } => {
            let file = given(token_file.as_deref()).map(PathBuf::from);
            let told = file.as_deref().map(setup::read_token).transpose()?;
            let wishes = Wishes {
                token: given(token.as_deref()).map(Into::into).or(told),
                cloud_url: given(cloud_url.as_deref()),
                proxy: given(proxy.as_deref()).map(Into::into),
            };
            setup::install(&wishes, path, clock)?;
            if let Some(Err(error)) = file.map(|file| fs::remove_file(&file)) {
                output.notice(format!("the file with the token is still there: {}", error.kind()));
            }
            // None of these settings is worth a failed installation; `docs/operate` says how to look at them.
            for (what, why) in service::configure() {
                output.notice(format!("{what}: {why}"));
            }
        }
        Step::Withdraw => setup::withdraw(config, path, clock),
        Step::Upgrade => setup::announce(path, clock)?,
        Step::Remove => setup::remove(config, path, clock)?,
    }
    Ok(Exit::Ok)
}

/// An MSI passes what was not given as an empty text.
fn given(text: Option<&str>) -> Option<String> {
    text.map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
}
