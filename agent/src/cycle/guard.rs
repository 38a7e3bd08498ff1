//! Decides, per import, whether the departures of this cycle go out as they are or held for a human.

use std::collections::BTreeMap;

use rollcall_protocol::evidence::Stance;
use rollcall_protocol::guard::{self, DEFAULT};
use uuid::Uuid;

use super::confirm::Judged;
use super::evidence::Verdict;
use super::scope::Scope;
use super::survey::Survey;

/// The stance for each import from which somebody departs.
pub fn decide(scope: &Scope, survey: &Survey, judged: &Judged) -> BTreeMap<Uuid, Stance> {
    let mut leaving: BTreeMap<Uuid, u64> = BTreeMap::new();
    for (import, verdict) in judged.verdicts.values().flatten() {
        match verdict {
            Verdict::Depart(_) => *leaving.entry(*import).or_default() += 1,
            Verdict::Wait | Verdict::Stay(_) | Verdict::StillHeld(_) => {}
        }
    }
    leaving.into_iter().map(|(import, leaving)| (import, stance(scope, survey, import, leaving))).collect()
}

fn stance(scope: &Scope, survey: &Survey, import: Uuid, leaving: u64) -> Stance {
    // An import that an operator deleted has nobody left to protect; that was a human's decision already.
    if !scope.imports.contains_key(&import) {
        return Stance::Apply;
    }
    let count = |of: &BTreeMap<Uuid, u64>| of.get(&import).copied().unwrap_or_default();
    // People whom only the cloud knew are no members of ours, yet they depart: they count on both sides.
    let before = count(&survey.before).max(leaving);
    match guard::judge(DEFAULT, before, leaving, count(&survey.joining)) {
        guard::Verdict::Apply => Stance::Apply,
        guard::Verdict::Hold(_) => Stance::Held,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cycle::scope::fixtures::*;
    use rollcall_protocol::evidence::Evidence;

    fn decided(members: u64, leaving: u128) -> Stance {
        let scope = scope(vec![import(11, &[ou(21)], &[])]);
        let survey = Survey { before: BTreeMap::from([(id(11), members)]), ..Survey::default() };
        let mut judged = Judged::default();
        for number in 0..leaving {
            judged.verdicts.insert(id(1000 + number), vec![(id(11), Verdict::Depart(Evidence::Deleted))]);
        }
        decide(&scope, &survey, &judged)[&id(11)]
    }

    #[test]
    fn four_of_forty_may_go_and_five_wait_for_a_human() {
        assert_eq!(decided(40, 4), Stance::Apply);
        assert_eq!(decided(40, 5), Stance::Held);
    }

    #[test]
    fn the_last_two_never_go_without_a_human() {
        assert_eq!(decided(2, 2), Stance::Held);
    }

    #[test]
    fn those_who_wait_for_a_second_reading_do_not_count_yet() {
        let scope = scope(vec![import(11, &[ou(21)], &[])]);
        let mut judged = Judged::default();
        judged.verdicts.insert(id(1000), vec![(id(11), Verdict::Wait)]);

        assert!(decide(&scope, &Survey::default(), &judged).is_empty());
    }
}
