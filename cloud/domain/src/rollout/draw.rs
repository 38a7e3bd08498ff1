//! Decides up to which place agents are asked, once everybody who was asked has an end.

use super::{Ring, Wait};

/// An agent of the rollout's platform that was heard of lately and whose customer is not pinned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    pub place: i64,
    /// It runs an older version.
    pub is_older: bool,
    /// It was asked for this version before.
    pub is_asked: bool,
}

impl Member {
    const fn can_be_asked(&self) -> bool {
        self.is_older && !self.is_asked
    }
}

/// How a rollout goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Wait(Wait),
    Widen {
        ring: Ring,
        cutoff: i64,
    },
    /// Nobody of the ring came through or counts: others join it.
    Redraw {
        cutoff: i64,
    },
    Finish,
}

/// The last place that is asked first. An MSP with few agents still begins with one.
pub fn begin(members: &[Member]) -> i64 {
    cutoff(Ring::First, members.iter().filter(|member| member.can_be_asked()).map(|member| member.place).collect())
}

/// `counted`: how many of those who were asked came through or failed.
pub fn advance(ring: Ring, before: i64, counted: i64, members: &[Member]) -> Step {
    if members.iter().any(|member| member.can_be_asked() && member.place <= before) {
        return Step::Wait(Wait::Turn);
    }
    let others: Vec<i64> = members.iter().filter(|member| member.can_be_asked()).map(|member| member.place).collect();
    match (counted, ring.next()) {
        (0, _) if others.is_empty() => Step::Wait(Wait::Nobody),
        (0, _) => Step::Redraw { cutoff: cutoff(ring, others) },
        (_, Some(next)) => {
            // Those who have it already count for the size of a later ring by their place.
            let share = cutoff(next, members.iter().map(|member| member.place).collect());
            Step::Widen { ring: next, cutoff: share.max(before) }
        }
        (_, None) => Step::Finish,
    }
}

/// The last place that belongs to a ring.
fn cutoff(ring: Ring, mut places: Vec<i64>) -> i64 {
    if ring == Ring::All {
        return i64::MAX;
    }
    places.sort_unstable();
    let asked = (places.len() * ring.percent()).div_ceil(100);
    asked.checked_sub(1).and_then(|last| places.get(last).copied()).unwrap_or(-1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;
    use crate::rollout::place;

    const fn member(place: i64) -> Member {
        Member { place, is_older: true, is_asked: false }
    }

    const fn asked(place: i64) -> Member {
        Member { place, is_older: true, is_asked: true }
    }

    #[test]
    fn a_ring_does_not_grow_while_somebody_of_it_waits_for_its_turn() {
        assert_eq!(advance(Ring::First, 5, 1, &[asked(1), member(5), member(9)]), Step::Wait(Wait::Turn));
        assert_eq!(
            advance(Ring::First, 5, 1, &[asked(1), member(9)]),
            Step::Widen { ring: Ring::Tenth, cutoff: 5 },
            "a tenth of two is one, and those who were asked stay within"
        );
        assert_eq!(advance(Ring::Tenth, 5, 1, &[asked(1)]), Step::Widen { ring: Ring::All, cutoff: i64::MAX });
        assert_eq!(advance(Ring::All, i64::MAX, 1, &[asked(1)]), Step::Finish);
    }

    #[test]
    fn where_nobody_counts_others_are_drawn_and_nobody_twice() {
        assert_eq!(advance(Ring::First, 5, 0, &[asked(1), member(7), member(9)]), Step::Redraw { cutoff: 7 });
        assert_eq!(advance(Ring::First, 5, 0, &[asked(1)]), Step::Wait(Wait::Nobody));
        assert_eq!(advance(Ring::First, 5, 0, &[]), Step::Wait(Wait::Nobody));
        let newer = Member { is_older: false, ..member(7) };
        assert_eq!(advance(Ring::First, 5, 0, &[newer]), Step::Wait(Wait::Nobody));
    }

    proptest! {
        #[test]
        fn a_ring_has_the_share_it_is_named_for_and_each_ring_holds_the_one_before(
            ids in proptest::collection::hash_set(any::<u128>(), 1..400),
        ) {
            let members: Vec<Member> = ids.iter().map(|id| member(place(Uuid::from_u128(*id), "1.2.0"))).collect();
            let within = |cutoff| members.iter().filter(|member| member.place <= cutoff).count();
            let first = begin(&members);
            let asked: Vec<Member> =
                members.iter().map(|member| Member { is_asked: member.place <= first, ..*member }).collect();
            let Step::Widen { ring: Ring::Tenth, cutoff: tenth } = advance(Ring::First, first, 1, &asked) else {
                return Err(TestCaseError::fail("the ring did not widen"));
            };
            prop_assert!(within(first) >= 1 && within(first) <= ids.len() / 100 + 2);
            prop_assert!(within(tenth) >= within(first) && within(tenth) <= ids.len() / 10 + 2);
        }
    }
}
