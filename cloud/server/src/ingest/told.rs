//! Decides what of an agent's own words is kept: nothing longer than a page can show, no time that has not come, and no
//! code that is none. They stand in lists, in health and beside the words of people.

use chrono::{DateTime, TimeDelta, Utc};
use rollcall_domain::heard::{self, NAME, cut};
use rollcall_protocol::{
    catalogue,
    ceiling::{Ceiling, NeverRead},
    checkin::{AgentStatus, Clearing, CycleOutcome, CycleReport, Problem},
    directory::DomainPin,
    enrol::MachineFacts,
    limits,
};

/// Facts about one problem.
const DETAIL: usize = 2 * 1024;
/// Problems that are kept; there are not half as many codes an agent may raise at once.
const PROBLEMS: usize = 50;
/// No clock is off by more than this and still one that anybody tells the time by.
const OFFSET: TimeDelta = TimeDelta::days(36_500);

pub fn tidy(status: &mut AgentStatus, now: DateTime<Utc>) {
    for name in [&mut status.host, &mut status.os, &mut status.version] {
        cut(name, NAME);
    }
    if let Some(transport) = &mut status.transport {
        cut(transport, NAME);
    }
    // What is pinned or compared is taken as it is or not at all.
    status.platform.take_if(|platform| platform.to_string().len() > NAME);
    status.domain.take_if(|domain| !is_name(domain));
    status.update.take_if(|update| update.version.to_string().len() > NAME);
    if let Some(ceiling) = &mut status.ceiling {
        tidy_ceiling(ceiling);
    }
    if let Some(dc) = &mut status.dc {
        cut(&mut dc.dns_name, NAME);
    }
    let offset = OFFSET.num_milliseconds();
    status.clock_offset_ms = status.clock_offset_ms.clamp(-offset, offset);
    status.started_at = heard::time(status.started_at, now);
    status.problems.truncate(PROBLEMS);
    for problem in &mut status.problems {
        tidy_problem(problem, now);
    }
    if let Some(report) = &mut status.last_cycle {
        tidy_report(report, now);
    }
    status.clearings.truncate(limits::CLEARED_ATTRIBUTES);
    for Clearing { attribute, .. } in &mut status.clearings {
        cut(attribute, NAME);
    }
}

/// What a machine says of itself when it enrols.
pub fn tidy_machine(machine: &mut MachineFacts) {
    for name in [&mut machine.host, &mut machine.os, &mut machine.agent_version] {
        cut(name, NAME);
    }
    if let Some(id) = &mut machine.machine_id {
        cut(id, NAME);
    }
}

fn tidy_ceiling(ceiling: &mut Ceiling) {
    ceiling.withheld.truncate(limits::CEILING);
    ceiling.never_read.truncate(limits::CEILING);
    for attribute in &mut ceiling.withheld {
        cut(attribute, NAME);
    }
    for NeverRead { place, .. } in &mut ceiling.never_read {
        cut(place, DETAIL);
    }
}

/// Whether it may be the name of a domain.
pub fn is_name(domain: &DomainPin) -> bool {
    domain.sid.len() <= NAME && domain.dns_name.len() <= NAME
}

fn tidy_report(report: &mut CycleReport, now: DateTime<Utc>) {
    report.finished_at = heard::time(report.finished_at, now);
    report.started_at = heard::time(report.started_at, report.finished_at);
    match &mut report.outcome {
        CycleOutcome::Complete => {}
        CycleOutcome::Incomplete { problem, .. } => tidy_problem(problem, now),
    }
}

/// A newer agent may know a code that this cloud does not; it is shown as such, if it looks like one.
fn tidy_problem(problem: &mut Problem, now: DateTime<Utc>) {
    if !is_code(&problem.code) {
        catalogue::UNEXPECTED.code.clone_into(&mut problem.code);
    }
    cut(&mut problem.detail, DETAIL);
    problem.since = heard::time(problem.since, now);
}

fn is_code(code: &str) -> bool {
    code.strip_prefix("RC-")
        .is_some_and(|digits| digits.len() == 4 && digits.bytes().all(|digit| digit.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_keeps_a_code_that_looks_like_one_and_no_time_to_come() {
        let now = DateTime::UNIX_EPOCH + TimeDelta::days(1);
        let tidied = |code: &str, since| {
            let mut problem = Problem { code: code.to_owned(), detail: "x".repeat(3_000), since };
            tidy_problem(&mut problem, now);
            (problem.code, problem.detail.len(), problem.since)
        };
        assert_eq!(tidied("RC-2999", DateTime::UNIX_EPOCH), ("RC-2999".to_owned(), DETAIL, DateTime::UNIX_EPOCH));
        assert_eq!(tidied("<b>", DateTime::<Utc>::MAX_UTC), ("RC-9001".to_owned(), DETAIL, now));
    }

    #[test]
    fn a_time_before_any_that_a_database_keeps_is_moved() {
        let mut problem = Problem { code: "RC-2999".into(), detail: String::new(), since: DateTime::<Utc>::MIN_UTC };
        tidy_problem(&mut problem, DateTime::UNIX_EPOCH);
        assert_eq!(problem.since, DateTime::UNIX_EPOCH);
    }

    #[test]
    fn no_domain_is_pinned_by_a_name_longer_than_any() {
        let pin = |dns_name: String| DomainPin { guid: uuid::Uuid::nil(), sid: "S-1-5-21-1-2-3".into(), dns_name };
        assert!(is_name(&pin("contoso.example".into())) && !is_name(&pin("x".repeat(NAME + 1))));
    }
}
