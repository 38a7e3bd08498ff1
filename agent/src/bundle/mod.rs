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
use crate::folder::attempt;
use crate::folder::pending::{self, Pending};
use crate::identity::Identity;
use crate::previous_key;

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
    let proxy = config.cloud.proxy_password().ok().flatten().map(|password| password.expose_secret().to_owned());
    let identity = Identity::find(&config.data_dir).ok().flatten();
    let keys = identity.iter().flat_map(Identity::seed_texts).map(str::to_owned);
    let token = match pending::find(&config.data_dir) {
        Some(Pending::Waits(order)) => Some(order.token.expose_secret().to_owned()),
        Some(Pending::Refused(_)) | None => None,
    };
    let other_keys = [previous_key::find_seed_text(&config.data_dir), attempt::find_seed_text(&config.data_dir)];
    passwords.chain(proxy).chain(keys).chain(other_keys.into_iter().flatten()).chain(token).collect()
}

fn lines(lines: &[String]) -> String {
    lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect()
}

fn pretty(json: &serde_json::Value) -> String {
    format!("{json:#}\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::belongings;
    use crate::clock::Chance;
    use crate::identity::Enrolled;
    use crate::platform::{private_file, secret};
    use chrono::DateTime;
    use rollcall_protocol::key::PrivateKey;

    #[test]
    fn every_secret_of_this_machine_is_known_and_so_blotted_out() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            private_file::write(&folder.path().join(name), text.as_bytes()).unwrap();
            folder.path().join(name).display().to_string()
        };
        let config = Config::parse(&format!(
            "data_dir = '{data}'\n[ldap]\nhost = 'dc1.lab.example'\nbind_user = 'reader'\npassword_file = '{bind}'\n\
             [cloud]\nproxy = 'http://proxy:3128'\nproxy_user = 'agent'\nproxy_password_file = '{proxy}'\n",
            data = folder.path().display(),
            bind = file("bind", "canary-of-the-bind"),
            proxy = file("proxy", "canary-of-the-proxy"),
        ))
        .unwrap();
        let (key, next) = (PrivateKey::from_seed(&[7; 32]), PrivateKey::from_seed(&[8; 32]));
        let identity = Identity::new(Enrolled::example(), &key).with_next_key(&next);
        identity.save(folder.path()).unwrap();
        pending::save(folder.path(), "canary-of-the-token", None).unwrap();
        previous_key::keep(folder.path(), identity.agent, &PrivateKey::from_seed(&[10; 32]), DateTime::UNIX_EPOCH);
        attempt::begin(folder.path(), "canary-of-another-token", &Chance::seeded(1)).unwrap();

        let known = secrets(Ok(&config));

        let canaries = ["canary-of-the-bind", "canary-of-the-proxy", "canary-of-the-token"];
        for canary in canaries.into_iter().chain(identity.seed_texts()) {
            assert!(known.iter().any(|secret| secret == canary), "{canary}");
        }
        assert_eq!(identity.seed_texts().count(), 2);
        for name in belongings::SECRETS {
            let is_told = |secret: &String| {
                let sealed = secret::seal(secret.as_bytes()).unwrap();
                let text = std::fs::read_to_string(folder.path().join(name)).unwrap();
                text.contains(secret) || text.contains(&sealed)
            };
            assert!(cfg!(windows) || known.iter().any(is_told), "{name}");
        }
    }
}
