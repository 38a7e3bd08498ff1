//! Checks the domain controllers: which there are, port, certificate, sign-in, domain and rights, each told apart.

use chrono::{DateTime, TimeDelta, Utc};
use rollcall_protocol::catalogue;
use rollcall_protocol::desired::DesiredState;

use super::finding::{Finding, Report};
use super::{Caution, Situation, certificate, name_form, rights, selection, ways};
use crate::config::Config;
use crate::diagnostic::Diagnostic;
use crate::directory::access::Access;
use crate::directory::broken::{Broke, Experience};
use crate::directory::connect::{self, ConnectError, Target};
use crate::directory::controllers::{self, InReach, ReachError};
use crate::directory::domain::Domain;
use crate::directory::method::{Method, Tls};
use crate::directory::reader::{DirectoryReader, Finds};
use crate::directory::sid::Sid;
use crate::directory::values;
use crate::exit::Exit;
use crate::folder::kept;
use crate::platform::domain_controller::{Located, Search};
use crate::spool::state::State;

const AFTER_SIGN_IN: &[&str] = &["domain", "rights", "controller clock"];
/// Kerberos forgives no more (RFC 4120, and the default of every domain).
const CLOCK_MINUTES: i64 = 5;
/// Controllers whose line is looked at one by one.
const LOOKED_AT: usize = 3;

pub async fn check(
    report: &mut Report<'_>,
    config: &Config,
    situation: &Situation<'_>,
    store: Option<&State>,
    desired: Option<&DesiredState>,
) {
    let access = config.access().map(|access| (access, "complete".to_owned()));
    let Some(access) = report.step("directory settings", access) else {
        report.skip(&["controllers"], "the settings are not complete");
        return skip_all_of_the_directory(report, "the settings are not complete");
    };
    for credentials in access.methods.iter().filter_map(ways::credentials_of).take(1) {
        report.add("sign-in name", name_form::judge(&credentials.user));
    }
    if !check_lines(report, &access, situation, store).await {
        return skip_all_of_the_directory(report, "there is no secure line to a domain controller");
    }
    let Some((mut reader, domain)) = sign_in(report, config, situation, store, &access).await else { return };
    let pin = if store.is_some_and(|state| state.domain.is_some()) { "the pinned one" } else { "not pinned yet" };
    report.add("domain", Finding::Ok(format!("{} ({pin}) by {}", domain.pin.dns_name, domain.dc.dns_name)));
    check_root(report, &mut reader, situation.clock.now()).await;
    match situation.caution {
        Caution::TryOnce => selection::check(report, &mut reader, &domain, &access, desired).await,
        Caution::RespectLastRefusal => {
            report.skip(selection::NAMES, "a bundle from afar reads nobody; rollcall-agent check on the machine does");
        }
    }
    reader.close().await;
}

fn skip_all_of_the_directory(report: &mut Report<'_>, why: &str) {
    report.skip(&["sign-in"], why);
    report.skip(AFTER_SIGN_IN, why);
    report.skip(selection::NAMES, why);
}

/// The controllers in the order in which a cycle tries them, and the line to each. Answers whether a sign-in makes sense.
async fn check_lines(
    report: &mut Report<'_>,
    access: &Access,
    situation: &Situation<'_>,
    store: Option<&State>,
) -> bool {
    if let Some(domain) = &access.controllers.domain {
        report.add("locator", locator(domain, &controllers::locate(domain, access, Search::Remembered).await));
    }
    let experience = store.map(|state| state.experience(situation.clock.now())).unwrap_or_default();
    let targets = controllers::targets(access, &experience, situation.chance).await;
    let found = targets.map_err(|error| Diagnostic::from(&error)).map(|targets| {
        let words = in_order(&targets, &experience);
        (targets, words)
    });
    let Some(targets) = report.step("controllers", found) else { return false };
    let ways: Vec<(&Target, &Method)> = targets
        .iter()
        .take(LOOKED_AT)
        .flat_map(|target| access.methods.iter().map(move |method| (target, method)))
        .collect();
    // Where there are several ways, a broken one is no failure as long as another leads in.
    let weight = if ways.len() == 1 { Weight::Decisive } else { Weight::OneOfSeveral };
    let mut is_open = false;
    for (target, method) in ways {
        let line = Line { target, method, weight, now: situation.clock.now() };
        is_open |= line.check(report).await;
    }
    is_open
}

/// The names, and why one of them comes last.
fn in_order(targets: &[Target], experience: &Experience<'_>) -> String {
    let names: Vec<&str> = targets.iter().map(|target| target.host.as_str()).collect();
    let is_there = |broke: &&&Broke| names.iter().any(|name| name.eq_ignore_ascii_case(&broke.host));
    let mut told = vec![format!("{}, in this order", names.join(", "))];
    for broke in experience.broke.iter().filter(is_there) {
        told.push(format!("{} broke off at {}", broke.host, broke.at.format("%Y-%m-%d %H:%M UTC")));
    }
    told.join("; ")
}

/// The system's own locator knows the site of this machine. Without it nothing is lost but that.
fn locator(domain: &str, located: &Located) -> Finding {
    let instead = "the controllers that DNS lists are tried";
    match located {
        Located::Controller(host) => Finding::Ok(format!("{host} is the nearest of {domain}; it is tried first")),
        Located::NoneKnown { error } => {
            Finding::Skipped(format!("Windows names no controller of {domain} (error {error}); {instead}"))
        }
        Located::Unusable(name) => {
            Finding::Skipped(format!("Windows names {name}, which stands in no certificate; {instead}"))
        }
        Located::Silent => Finding::Skipped(format!("Windows did not name a controller in time; {instead}")),
        Located::NoLocator => Finding::Skipped(format!("this system has none; {instead}")),
    }
}

/// Whether a broken line is the end of the matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Weight {
    Decisive,
    OneOfSeveral,
}

/// One controller by one way.
struct Line<'a> {
    target: &'a Target,
    method: &'a Method,
    weight: Weight,
    now: DateTime<Utc>,
}

impl Line<'_> {
    fn broken(&self, diagnostic: Diagnostic) -> Finding {
        match self.weight {
            Weight::Decisive => Finding::Fail(diagnostic),
            Weight::OneOfSeveral => Finding::Warn(Diagnostic { exit: Exit::Attention, ..diagnostic }),
        }
    }

    /// Port, encryption and certificate. Answers whether a sign-in can be tried.
    async fn check(&self, report: &mut Report<'_>) -> bool {
        let (target, port) = (self.target, self.method.port());
        let at = format!("{} port {port}", target.host);
        if let Err(error) = connect::open_tcp(target, port).await {
            let diagnostic = Diagnostic::from(&error);
            let detail = format!("{}{}", diagnostic.detail, self.hint(&error).await);
            report.add("controller port", self.broken(Diagnostic { detail, ..diagnostic }));
            report.skip(&["encryption", "certificate"], "the port does not answer");
            return false;
        }
        report.add("controller port", Finding::Ok(format!("{at} answers")));
        let Some(tls) = ways::tls_of(self.method) else {
            report.add("encryption", Finding::Ok(format!("{}: {}", self.method, self.method.protection())));
            return true;
        };
        match connect::open_secured(target, tls, port).await {
            Ok(stream) => {
                report.add("encryption", Finding::Ok(format!("the certificate of {at} is trusted and has its name")));
                let (_, session) = stream.get_ref();
                let own = session.peer_certificates().and_then(|chain| chain.first());
                let ends_at = own.and_then(|own| certificate::ends_at(own));
                let unknown = || Finding::Skipped("its end cannot be read".to_owned());
                report.add("certificate", ends_at.map_or_else(unknown, |at| certificate::judge(at, self.now)));
                true
            }
            Err(error) => {
                report.add("encryption", self.broken(Diagnostic::from(&error)));
                report.skip(&["certificate"], "there is no secure line");
                false
            }
        }
    }

    /// Whether the other of the two ports answers; nothing is sent to it.
    async fn hint(&self, error: &ConnectError) -> String {
        let other = match (ways::tls_of(self.method), error) {
            (Some(Tls::Ldaps), ConnectError::Unreachable { .. }) => 389,
            (Some(Tls::StartTls) | None, ConnectError::Unreachable { .. }) => 636,
            (_, _) => return String::new(),
        };
        match connect::open_tcp(self.target, other).await {
            Ok(_) => format!("; port {other} answers"),
            Err(_) => format!("; port {other} does not answer either"),
        }
    }
}

/// As a cycle does it: each way once, and after a refusal none. What the directory refused lately is not sent again when
/// nobody sits here.
async fn sign_in(
    report: &mut Report<'_>,
    config: &Config,
    situation: &Situation<'_>,
    store: Option<&State>,
    access: &Access,
) -> Option<(DirectoryReader, Domain)> {
    let refused = kept::REFUSAL.find(&config.data_dir);
    let refused = refused.is_some_and(|refusal| refusal.sign_in == config.sign_in_mark());
    match (situation.caution, refused) {
        (Caution::RespectLastRefusal, true) => {
            skip_all_of_the_directory(report, "this sign-in was refused lately; trying again could lock the account");
            return None;
        }
        (Caution::RespectLastRefusal, false) | (Caution::TryOnce, _) => {}
    }
    let experience = store.map(|state| state.experience(situation.clock.now())).unwrap_or_default();
    let pinned = store.and_then(|state| state.domain.as_ref());
    match controllers::reach(access, &experience, pinned, situation.chance).await {
        Ok(InReach { reader, domain, .. }) => {
            kept::REFUSAL.forget(&config.data_dir);
            let how = reader.how();
            for failed in &how.tried {
                report.add("sign-in", Finding::Warn(named(Some(&failed.method), &failed.error, Exit::Attention)));
            }
            report.add("sign-in", Finding::Ok(format!("accepted: {}", how.used)));
            Some((reader, domain))
        }
        Err(ReachError::Connect(error)) => {
            if Diagnostic::from(&error).must_not_be_retried() {
                // The next one who would sign in, a reading, a bundle or a start, must not send it again.
                kept::note_refusal(config, situation.clock.signed_now());
            }
            for (method, error) in error.each() {
                let told = named(method, error, Exit::DirectoryUnreachable);
                report.add("sign-in", Finding::Fail(explain(access, told)));
            }
            report.skip(AFTER_SIGN_IN, "nobody is signed in");
            report.skip(selection::NAMES, "nobody is signed in");
            None
        }
        Err(ReachError::NotOurs(error)) => {
            report.add("sign-in", Finding::Ok("accepted".to_owned()));
            report.add("domain", Finding::Fail(Diagnostic::from(&error)));
            report.skip(&["rights", "controller clock"], "the domain cannot be read");
            report.skip(selection::NAMES, "the domain cannot be read");
            None
        }
    }
}

fn explain(access: &Access, refused: Diagnostic) -> Diagnostic {
    match access.methods.iter().find_map(ways::credentials_of) {
        Some(credentials) => name_form::explain_refusal(&credentials.user, refused),
        None => refused,
    }
}

/// With the way's name, where several were tried.
fn named(method: Option<&str>, error: &ConnectError, exit: Exit) -> Diagnostic {
    let diagnostic = Diagnostic::from(error);
    let detail = match method {
        Some(method) => format!("{method}: {}", diagnostic.detail),
        None => diagnostic.detail,
    };
    Diagnostic { fault: diagnostic.fault, detail, exit }
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
        return Finding::Warn(Diagnostic::new(catalogue::KERBEROS_CLOCK, words, Exit::Attention));
    }
    Finding::Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_locator_without_an_answer_fails_nothing_and_says_what_happens_instead() {
        for located in [Located::NoneKnown { error: 1355 }, Located::Unusable("DC1".into()), Located::Silent] {
            let Finding::Skipped(why) = locator("lab.example", &located) else { panic!("{located:?}") };
            assert!(why.ends_with("DNS lists are tried"), "{why}");
        }
        let named = locator("lab.example", &Located::Controller("dc1.lab.example".into()));
        assert_eq!(named, Finding::Ok("dc1.lab.example is the nearest of lab.example; it is tried first".into()));
    }

    #[test]
    fn five_minutes_between_the_clocks_are_too_many() {
        assert!(matches!(clock(TimeDelta::seconds(-299)), Finding::Ok(_)));
        assert!(matches!(clock(TimeDelta::seconds(300)), Finding::Warn(told) if told.fault.code == "RC-2208"));
    }
}
