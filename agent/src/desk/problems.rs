//! Keeps what is wrong right now, since when, and which of it a person should see first.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use rollcall_protocol::catalogue::{self, Area, Fault};
use rollcall_protocol::checkin::Problem;

use crate::diagnostic::Diagnostic;

/// Every problem that lasts, by its code.
#[derive(Debug, Default)]
pub struct Problems {
    known: BTreeMap<&'static str, Problem>,
    /// What the last reading failed with: whatever it was, the next good one has mended it.
    failure: Option<&'static str>,
}

/// How much a problem keeps from working, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// It ended the last reading.
    EndedReading,
    /// Nothing is read or sent because of it.
    Stops,
    /// A part stands still.
    Hinders,
    /// Everything works all the same.
    Notes,
}

const NOTES: [Fault; 9] = [
    catalogue::SPOOL_REBUILT,
    catalogue::CLOCK_OFF,
    catalogue::DISK_LOW,
    catalogue::LEDGER_ALTERED,
    catalogue::BUNDLE_FAILED,
    catalogue::CERT_EXPIRING,
    catalogue::TOO_POWERFUL,
    catalogue::BIND_NAME_FORM,
    catalogue::FEW_MAILS,
];
const HINDRANCES: [Fault; 3] = [catalogue::ATTRIBUTE_LOST, catalogue::DESIRED_REFUSED, catalogue::BATCH_POISONED];

fn rank(code: &str) -> Rank {
    let is_among = |faults: &[Fault]| faults.iter().any(|fault| fault.code == code);
    if is_among(&NOTES) {
        return Rank::Notes;
    }
    if is_among(&HINDRANCES) {
        return Rank::Hinders;
    }
    match Area::of(code) {
        // What became of a newer version of the agent.
        Area::Update => Rank::Notes,
        Area::Import => Rank::Hinders,
        Area::Agent
        | Area::Directory
        | Area::Line
        | Area::Exchange
        | Area::Matching
        | Area::Vendor
        | Area::Mail
        | Area::Request
        | Area::Operation => Rank::Stops,
    }
}

impl Problems {
    /// Notes a problem; the moment it began, which is answered, stays while it lasts.
    pub fn raise(&mut self, diagnostic: &Diagnostic, now: DateTime<Utc>) -> DateTime<Utc> {
        let since = self.known.get(diagnostic.fault.code).map_or(now, |problem| problem.since);
        self.known.insert(diagnostic.fault.code, diagnostic.to_problem(since));
        since
    }

    /// A reading failed with this: of the directory nothing else is known now.
    pub fn fail(&mut self, diagnostic: &Diagnostic, now: DateTime<Utc>) -> DateTime<Utc> {
        let code = diagnostic.fault.code;
        let failure = self.failure.replace(code);
        self.known
            .retain(|known, _| *known == code || !(Area::of(known) == Area::Directory || failure == Some(*known)));
        self.raise(diagnostic, now)
    }

    /// A reading was complete: of all that can be wrong with directory and selection only this is left.
    pub fn conclude(&mut self, left: impl IntoIterator<Item = Diagnostic>, now: DateTime<Utc>) {
        let left = by_code(left);
        let failure = self.failure.take();
        let is_of_reading =
            |code: &str| [Area::Directory, Area::Import].contains(&Area::of(code)) || failure == Some(code);
        self.known.retain(|code, _| left.contains_key(code) || !is_of_reading(code));
        for diagnostic in left.values() {
            self.raise(diagnostic, now);
        }
    }

    /// Forgets those of these codes.
    pub fn clear(&mut self, is_over: impl Fn(&str) -> bool) {
        self.known.retain(|code, _| !is_over(code));
    }

    /// Worst first; among equals the one that lasts longest.
    pub fn listed(&self) -> Vec<Problem> {
        let rank = |problem: &Problem| match self.failure {
            Some(code) if code == problem.code => Rank::EndedReading,
            Some(_) | None => rank(&problem.code),
        };
        let mut listed: Vec<Problem> = self.known.values().cloned().collect();
        listed.sort_by_key(|problem| (rank(problem), problem.since));
        listed
    }
}

/// Each code once, with everything that is said of it.
fn by_code(diagnostics: impl IntoIterator<Item = Diagnostic>) -> BTreeMap<&'static str, Diagnostic> {
    let mut left: BTreeMap<&'static str, Diagnostic> = BTreeMap::new();
    for diagnostic in diagnostics {
        match left.get_mut(diagnostic.fault.code) {
            Some(known) => known.detail = format!("{}; {}", known.detail, diagnostic.detail),
            None => drop(left.insert(diagnostic.fault.code, diagnostic)),
        }
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;

    fn told(fault: Fault) -> Diagnostic {
        Diagnostic::new(fault, "a host", Exit::Failed)
    }

    fn at(minutes: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + chrono::TimeDelta::minutes(minutes)
    }

    fn codes(problems: &Problems) -> Vec<String> {
        problems.listed().into_iter().map(|problem| problem.code).collect()
    }

    #[test]
    fn a_fault_that_lasts_keeps_the_moment_it_began() {
        let mut problems = Problems::default();

        problems.fail(&told(catalogue::DC_UNREACHABLE), at(0));
        problems.fail(&told(catalogue::DC_UNREACHABLE), at(60));

        assert_eq!(problems.listed()[0].since, at(0));
    }

    #[test]
    fn a_warning_of_every_reading_keeps_the_moment_it_began() {
        let mut problems = Problems::default();

        problems.conclude([told(catalogue::TOO_POWERFUL)], at(0));
        problems.conclude([told(catalogue::TOO_POWERFUL)], at(180));

        assert_eq!(problems.listed()[0].since, at(0));
        problems.conclude([], at(360));
        assert!(problems.listed().is_empty());
    }

    #[test]
    fn whatever_ended_a_reading_is_over_after_the_next_good_one() {
        for fault in [catalogue::CONFIG_UNREADABLE, catalogue::SECRET_FILE_OPEN, catalogue::UNEXPECTED] {
            let mut problems = Problems::default();
            problems.fail(&told(fault), at(0));

            problems.conclude([], at(1));

            assert!(problems.listed().is_empty(), "{fault}");
        }
    }

    #[test]
    fn another_failure_takes_the_place_of_the_last_one() {
        let mut problems = Problems::default();
        problems.fail(&told(catalogue::SECRET_FILE_OPEN), at(0));

        problems.fail(&told(catalogue::BIND_REFUSED), at(1));

        assert_eq!(codes(&problems), ["RC-2201"]);
    }

    #[test]
    fn what_ended_the_reading_comes_first_and_what_hinders_nothing_last() {
        let mut problems = Problems::default();
        problems.raise(&told(catalogue::UPDATE_TAKEN_BACK), at(0));
        problems.raise(&told(catalogue::CLOUD_UNREACHABLE), at(1));
        problems.raise(&told(catalogue::SCOPE_GONE), at(2));
        problems.fail(&told(catalogue::BIND_REFUSED), at(3));

        assert_eq!(codes(&problems), ["RC-2201", "RC-3004", "RC-4002", "RC-1050"]);
    }
}
