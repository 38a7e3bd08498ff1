//! Decides what a run says of itself: the most serious thing it met.

use rollcall_domain::run::{Counts, RunResult};
use rollcall_protocol::{
    batch::CyclePart,
    catalogue::{self, Fault},
    checkin::Clearing,
};

/// Result and reason of an applied run.
#[derive(Debug, PartialEq, Eq)]
pub struct Verdict {
    pub result: RunResult,
    pub fault: Option<&'static Fault>,
    pub detail: Option<String>,
}

/// Whether count and digest agreed, and what was done where they did not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sets {
    Agree,
    /// A full snapshot was ordered, which settles it.
    DifferAndOrdered,
    /// This was the full snapshot that was ordered, or it has records that are set aside each time.
    DifferStill,
    /// A full snapshot was wanted within the last day and settled nothing yet; no other is ordered so soon.
    DifferLately,
}

/// `lost`: what vanished from many people and was left as it was.
pub fn decide(told: &CyclePart, counts: &Counts, sets: Sets, lost: &[Clearing]) -> Verdict {
    let verdict = |result, fault, detail: String| Verdict { result, fault: Some(fault), detail: Some(detail) };
    if counts.set_aside > 0 {
        let detail = format!("{} records were set aside", counts.set_aside);
        return verdict(RunResult::Partial, &catalogue::RECORD_SET_ASIDE, detail);
    }
    match sets {
        Sets::Agree => {}
        Sets::DifferAndOrdered => {
            return verdict(RunResult::Partial, &catalogue::SET_DIFFERS, "a full snapshot was ordered".to_owned());
        }
        Sets::DifferStill => {
            let detail = "this full snapshot was to settle it and did not";
            return verdict(RunResult::Partial, &catalogue::SET_DIFFERS, detail.to_owned());
        }
        Sets::DifferLately => {
            let detail = "the full snapshot of the last day has not settled it; the next may be ordered a day after it";
            return verdict(RunResult::Partial, &catalogue::SET_DIFFERS, detail.to_owned());
        }
    }
    if !told.unavailable.is_empty() {
        let objects = told.unavailable.len() as u64 + u64::from(told.unavailable_more);
        let detail = format!("{objects} selected objects could not be found or read");
        return verdict(RunResult::Partial, &catalogue::SCOPE_GONE, detail);
    }
    if !lost.is_empty() {
        let of = |lost: &Clearing| format!("{} of {} of {} people", lost.attribute, lost.people, lost.of);
        let detail = lost.iter().map(of).collect::<Vec<_>>().join(", ");
        return verdict(RunResult::Partial, &catalogue::ATTRIBUTE_LOST, detail);
    }
    if counts.held > 0 {
        return verdict(RunResult::Ok, &catalogue::REMOVALS_HELD, format!("{} removals wait", counts.held));
    }
    Verdict { result: RunResult::Ok, fault: None, detail: None }
}
