//! Makes a support bundle: what somebody afar needs to help, and nothing of the people, no secret, no key.
//!
//! In the order of the `mod` lines: what may be said of the configuration, what is taken out of every line, what is told
//! of the agent, the end of the log, the zip.

mod configuration;
mod redact;
mod facts;
mod log_tail;
mod pack;

use rollcall_protocol::{catalogue, limits};

use self::redact::Redactor;
use crate::check::{self, Situation, ways};
use crate::config::Config;
use crate::diagnostic::Diagnostic;
use crate::exit::Exit;
use crate::identity::Identity;

/// A finished bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle {
    pub zip: Vec<u8>,
    /// What was left out or blotted out, in words.
    pub removed: Vec<String>,
}

/// Makes one. `config` is also given when it could not be read, by its fault: that is what help is needed with then.
pub async fn make(situation: &Situation<'_>) -> Result<Bundle, Diagnostic> {
    let outcome = Box::pin(check::run(situation, &|_| {})).await;
    let made_at = situation.clock.now();
    let mut redactor = Redactor::new(secrets(situation.config));
    let mut files = Vec::new();
    let checks: Vec<String> = outcome.checks.iter().map(|checked| redactor.line(&checked.to_text())).collect();
    files.push(("checks.txt", lines(&checks)));
    let checks: Vec<String> =
        outcome.checks.iter().map(|checked| redactor.json(checked.to_json()).to_string()).collect();
    files.push(("checks.ndjson", lines(&checks)));
    match situation.config {
        Ok(config) => {
            files.push(("configuration.toml", configuration::tell(config, &mut redactor)));
            files.push(("agent.json", pretty(&redactor.json(facts::agent(config, made_at)))));
            files.push(("spool.json", pretty(&facts::spool(config))));
            files.push(("log.txt", log_tail::read(config, &mut redactor)));
        }
        Err(fault) => files.push(("configuration.toml", configuration::tell_unreadable(fault))),
    }
    let removed = redactor.removed();
    files.insert(0, ("README.txt", facts::readme(made_at, &removed)));
    let zip = pack::zip(&files, made_at).map_err(|error| failed(error.to_string()))?;
    if zip.len() > limits::BUNDLE {
        return Err(failed(format!("it has {} bytes, and {} are the most", zip.len(), limits::BUNDLE)));
    }
    Ok(Bundle { zip, removed })
}

fn failed(detail: String) -> Diagnostic {
    Diagnostic::new(catalogue::BUNDLE_FAILED, detail, Exit::Failed)
}

/// What must not stand anywhere, whatever file or message it came from.
fn secrets(config: Result<&Config, &Diagnostic>) -> Vec<String> {
    use secrecy::ExposeSecret;
    let config = match config {
        Ok(config) => config,
        // What stands in the wrong line may be anything.
        Err(fault) => return configuration::text_of_mistake(fault).into_iter().collect(),
    };
    let methods = config.access().map(|access| access.methods).unwrap_or_default();
    let passwords = methods.iter().filter_map(ways::credentials_of);
    let passwords = passwords.map(|credentials| credentials.password.expose_secret().to_owned());
    let identity = Identity::find(&config.data_dir).ok().flatten();
    passwords.chain(identity.map(|identity| identity.seed_text().to_owned())).collect()
}

fn lines(lines: &[String]) -> String {
    lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect()
}

fn pretty(json: &serde_json::Value) -> String {
    format!("{json:#}\n")
}
