//! `enroll`: spends the token and leaves an identity, an empty spool, and a configuration to fill in.

use std::io::{BufRead, Read as _};
use std::path::Path;

use rollcall_protocol::limits;
use zeroize::Zeroizing;

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
    let token = read_token(token, std::io::stdin().lock())?;
    let identity = joining::join(&token, &config?, clock, chance).await?;
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

/// `-` stands for the first line of the input.
fn read_token(given: &str, mut input: impl BufRead) -> Result<Zeroizing<String>, Diagnostic> {
    if given != "-" {
        return Ok(Zeroizing::new(given.to_owned()));
    }
    let mut line = Zeroizing::new(String::new());
    input.by_ref().take(limits::JWS as u64 + 2).read_line(&mut line).map_err(Diagnostic::unexpected)?;
    Ok(line)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_given_on_the_command_line_or_as_the_first_line_of_the_input() {
        assert_eq!(read_token("eyJ0.a.b", &b"another"[..]).unwrap().as_str(), "eyJ0.a.b");
        assert_eq!(read_token("-", &b"eyJ0.a.b\nmore"[..]).unwrap().trim(), "eyJ0.a.b");
    }
}
