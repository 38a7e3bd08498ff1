//! Decides whether the departures of one import may be applied at once, or wait for a human.
//!
//! The agent and the cloud both ask it, so that neither a broken agent nor a broken cloud removes a crowd.

/// How many may leave an import in one cycle: the larger of a fixed number and a share of its members.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    pub people: u64,
    pub percent: u64,
}

/// max(3, 10 %): it protects a customer of five as well as one of twenty thousand.
pub const DEFAULT: Limit = Limit { people: 3, percent: 10 };

/// How many may leave within a day, over all its cycles: half. Only the cloud remembers them, so only it asks this: an agent
/// that lies must not remove a crowd in slices.
pub const OF_A_DAY: Limit = Limit { people: 3, percent: 50 };

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Apply,
    Hold(Cause),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// More leave than `limit`.
    TooMany { limit: u64 },
    /// Nobody would be left.
    WouldEmpty,
}

impl Limit {
    /// The number of departures that still passes, of `members`.
    pub const fn of(self, members: u64) -> u64 {
        let share = members.saturating_mul(self.percent) / 100;
        if share > self.people { share } else { self.people }
    }
}

/// `before`: members in the import before the cycle. `leaving`: those of them that would go.
/// `joining`: newcomers of the same cycle. They do not make a mass departure harmless, but an import that still has
/// people is not empty.
pub const fn judge(limit: Limit, before: u64, leaving: u64, joining: u64) -> Verdict {
    if leaving == 0 {
        return Verdict::Apply;
    }
    if leaving >= before && joining == 0 {
        return Verdict::Hold(Cause::WouldEmpty);
    }
    let limit = limit.of(before);
    if leaving > limit { Verdict::Hold(Cause::TooMany { limit }) } else { Verdict::Apply }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn judged(before: u64, leaving: u64) -> Verdict {
        judge(DEFAULT, before, leaving, 0)
    }

    #[test]
    fn imports_of_every_size_are_held_one_past_their_limit() {
        for (members, limit) in [(5, 3), (43, 4), (500, 50), (20_000, 2_000)] {
            assert_eq!(judged(members, limit), Verdict::Apply, "{members}");
            assert_eq!(judged(members, limit + 1), Verdict::Hold(Cause::TooMany { limit }), "{members}");
        }
    }

    // proves: L-4, M-27
    #[test]
    fn an_import_never_empties_without_a_human_however_small() {
        for members in [1, 2, 3, 5, 20_000] {
            assert_eq!(judged(members, members), Verdict::Hold(Cause::WouldEmpty), "{members}");
        }
    }

    #[test]
    fn three_who_are_replaced_by_one_leave_no_empty_import() {
        assert_eq!(judge(DEFAULT, 3, 3, 1), Verdict::Apply);
    }

    proptest! {
        #[test]
        fn at_most_the_limit_ever_passes(before in 0_u64..100_000, leaving in 0_u64..100_000, joining in 0_u64..100) {
            if judge(DEFAULT, before, leaving, joining) == Verdict::Apply {
                prop_assert!(leaving <= 3.max(before / 10));
            }
        }

        #[test]
        fn more_departures_never_pass_where_fewer_were_held(before in 0_u64..1_000, leaving in 1_u64..1_000) {
            if judged(before, leaving) != Verdict::Apply {
                prop_assert_ne!(judged(before, leaving + 1), Verdict::Apply);
            }
        }
    }
}
