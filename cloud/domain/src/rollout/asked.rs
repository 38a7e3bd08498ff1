//! Decides how an agent stands that was asked to update: through, on the way, failed, or no longer waited for.

use chrono::{DateTime, TimeDelta, Utc};

use super::{Ring, UpdateState};

/// Agents that were asked and not heard of with the new version after this time may count as silent.
const ANSWER_WITHIN: TimeDelta = TimeDelta::minutes(45);
/// Agents that were not heard of for this time may count as silent.
pub(super) const HEARD_WITHIN: TimeDelta = TimeDelta::minutes(15);
/// Agents that have no end after this time are left behind: the others do not wait for them.
const END_WITHIN: TimeDelta = TimeDelta::days(3);

/// The moments that tell those who were asked apart, seen from now.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    pub heard_since: DateTime<Utc>,
    pub due_before: DateTime<Utc>,
    pub late_before: DateTime<Utc>,
    pub fresh_since: DateTime<Utc>,
}

impl Bounds {
    pub fn at(now: DateTime<Utc>) -> Self {
        Self {
            heard_since: now - HEARD_WITHIN,
            due_before: now - ANSWER_WITHIN,
            late_before: now - END_WITHIN,
            fresh_since: now - Ring::SOAK,
        }
    }
}

/// What is known of one agent that was asked, or of many that are alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    pub state: UpdateState,
    /// Heard of lately.
    pub is_heard: bool,
    /// Asked so long ago that it should have answered.
    pub is_due: bool,
    /// Asked so long ago that nobody waits for it any more.
    pub is_late: bool,
    /// What became of it is known for less than a soak.
    pub is_fresh: bool,
    /// A person has seen it fail and said that the others go on.
    pub is_forgiven: bool,
}

/// How an agent stands that was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It has run the new version for as long as it must.
    Through,
    /// It runs the new version, not yet for long enough.
    Trying,
    /// What became of it is not known yet.
    Open,
    TakenBack,
    /// Not heard of since it was asked, or since it updated.
    Silent,
    /// It has no end, or a bad one that a person let pass; nobody waits for it.
    LeftBehind,
}

impl Asked {
    pub const fn standing(&self) -> Standing {
        match self.state {
            UpdateState::Updated if !self.is_fresh => Standing::Through,
            UpdateState::Updated if self.is_heard => Standing::Trying,
            UpdateState::Updated | UpdateState::Offered | UpdateState::Refused | UpdateState::TakenBack
                if self.is_forgiven =>
            {
                Standing::LeftBehind
            }
            UpdateState::Updated => Standing::Silent,
            UpdateState::TakenBack => Standing::TakenBack,
            UpdateState::Offered | UpdateState::Refused if self.is_late => Standing::LeftBehind,
            UpdateState::Offered if self.is_due && !self.is_heard => Standing::Silent,
            UpdateState::Offered | UpdateState::Refused => Standing::Open,
        }
    }
}

/// What became of those who were asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    pub through: i64,
    pub trying: i64,
    pub open: i64,
    pub taken_back: i64,
    pub silent: i64,
    pub left_behind: i64,
}

impl Tally {
    pub fn add(&mut self, asked: &Asked, agents: i64) {
        let place = match asked.standing() {
            Standing::Through => &mut self.through,
            Standing::Trying => &mut self.trying,
            Standing::Open => &mut self.open,
            Standing::TakenBack => &mut self.taken_back,
            Standing::Silent => &mut self.silent,
            Standing::LeftBehind => &mut self.left_behind,
        };
        *place += agents;
    }

    /// Everybody, also those who are left behind.
    pub const fn asked(&self) -> i64 {
        self.counted() + self.left_behind
    }

    pub const fn updated(&self) -> i64 {
        self.through + self.trying
    }

    pub const fn failed(&self) -> i64 {
        self.taken_back + self.silent
    }

    /// Those on whom the rollout depends.
    pub const fn counted(&self) -> i64 {
        self.through + self.trying + self.open + self.taken_back + self.silent
    }

    /// More than one in twenty. In a small ring that is the first one.
    pub(super) const fn is_harmful(&self) -> bool {
        self.failed() * 20 > self.counted()
    }

    /// While the cloud has not listened for long enough, silence says nothing.
    pub(super) const fn without_silence(self) -> Self {
        Self { silent: 0, open: self.open + self.silent, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEARD: Asked = Asked {
        state: UpdateState::Offered,
        is_heard: true,
        is_due: true,
        is_late: false,
        is_fresh: true,
        is_forgiven: false,
    };

    #[test]
    fn an_agent_that_updates_is_watched_for_a_day_and_then_never_again() {
        let updated = Asked { state: UpdateState::Updated, ..HEARD };
        assert_eq!(updated.standing(), Standing::Trying);
        assert_eq!(Asked { is_heard: false, ..updated }.standing(), Standing::Silent);
        let long_ago = Asked { is_fresh: false, is_heard: false, ..updated };
        assert_eq!(long_ago.standing(), Standing::Through, "a machine that is switched off months later did no harm");
    }

    #[test]
    fn who_has_no_end_is_waited_for_and_then_left_behind() {
        for state in [UpdateState::Offered, UpdateState::Refused] {
            let asked = Asked { state, ..HEARD };
            assert_eq!(asked.standing(), Standing::Open, "{state}");
            assert_eq!(Asked { is_late: true, ..asked }.standing(), Standing::LeftBehind, "{state}");
        }
        assert_eq!(Asked { is_heard: false, ..HEARD }.standing(), Standing::Silent);
        assert_eq!(Asked { is_heard: false, is_due: false, ..HEARD }.standing(), Standing::Open);
        let refused = Asked { state: UpdateState::Refused, is_heard: false, ..HEARD };
        assert_eq!(refused.standing(), Standing::Open, "nothing was installed that could have silenced it");
    }

    #[test]
    fn who_was_forgiven_never_counts_as_failed_again_and_still_may_come_through() {
        let forgiven = Asked { is_forgiven: true, ..HEARD };
        for state in [UpdateState::Offered, UpdateState::Refused, UpdateState::TakenBack] {
            assert_eq!(Asked { state, ..forgiven }.standing(), Standing::LeftBehind, "{state}");
        }
        let updated = Asked { state: UpdateState::Updated, ..forgiven };
        assert_eq!(updated.standing(), Standing::Trying);
        assert_eq!(Asked { is_heard: false, ..updated }.standing(), Standing::LeftBehind);
        assert_eq!(Asked { is_fresh: false, ..updated }.standing(), Standing::Through);
    }

    #[test]
    fn one_failure_is_too_many_in_a_small_ring_and_one_in_twenty_in_a_large_one() {
        let one = |through, taken_back, silent| Tally { through, taken_back, silent, ..Tally::default() };
        assert!(one(0, 1, 0).is_harmful());
        assert!(one(1, 0, 1).is_harmful());
        assert!(!one(95, 3, 2).is_harmful());
        assert!(one(94, 3, 3).is_harmful());
        assert!(!Tally { left_behind: 9, ..one(3, 0, 0) }.is_harmful());
        assert!(!one(0, 0, 1).without_silence().is_harmful());
    }
}
