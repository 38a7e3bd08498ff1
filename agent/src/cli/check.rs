//! `check`: tests everything the agent needs, step by step, and says for each failure what mends it.

use std::sync::Arc;

use rollcall_protocol::catalogue;

use super::output::{Form, Output};
use crate::clock::{Chance, Clock};
use crate::cloud::checkin;
use crate::config::Config;
use crate::cycle::Access;
use crate::diagnostic::Diagnostic;
use crate::directory::connect::ConnectError;
use crate::directory::controllers;
use crate::directory::domain::{self, Rights};
use crate::directory::reader::DirectoryReader;
use crate::exit::Exit;
use crate::identity::Identity;
use crate::platform::private_file;
use crate::service::desk::Desk;
use crate::service::{keeping, supervisor};
use crate::spool::Spool;

/// What one step found.
#[derive(Debug)]
enum Finding {
    Ok(String),
    /// Works, and a human should know.
    Warn(Diagnostic),
    Fail(Diagnostic),
}

struct Report<'a> {
    output: &'a Output,
    worst: Option<Exit>,
}

impl Report<'_> {
    fn add(&mut self, name: &str, finding: &Finding) {
        let (mark, exit) = match finding {
            Finding::Ok(_) => (" OK ", None),
            Finding::Warn(_) => ("WARN", Some(Exit::Attention)),
            Finding::Fail(diagnostic) => ("FAIL", Some(diagnostic.exit)),
        };
        match (self.output.form(), finding) {
            (Form::Text, Finding::Ok(detail)) => self.output.line(format_args!("[{mark}] {name}: {detail}")),
            (Form::Text, Finding::Warn(diagnostic) | Finding::Fail(diagnostic)) => {
                self.output.line(format_args!("[{mark}] {diagnostic}"));
            }
            (Form::Json, Finding::Ok(detail)) => {
                self.output.line(serde_json::json!({ "check": name, "result": "ok", "detail": detail }));
            }
            (Form::Json, Finding::Warn(diagnostic) | Finding::Fail(diagnostic)) => {
                let result = mark.to_lowercase();
                self.output
                    .line(serde_json::json!({ "check": name, "result": result, "problem": diagnostic.to_json() }));
            }
        }
        // The first failure is the cause of most that follow, and a warning never hides it.
        self.worst = match (self.worst, exit) {
            (None | Some(Exit::Attention), Some(exit)) => Some(exit),
            (worst, _) => worst,
        };
    }

    fn step<T>(&mut self, name: &str, result: Result<(T, String), Diagnostic>) -> Option<T> {
        match result {
            Ok((value, detail)) => {
                self.add(name, &Finding::Ok(detail));
                Some(value)
            }
            Err(diagnostic) => {
                self.add(name, &Finding::Fail(diagnostic));
                None
            }
        }
    }
}

pub async fn run(config: Result<Config, Diagnostic>, clock: &Clock, chance: &Chance, output: &Output) -> Exit {
    let mut report = Report { output, worst: None };
    let config = report.step("configuration", config.map(|config| (config, "readable".to_owned())));
    if let Some(config) = config {
        report.step("data folder", data_folder(&config, clock).map(|detail| ((), detail)));
        let access = config.access().map(|access| (access, "complete".to_owned()));
        if let Some(access) = report.step("directory settings", access) {
            let settled = controllers::settle(&access, chance).await.map_err(|error| Diagnostic::from(&error));
            let settled = settled.map(|access| (access.clone(), format!("{} is asked", access.target.host)));
            if let Some(access) = report.step("domain controllers", settled) {
                directory(&mut report, &access).await;
            }
        }
        let enrolled = Identity::get(&config.data_dir);
        let enrolled = enrolled.map(|identity| {
            let detail = format!("agt_{} for {}", identity.agent, identity.customer);
            (identity, detail)
        });
        if let Some(identity) = report.step("enrolment", enrolled) {
            let heard = cloud(&config, &identity, clock, chance).await;
            report.step("cloud", heard.map(|detail| ((), detail)));
            report.step("clock", offset(clock).map(|detail| ((), detail)));
        }
    }
    report.worst.unwrap_or(Exit::Ok)
}

fn data_folder(config: &Config, clock: &Clock) -> Result<String, Diagnostic> {
    let folder = config.data_dir.as_path();
    if keeping::is_locked(folder) {
        return Ok(format!("{} is in use by the running service", folder.display()));
    }
    let _lock = keeping::lock(folder)?;
    let probe = folder.join("probe");
    private_file::write(&probe, b"probe").and_then(|()| std::fs::remove_file(&probe)).map_err(|error| {
        Diagnostic::new(catalogue::NOT_WRITABLE, format!("{}: {}", folder.display(), error.kind()), Exit::Failed)
    })?;
    let (spool, _) = Spool::open(folder, clock.now()).map_err(|error| Diagnostic::from(&error))?;
    let waiting = spool.waiting().map_err(|error| Diagnostic::from(&error))?;
    Ok(format!("{} is writable, {} batches wait", folder.display(), waiting.batches))
}

/// The ways to the domain controller in their order, then the domain. Each way is tried once: a wrong password must not
/// be repeated.
async fn directory(report: &mut Report<'_>, access: &Access) {
    let mut reader = match DirectoryReader::open(&access.target, &access.methods).await {
        Ok(reader) => reader,
        Err(error) => {
            let failed = error.each().into_iter().map(|failed| diagnosed(failed.0, failed.1));
            failed.for_each(|diagnostic| report.add("sign-in", &Finding::Fail(diagnostic)));
            return;
        }
    };
    let how = reader.how().clone();
    for failed in &how.tried {
        report.add("sign-in", &Finding::Warn(diagnosed(Some(&failed.method), &failed.error)));
    }
    report.add("domain controller", &Finding::Ok(format!("{} answers", access.target.host)));
    report.add("encryption", &Finding::Ok(how.protection.to_owned()));
    report.add("sign-in", &Finding::Ok(how.used));
    let found = domain::identify(&mut reader, None).await.map_err(|error| Diagnostic::from(&error));
    let found = found.map(|domain| {
        let detail = format!("{} by {}", domain.pin.dns_name, domain.dc.dns_name);
        (domain, detail)
    });
    if let Some(domain) = report.step("domain", found) {
        report.add("rights", &rights(domain.rights));
    }
    reader.close().await;
}

fn diagnosed(method: Option<&str>, error: &ConnectError) -> Diagnostic {
    let mut diagnostic = Diagnostic::from(error);
    if let Some(method) = method {
        diagnostic.detail = format!("{method}: {}", diagnostic.detail);
    }
    diagnostic
}

fn rights(rights: Rights) -> Finding {
    match rights {
        Rights::Reader => Finding::Ok("read-only confirmed".to_owned()),
        Rights::Administrator => {
            Finding::Warn(Diagnostic::new(catalogue::TOO_POWERFUL, "by its groups", Exit::Attention))
        }
    }
}

async fn cloud(config: &Config, identity: &Identity, clock: &Clock, chance: &Chance) -> Result<String, Diagnostic> {
    let link = supervisor::open_link(config, identity, clock, chance)?;
    let desk = Desk::new(None, keeping::find_report(&config.data_dir), clock.now());
    let desk = Arc::new(desk);
    let request = desk.request(0, clock.offset_ms());
    checkin::check_in(&link, identity, &request, None).await.map_err(|error| Diagnostic::from(&error))?;
    Ok(format!("{} knows this agent", link.url()))
}

fn offset(clock: &Clock) -> Result<String, Diagnostic> {
    let seconds = clock.offset_ms() / 1000;
    if seconds.unsigned_abs() > 120 {
        let detail = format!("this machine is off by {seconds} s");
        return Err(Diagnostic::new(catalogue::CLOCK_OFF, detail, Exit::Attention));
    }
    Ok(format!("off by {seconds} s"))
}
