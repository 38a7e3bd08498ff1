//! What a person is shown of a rollout: how far it is, what became of those who were asked, and what it waits for.

use chrono::{DateTime, Utc};
use rollcall_domain::{
    role::Reach,
    rollout::{Bounds, PRESENT_WITHIN, Ring, RolloutState, Tally, Wait, is_overdue},
};
use rollcall_protocol::update::metadata::Platform;
use rollcall_store::{
    MspScope, Result, Tx,
    updates::{
        asked,
        rollouts::{self, Rollout},
    },
};

use crate::releases::Shelf;

#[derive(Debug, Clone)]
pub struct Shown {
    pub rollout: Rollout,
    /// Of all customers: only for those who reach all of them.
    pub tally: Option<Tally>,
    /// Why it does not run, or what it waits for.
    pub why: Option<String>,
    pub pace: Pace,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    Usual,
    /// It waits for longer than a ring should take.
    Late,
}

/// Newest first.
pub async fn list(tx: &mut Tx, scope: &MspScope, shelf: &Shelf, now: DateTime<Utc>) -> Result<Vec<Shown>> {
    let mut all = Vec::new();
    for rollout in rollouts::list(tx).await? {
        let (tally, reason) = match scope.reach() {
            Reach::All => {
                let tally = asked::count(tx, &rollout.version, &rollout.platform, Bounds::at(now)).await?;
                (Some(tally), rollout.reason.clone())
            }
            Reach::Chosen(_) => (None, None),
        };
        let waits = explain_wait(&rollout, shelf, now);
        let pace = pace_of(&rollout, now);
        all.push(Shown { tally, why: reason.or(waits), pace, rollout });
    }
    Ok(all)
}

/// Agents that still arrive one by one in the last ring are no delay.
fn pace_of(rollout: &Rollout, now: DateTime<Utc>) -> Pace {
    let waits = match (rollout.state, rollout.wait()) {
        (RolloutState::Running, Some(Wait::Soak)) => rollout.ring != Ring::All,
        (RolloutState::Running, Some(Wait::Answers | Wait::Turn | Wait::Listening | Wait::Nobody) | None) => true,
        (RolloutState::Paused | RolloutState::Stopped | RolloutState::Done | RolloutState::Replaced, _) => false,
    };
    if waits && is_overdue(rollout.ring_since, now) { Pace::Late } else { Pace::Usual }
}

/// What a running rollout waits for, in a sentence.
fn explain_wait(rollout: &Rollout, shelf: &Shelf, now: DateTime<Utc>) -> Option<String> {
    match rollout.state {
        RolloutState::Running => {}
        RolloutState::Done => {
            return Some("Everybody who could be asked has an end. Newcomers still get it.".to_owned());
        }
        RolloutState::Paused | RolloutState::Stopped | RolloutState::Replaced => return None,
    }
    let platform = Platform::new(rollout.platform.as_str());
    let is_there = match shelf {
        Shelf::Open(stock) => rollout.version.parse().is_ok_and(|version| stock.has(&version, &platform)),
        Shelf::None | Shelf::Unusable(_) => {
            return Some("Nobody is asked: there is no usable release folder.".to_owned());
        }
    };
    if !is_there {
        return Some("Nobody is asked: the release folder does not hold this version any more.".to_owned());
    }
    if now - rollout.looked_at > PRESENT_WITHIN {
        let since = rollout.looked_at.format("%-d %b %H:%M");
        return Some(format!("No agent of this platform has checked in since {since} UTC; it goes on when one does."));
    }
    rollout.wait().map(|wait| words(wait).to_owned())
}

const fn words(wait: Wait) -> &'static str {
    match wait {
        Wait::Soak => "Agents run it. More are asked when each of them has done so for a day.",
        Wait::Answers => {
            "It waits for agents that were asked and have not said what became of it. After three days it goes on \
             without them."
        }
        Wait::Turn => "It waits for agents of this ring that have not been asked yet, because it is not the hour.",
        Wait::Listening => {
            "The cloud was away, or nobody was heard of. It listens for a quarter of an hour before silence means anything."
        }
        Wait::Nobody => {
            "Nobody is left who could be asked: each agent was asked before, is pinned, or is not heard of."
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::releases::Stock;

    fn at(hours: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::days(20_000) + TimeDelta::hours(hours)
    }

    #[test]
    fn a_running_rollout_always_says_what_it_waits_for_once_it_was_looked_at() {
        let empty = Shelf::Open(Stock { releases: vec![], expires: at(99) });
        let shelves = [Shelf::None, Shelf::Unusable("1.root.json is missing".into()), empty];
        for shelf in shelves {
            for wait in Wait::ALL {
                let rollout = Rollout::begin("1.2.0", "x86_64-windows", 1, at(0)).waiting_for(Some(*wait));
                assert!(explain_wait(&rollout, &shelf, at(0)).is_some(), "{wait} {shelf:?}");
            }
        }
    }

    #[test]
    fn a_ring_that_waits_for_two_days_is_late_unless_it_is_the_last_and_newcomers_arrive() {
        let rollout = Rollout::begin("1.2.0", "x86_64-windows", 1, at(0)).waiting_for(Some(Wait::Answers));
        assert_eq!(pace_of(&rollout, at(47)), Pace::Usual);
        assert_eq!(pace_of(&rollout, at(48)), Pace::Late);
        let last = Rollout { ring: Ring::All, ..rollout.clone() };
        assert_eq!(pace_of(&last.waiting_for(Some(Wait::Soak)), at(48)), Pace::Usual);
        assert_eq!(pace_of(&Rollout { state: RolloutState::Paused, ..rollout }, at(48)), Pace::Usual);
    }
}
