//! Decides what a check says and how a series of checks ends: the first failure is the cause of most that follow, and a
//! warning never hides it.

use serde_json::{Value, json};

use crate::diagnostic::Diagnostic;
use crate::exit::Exit;

/// What one check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    Ok(String),
    /// Works, and a human should know.
    Warn(Diagnostic),
    Fail(Diagnostic),
    /// Could not be tried; says why.
    Skipped(String),
}

/// One check by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    pub name: &'static str,
    pub finding: Finding,
}

impl Checked {
    /// One line for people.
    pub fn to_text(&self) -> String {
        match &self.finding {
            Finding::Ok(detail) => format!("[ OK ] {}: {detail}", self.name),
            Finding::Warn(diagnostic) => format!("[WARN] {diagnostic}"),
            Finding::Fail(diagnostic) => format!("[FAIL] {diagnostic}"),
            Finding::Skipped(why) => format!("[SKIP] {}: {why}", self.name),
        }
    }

    /// One JSON object for programs.
    pub fn to_json(&self) -> Value {
        match &self.finding {
            Finding::Ok(detail) => json!({ "check": self.name, "result": "ok", "detail": detail }),
            Finding::Warn(diagnostic) => {
                json!({ "check": self.name, "result": "warn", "problem": diagnostic.to_json() })
            }
            Finding::Fail(diagnostic) => {
                json!({ "check": self.name, "result": "fail", "problem": diagnostic.to_json() })
            }
            Finding::Skipped(why) => json!({ "check": self.name, "result": "skip", "detail": why }),
        }
    }

    fn exit(&self) -> Option<Exit> {
        match &self.finding {
            Finding::Ok(_) | Finding::Skipped(_) => None,
            Finding::Warn(_) => Some(Exit::Attention),
            Finding::Fail(diagnostic) => Some(diagnostic.exit),
        }
    }
}

/// The checks so far. Whoever listens hears each as it is made: a name server may take its time.
pub struct Report<'a> {
    checks: Vec<Checked>,
    listener: &'a (dyn Fn(&Checked) + Sync),
}

impl std::fmt::Debug for Report<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(&self.checks).finish()
    }
}

impl<'a> Report<'a> {
    pub fn new(listener: &'a (dyn Fn(&Checked) + Sync)) -> Self {
        Self { checks: Vec::new(), listener }
    }

    pub fn add(&mut self, name: &'static str, finding: Finding) {
        let checked = Checked { name, finding };
        (self.listener)(&checked);
        self.checks.push(checked);
    }

    /// Adds what a step brought, and hands its value on; `None` when it failed.
    pub fn step<T>(&mut self, name: &'static str, result: Result<(T, String), Diagnostic>) -> Option<T> {
        match result {
            Ok((value, detail)) => {
                self.add(name, Finding::Ok(detail));
                Some(value)
            }
            Err(diagnostic) => {
                self.add(name, Finding::Fail(diagnostic));
                None
            }
        }
    }

    /// Names what cannot be tried after a failure.
    pub fn skip(&mut self, names: &[&'static str], why: &str) {
        for name in names {
            self.add(name, Finding::Skipped(why.to_owned()));
        }
    }

    /// How the command ends.
    pub fn exit(&self) -> Exit {
        let exits: Vec<Exit> = self.checks.iter().filter_map(Checked::exit).collect();
        let failed = exits.iter().find(|exit| **exit != Exit::Attention);
        failed.or(exits.first()).copied().unwrap_or(Exit::Ok)
    }

    pub fn into_checks(self) -> Vec<Checked> {
        self.checks
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rollcall_protocol::catalogue;

    fn diagnostic(exit: Exit) -> Diagnostic {
        Diagnostic::new(catalogue::DC_UNREACHABLE, "dc1", exit)
    }

    #[test]
    fn the_first_failure_decides_and_a_warning_before_it_does_not() {
        let mut report = Report::new(&|_| {});
        report.add("clock", Finding::Warn(diagnostic(Exit::Attention)));
        assert_eq!(report.exit(), Exit::Attention);

        report.add("port", Finding::Fail(diagnostic(Exit::DirectoryUnreachable)));
        report.add("disk", Finding::Fail(diagnostic(Exit::Failed)));

        assert_eq!(report.exit(), Exit::DirectoryUnreachable);
    }

    #[test]
    fn what_could_not_be_tried_is_named_and_fails_nothing() {
        let mut report = Report::new(&|_| {});

        report.skip(&["sign-in", "domain"], "the port does not answer");

        assert_eq!(report.exit(), Exit::Ok);
        assert_eq!(report.into_checks()[1].to_text(), "[SKIP] domain: the port does not answer");
    }

    #[test]
    fn a_failure_says_code_cause_and_fix_in_both_forms() {
        let checked = Checked { name: "port", finding: Finding::Fail(diagnostic(Exit::DirectoryUnreachable)) };

        assert!(checked.to_text().starts_with("[FAIL] RC-2102"), "{}", checked.to_text());
        assert!(checked.to_text().contains("Fix:"));
        assert_eq!(checked.to_json()["problem"]["code"], "RC-2102");
    }
}
