//! Decides how a membership (one account in one import) moves between its states.

use crate::words::words;

words! {
    pub enum MembershipState {
        Active = "active",
        /// The agent says the person left, among too many others; a human decides.
        Held = "held",
        /// The person stays although the directory says otherwise: a human, or the import's policy, decided so.
        Kept = "kept",
        Departed = "departed",
    }
}

/// What can happen to a membership.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// The agent read the person in this import.
    Read,
    /// The agent says, with evidence, that the person left.
    Departed,
    /// The same, but in a cycle whose removals wait for a human.
    DepartedHeld,
    /// The agent says that the person left an import whose policy keeps everybody.
    DepartedKept,
    /// The human removed the person after all.
    Approved,
    /// The human keeps the person.
    Rejected,
}

impl MembershipState {
    pub const fn after(self, event: Event) -> MembershipState {
        match (self, event) {
            (_, Event::Read) => MembershipState::Active,
            (MembershipState::Departed, _) | (MembershipState::Active, Event::Departed) => MembershipState::Departed,
            // What waits for a human, or was kept by one, is not removed by being told again, also not a few at a time.
            (MembershipState::Kept, Event::Departed | Event::DepartedHeld | Event::Approved | Event::Rejected) => {
                MembershipState::Kept
            }
            (MembershipState::Active | MembershipState::Held | MembershipState::Kept, Event::DepartedKept) => {
                MembershipState::Kept
            }
            (MembershipState::Held, Event::Departed | Event::DepartedHeld)
            | (MembershipState::Active, Event::DepartedHeld) => MembershipState::Held,
            (MembershipState::Held, Event::Approved) => MembershipState::Departed,
            (MembershipState::Held, Event::Rejected) => MembershipState::Kept,
            (MembershipState::Active, Event::Approved | Event::Rejected) => MembershipState::Active,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_seen_again_leaves_the_list_of_held_removals() {
        assert_eq!(MembershipState::Held.after(Event::Read), MembershipState::Active);
    }

    #[test]
    fn only_an_approval_removes_a_held_person() {
        assert_eq!(MembershipState::Held.after(Event::Approved), MembershipState::Departed);
        assert_eq!(MembershipState::Held.after(Event::Rejected), MembershipState::Kept);
        assert_eq!(MembershipState::Held.after(Event::DepartedHeld), MembershipState::Held);
        assert_eq!(MembershipState::Held.after(Event::Departed), MembershipState::Held);
    }

    #[test]
    fn a_person_kept_by_a_human_stays_until_read_again() {
        assert_eq!(MembershipState::Kept.after(Event::Departed), MembershipState::Kept);
        assert_eq!(MembershipState::Kept.after(Event::Read).after(Event::Departed), MembershipState::Departed);
    }

    #[test]
    fn a_late_approval_does_not_remove_a_person_who_came_back() {
        assert_eq!(MembershipState::Active.after(Event::Approved), MembershipState::Active);
    }
}
