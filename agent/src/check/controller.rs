//! Checks the domain controller: name, port, certificate, sign-in, domain and rights, each told apart.

use chrono::{DateTime, TimeDelta, Utc};
use rollcall_protocol::catalogue;
use rollcall_protocol::desired::DesiredState;

use super::finding::{Finding, Report};
use super::selection;
use super::{Caution, Situation, certificate, name_form, rights};
use crate::config::Config;
use crate::cycle::Access;
use crate::diagnostic::Diagnostic;
use crate::directory::connect::{self, ConnectError, Target, Transport};
use crate::directory::domain;
use crate::directory::reader::{DirectoryReader, Finds};
use crate::directory::sid::Sid;
use crate::directory::values;
use crate::exit::Exit;
use crate::service::keeping;
use crate::spool::state::State;

const AFTER_PORT: &[&str] = &["encryption", "certificate", "sign-in name"];
const AFTER_SIGN_IN: &[&str] = &["domain", "rights", "controller clock"];
/// Kerberos forgives no more (RFC 4120, and the default of every domain).
const CLOCK_MINUTES: i64 = 5;

pub async fn check(
    report: &mut Report<'_>,
    config: &Config,
    situation: &Situation<'_>,
    store: Option<&State>,
    desired: Option<&DesiredState>,
) {
    let access = config.access().map(|access| (access, "complete".to_owned()));
    let Some(access) = report.step("directory settings", access) else {
        report.skip(&["controller name", "controller port"], "the settings are not complete");
        return skip_all_of_the_directory(report, "the settings are not complete");
    };
    if !check_line(report, &access.target, situation.clock.now()).await {
        return skip_all_of_the_directory(report, "there is no secure line to the domain controller");
    }
    report.add("sign-in name", name_form::judge(&access.credentials.user));
    let Some(mut reader) = sign_in(report, config, situation, &access).await else {
        report.skip(AFTER_SIGN_IN, "nobody is signed in");
        return report.skip(selection::NAMES, "nobody is signed in");
    };
    let pinned = store.and_then(|state| state.domain.as_ref());
    let found = domain::identify(&mut reader, pinned).await.map_err(|error| Diagnostic::from(&error));
    let found = found.map(|domain| {
        let pin = if pinned.is_some() { "the pinned one" } else { "not pinned yet" };
        let detail = format!("{} ({pin}) by {}", domain.pin.dns_name, domain.dc.dns_name);
        (domain, detail)
    });
    match report.step("domain", found) {
        None => {
            report.skip(&["rights", "controller clock"], "the domain cannot be read");
            report.skip(selection::NAMES, "the domain cannot be read");
        }
        Some(domain) => {
            check_root(report, &mut reader, situation.clock.now()).await;
            selection::check(report, &mut reader, &domain, &access, desired).await;
        }
    }
    reader.close().await;
}

fn skip_all_of_the_directory(report: &mut Report<'_>, why: &str) {
    report.skip(&["sign-in"], why);
    report.skip(AFTER_SIGN_IN, why);
    report.skip(selection::NAMES, why);
}

/// Name, port, encryption and certificate. Answers whether a sign-in can be tried.
async fn check_line(report: &mut Report<'_>, target: &Target, now: DateTime<Utc>) -> bool {
    let at = format!("{} port {}", target.host, target.port);
    match connect::open_tcp(target).await {
        Ok(_) => {
            report.add("controller name", Finding::Ok(format!("{} has an address", target.host)));
            report.add("controller port", Finding::Ok(format!("{at} answers")));
        }
        Err(error @ ConnectError::NameUnknown { .. }) => {
            report.add("controller name", Finding::Fail(Diagnostic::from(&error)));
            report.skip(&["controller port"], "the name has no address");
            report.skip(AFTER_PORT, "the name has no address");
            return false;
        }
        Err(error) => {
            report.add("controller name", Finding::Ok(format!("{} has an address", target.host)));
            let diagnostic = Diagnostic::from(&error);
            let detail = format!("{}{}", diagnostic.detail, other_port(target).await);
            report.add("controller port", Finding::Fail(Diagnostic { detail, ..diagnostic }));
            report.skip(AFTER_PORT, "the port does not answer");
            return false;
        }
    }
    match connect::open_secured(target).await {
        Ok(stream) => {
            report.add("encryption", Finding::Ok(format!("the certificate of {at} is trusted and has its name")));
            let (_, session) = stream.get_ref();
            let own = session.peer_certificates().and_then(|chain| chain.first());
            let ends_at = own.and_then(|own| certificate::ends_at(own));
            let unknown = || Finding::Skipped("its end cannot be read".to_owned());
            report.add("certificate", ends_at.map_or_else(unknown, |ends_at| certificate::judge(ends_at, now)));
            true
        }
        Err(error) => {
            report.add("encryption", Finding::Fail(Diagnostic::from(&error)));
            report.skip(&["certificate", "sign-in name"], "there is no secure line");
            false
        }
    }
}

/// Whether the other of the two ports answers, as a hint; nothing is sent to it.
async fn other_port(target: &Target) -> String {
    let transport = match target.transport {
        Transport::Ldaps => Transport::StartTls,
        Transport::StartTls => Transport::Ldaps,
    };
    let other = Target { transport, port: transport.default_port(), ..target.clone() };
    match connect::open_tcp(&other).await {
        Ok(_) => format!("; port {} answers", other.port),
        Err(_) => format!("; port {} does not answer either", other.port),
    }
}

/// Sent once. What the directory refused lately is not sent again when nobody sits here.
async fn sign_in(
    report: &mut Report<'_>,
    config: &Config,
    situation: &Situation<'_>,
    access: &Access,
) -> Option<DirectoryReader> {
    let refused = keeping::find_report(&config.data_dir).is_some_and(|last| keeping::was_refused(&last));
    match (situation.caution, refused) {
        (Caution::RespectLastRefusal, true) => {
            report.skip(&["sign-in"], "the last cycle was refused; trying again could lock the account");
            return None;
        }
        (Caution::RespectLastRefusal, false) | (Caution::TryOnce, _) => {}
    }
    let opened = DirectoryReader::open(&access.target, &access.credentials).await;
    let opened = opened.map(|reader| (reader, "accepted".to_owned())).map_err(|error| Diagnostic::from(&error));
    report.step("sign-in", opened.map_err(|refused| name_form::explain_refusal(&access.credentials.user, refused)))
}

/// What the rootDSE says of the account and of the time.
async fn check_root(report: &mut Report<'_>, reader: &mut DirectoryReader, now: DateTime<Utc>) {
    let root = reader.read_base("", &["tokenGroups", "currentTime"], Finds::Live).await;
    let Ok(Some(root)) = root else {
        return report.skip(&["rights", "controller clock"], "the rootDSE was read once and then no more");
    };
    let token: Vec<Sid> = root.all_bytes("tokenGroups").filter_map(Sid::from_bytes).collect();
    report.add("rights", rights::judge(&token));
    let told = root.text("currentTime").and_then(values::generalized_time);
    let unknown = || Finding::Skipped("the domain controller does not tell its time".to_owned());
    report.add("controller clock", told.map_or_else(unknown, |told| clock(told - now)));
}

fn clock(difference: TimeDelta) -> Finding {
    let words = format!("it differs by {} s", difference.num_seconds());
    if difference.num_minutes().abs() >= CLOCK_MINUTES {
        return Finding::Warn(Diagnostic::new(catalogue::DC_CLOCK_OFF, words, Exit::Attention));
    }
    Finding::Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_minutes_between_the_clocks_are_too_many() {
        assert!(matches!(clock(TimeDelta::seconds(-299)), Finding::Ok(_)));
        assert!(matches!(clock(TimeDelta::seconds(300)), Finding::Warn(told) if told.fault.code == "RC-2122"));
    }
}
