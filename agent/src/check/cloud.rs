//! Checks the way to the cloud, step by step, and asks it for the newest instructions.

use std::time::Duration;

use rollcall_protocol::answer::Refusal;
use rollcall_protocol::catalogue;
use rollcall_protocol::checkin::{CheckinRequest, Kind};
use rollcall_protocol::desired::DesiredState;
use tokio::net::TcpStream;

use super::Situation;
use super::finding::{Finding, Report};
use crate::cloud::checkin::{self, Instructions};
use crate::cloud::link::Link;
use crate::cloud::link::LinkError;
use crate::cloud::way_out::Router;
use crate::config::Config;
use crate::desk::Desk;
use crate::diagnostic::Diagnostic;
use crate::exit::Exit;
use crate::folder::instructions;
use crate::identity::Identity;
use crate::previous_key;
use crate::spool::state::State;

/// More than this and something keeps the clock from being set; the protocol itself allows for much more.
const CLOCK_SECONDS: i64 = 120;
const PATIENCE: Duration = Duration::from_secs(10);
const AFTER_ENROLMENT: &[&str] = &["cloud name", "cloud port", "cloud", "clock", "instructions"];

/// Answers the instructions in force: the cloud's newest, or those kept here when it is away.
pub async fn check(
    report: &mut Report<'_>,
    config: &Config,
    situation: &Situation<'_>,
    store: Option<&State>,
) -> Option<DesiredState> {
    let enrolled = Identity::get(&config.data_dir).map(|identity| {
        let detail = format!("agt_{} for {}, key readable", identity.agent, identity.customer);
        (identity, detail)
    });
    let Some(identity) = report.step("enrolment", enrolled) else {
        report.skip(AFTER_ENROLMENT, "the agent is not enrolled");
        return None;
    };
    check_way(report, config, &identity.url).await;
    let stored = instructions::find(&config.data_dir, &identity, store);
    let newest = match ask(config, &identity, situation, store, stored.clone()).await {
        Ok(newest) => {
            report.add("cloud", Finding::Ok(format!("{} knows this agent's key", identity.url)));
            report.add("clock", clock(situation.clock.offset_ms()));
            newest
        }
        Err(diagnostic) => {
            report.add("cloud", Finding::Fail(diagnostic));
            report.skip(&["clock"], "the cloud did not tell its time");
            if stored.is_none() {
                report.skip(&["instructions"], "the cloud told none, and none are kept here");
                return None;
            }
            stored
        }
    };
    report.add("instructions", instructions(newest.as_ref()));
    newest
}

/// Name and port, told apart. Behind a proxy both are the proxy's affair.
async fn check_way(report: &mut Report<'_>, config: &Config, url: &str) {
    let way_out = Router::new(url, &config.cloud).look().await;
    if config.cloud.proxy.is_some() {
        report.add("cloud proxy", Finding::Ok(way_out.to_string()));
    }
    if way_out.proxy().is_some() {
        report.skip(&["cloud name", "cloud port"], "a proxy is configured; it looks for the cloud");
        return;
    }
    let parsed = reqwest::Url::parse(url).ok();
    let place = parsed.as_ref().and_then(|url| Some((url.host_str()?, url.port_or_known_default()?)));
    let Some((host, port)) = place else {
        report.skip(&["cloud name", "cloud port"], "the cloud's address is no URL");
        return;
    };
    let found = tokio::time::timeout(PATIENCE, tokio::net::lookup_host((host, port))).await;
    let addresses: Vec<_> = found.ok().and_then(Result::ok).into_iter().flatten().collect();
    if addresses.is_empty() {
        report.add("cloud name", Finding::Fail(Diagnostic::new(catalogue::CLOUD_NAME, host, Exit::CloudUnreachable)));
        report.skip(&["cloud port"], "the name has no address");
        return;
    }
    report.add("cloud name", Finding::Ok(format!("{host} has {} addresses", addresses.len())));
    let reached = tokio::time::timeout(PATIENCE, TcpStream::connect(addresses.as_slice())).await;
    report.add(
        "cloud port",
        match reached {
            Ok(Ok(_)) => Finding::Ok(format!("{host} port {port} answers")),
            Ok(Err(error)) => Finding::Fail(Diagnostic::new(
                catalogue::CLOUD_UNREACHABLE,
                format!("{host} port {port}: {}", error.kind()),
                Exit::CloudUnreachable,
            )),
            Err(_) => Finding::Fail(Diagnostic::new(
                catalogue::CLOUD_UNREACHABLE,
                format!("{host} port {port} says nothing"),
                Exit::CloudUnreachable,
            )),
        },
    );
}

/// One check-in, as the service makes it: certificate, proxy, signature and key are all tried by it. It only asks: what
/// the agent is at and what is wrong with it is the service's to say.
async fn ask(
    config: &Config,
    identity: &Identity,
    situation: &Situation<'_>,
    store: Option<&State>,
    stored: Option<DesiredState>,
) -> Result<Option<DesiredState>, Diagnostic> {
    let link = Link::open(config, identity, situation.clock, situation.chance)?;
    let desk = Desk::open(config, stored.clone(), store, situation.clock.now());
    let request = CheckinRequest { kind: Kind::Question, ..desk.request(0, situation.clock.offset_ms()) };
    let in_force = instructions::in_force(store, stored.as_ref());
    let heard = checkin::check_in(&link, identity, &request, in_force).await;
    match heard.map_err(|error| explain(&error, config, identity, situation))?.instructions {
        Instructions::AsBefore => Ok(stored),
        Instructions::New { desired, .. } => Ok(Some(*desired)),
        Instructions::Refused(disobey) => Err(Diagnostic::from(&disobey)),
    }
}

/// An unknown key has two stories: a cloud that was restored and heals by itself, and one that needs a new token.
fn explain(error: &LinkError, config: &Config, identity: &Identity, situation: &Situation<'_>) -> Diagnostic {
    let told = Diagnostic::from(error);
    if *error != LinkError::Refused(Refusal::Unauthorized) {
        return told;
    }
    let before = previous_key::find(&config.data_dir, identity.agent, situation.clock.now());
    let story = match before {
        Some(_) => {
            "the cloud may be restored from a backup; the running service lets the key before vouch for this one"
        }
        None => "no earlier key is kept that could vouch for this one",
    };
    Diagnostic { detail: format!("{}; {story}", told.detail), ..told }
}

fn clock(offset_ms: i64) -> Finding {
    let seconds = offset_ms / 1000;
    if seconds.abs() > CLOCK_SECONDS {
        let detail = format!("this machine is off by {seconds} s");
        return Finding::Fail(Diagnostic::new(catalogue::CLOCK_OFF, detail, Exit::Attention));
    }
    Finding::Ok(format!("off by {seconds} s"))
}

fn instructions(desired: Option<&DesiredState>) -> Finding {
    match desired {
        Some(desired) if !desired.imports.is_empty() => Finding::Ok(format!(
            "number {} of {}, signed by the cloud, {} imports",
            desired.version,
            desired.issued_at.format("%Y-%m-%d %H:%M"),
            desired.imports.len()
        )),
        Some(_) | None => {
            Finding::Warn(Diagnostic::new(catalogue::NO_IMPORT, "there is nothing to read yet", Exit::Attention))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_minutes_are_the_most_a_clock_may_be_off() {
        assert!(matches!(clock(-120_999), Finding::Ok(_)));
        assert!(matches!(clock(121_000), Finding::Fail(told) if told.fault.code == "RC-1005"));
    }

    #[test]
    fn without_an_import_there_is_something_to_do_in_the_portal() {
        assert!(matches!(instructions(None), Finding::Warn(told) if told.fault.code == "RC-4007"));
    }
}
