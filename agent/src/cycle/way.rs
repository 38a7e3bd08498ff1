//! Decides whether everybody is read once, for the count and as a record, or counted first and then read where selected.

use rollcall_protocol::hash::Hash;

use crate::spool::state::Base;

/// How the people of a domain are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// One search over the whole domain brings counts and records.
    Together,
    /// A search over the whole domain brings the counts alone, and one for each selection the records.
    Apart,
}

/// A record costs about twice what a count does. So one search is cheaper as soon as half of the domain is in scope; the
/// last cycle says how many were, if it read the same selections.
pub fn decide(base: &Base, recipe: Hash, searches: usize) -> Way {
    if searches == 0 {
        return Way::Apart;
    }
    let is_told = base.recipe == Some(recipe) && base.people_seen > 0;
    if is_told && base.people * 2 < base.people_seen { Way::Apart } else { Way::Together }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(people: u64, people_seen: u64) -> Base {
        Base { people, people_seen, recipe: Some(Hash::of(b"same")), ..Base::default() }
    }

    #[test]
    fn a_small_part_of_a_large_domain_is_read_by_itself() {
        let same = Hash::of(b"same");

        assert_eq!(decide(&base(400, 1_000), same, 1), Way::Apart);
        assert_eq!(decide(&base(600, 1_000), same, 3), Way::Together);
        assert_eq!(decide(&base(0, 0), same, 0), Way::Apart);
    }

    #[test]
    fn what_the_last_cycle_said_of_other_selections_says_nothing() {
        assert_eq!(decide(&base(400, 1_000), Hash::of(b"other"), 1), Way::Together);
        assert_eq!(decide(&Base::default(), Hash::of(b"same"), 1), Way::Together);
    }
}
