//! Decides what may be believed of people who are not found by another account than the one that read them: it may be
//! allowed to see less, so a human decides.

use rollcall_protocol::evidence::{Evidence, Stance};
use rollcall_protocol::hash::Hash;

use super::confirm::Judged;
use super::evidence::Verdict;

/// Whose eyes a reading has, beside those of the readings before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sight {
    Same,
    Other,
}

impl Sight {
    /// `before`: who signed in for the acknowledged reading, if there is one and it is known.
    pub fn of(before: Option<Hash>, now: Hash) -> Self {
        match before {
            Some(before) if before != now => Self::Other,
            Some(_) | None => Self::Same,
        }
    }

    /// What is seen of a person holds whoever looks. What is not seen may be hidden from this account alone.
    pub fn stance(self, evidence: &Evidence, stance: Stance) -> Stance {
        match (self, evidence) {
            (Self::Other, Evidence::Absent { .. } | Evidence::LeftGroup { .. }) => Stance::Held,
            (
                Self::Same | Self::Other,
                Evidence::Deleted
                | Evidence::LeftScope { .. }
                | Evidence::Excluded { .. }
                | Evidence::Deselected
                | Evidence::Absent { .. }
                | Evidence::LeftGroup { .. },
            ) => stance,
        }
    }

    /// Memberships about which this account's eyes are not enough.
    pub fn doubted(self, judged: &Judged) -> usize {
        let is_doubted = |verdict: &Verdict| match verdict {
            Verdict::Depart(evidence) => self.stance(evidence, Stance::Apply) == Stance::Held,
            Verdict::Wait => self == Self::Other,
            Verdict::Stay(_) | Verdict::StillHeld(_) => false,
        };
        judged.verdicts.values().flatten().filter(|(_, verdict)| is_doubted(verdict)).count()
    }
}

/// Whose eyes the next reading is compared with. While anybody waits for a judgement, those that saw them.
pub fn next(before: Option<Hash>, now: Hash, unjudged: u32) -> Hash {
    before.filter(|_| unjudged > 0).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::DateTime;

    const ABSENT: Evidence = Evidence::Absent { first_missed_at: DateTime::UNIX_EPOCH };

    #[test]
    fn who_is_not_found_by_another_account_waits_for_a_human_and_who_was_deleted_does_not() {
        let (keytab, password) = (Hash::of(b"keytab"), Hash::of(b"password"));

        let other = Sight::of(Some(keytab), password);

        assert_eq!(other.stance(&ABSENT, Stance::Apply), Stance::Held);
        assert_eq!(other.stance(&Evidence::Deleted, Stance::Apply), Stance::Apply);
        assert_eq!(Sight::of(Some(keytab), keytab).stance(&ABSENT, Stance::Apply), Stance::Apply);
        assert_eq!(Sight::of(None, keytab), Sight::Same);
    }

    #[test]
    fn the_eyes_that_saw_somebody_are_remembered_until_they_are_judged() {
        let (keytab, password) = (Hash::of(b"keytab"), Hash::of(b"password"));

        assert_eq!(next(Some(keytab), password, 1), keytab);
        assert_eq!(next(Some(keytab), password, 0), password);
        assert_eq!(next(None, password, 1), password);
    }
}
