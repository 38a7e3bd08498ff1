//! Decides the state of an account from the states of its memberships.

use crate::{membership::MembershipState, words::words};

words! {
    pub enum AccountState {
        /// In at least one import.
        Active = "active",
        /// Active, and a removal waits for a human.
        Held = "held",
        /// In no import any more.
        Departed = "departed",
    }
}

/// A held removal outweighs everything, because it needs a human; after that one living membership keeps the account.
pub fn decide_state(memberships: impl IntoIterator<Item = MembershipState>) -> AccountState {
    memberships.into_iter().fold(AccountState::Departed, |so_far, membership| match (so_far, membership) {
        (AccountState::Held, _) | (_, MembershipState::Held) => AccountState::Held,
        (AccountState::Active, _) | (_, MembershipState::Active | MembershipState::Kept) => AccountState::Active,
        (AccountState::Departed, MembershipState::Departed) => AccountState::Departed,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_departs_only_with_the_last_membership() {
        use MembershipState::{Active, Departed, Held, Kept};
        assert_eq!(decide_state([]), AccountState::Departed);
        assert_eq!(decide_state([Departed, Departed]), AccountState::Departed);
        assert_eq!(decide_state([Departed, Active]), AccountState::Active);
        assert_eq!(decide_state([Kept]), AccountState::Active);
        assert_eq!(decide_state([Active, Held]), AccountState::Held);
    }
}
