//! Decides which version is started next.

use chrono::{DateTime, Utc};
use rollcall_protocol::update::Version;

use super::ledger::{Installed, Ledger, Why};

/// How often a version on trial may end by itself.
pub const STARTS: u32 = 3;

/// What runs next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    /// The installer's version, in this very process.
    Own,
    Proven(Installed),
    OnTrial(Installed),
}

/// What the decision rests on.
#[expect(missing_debug_implementations, reason = "a function has none")]
pub struct Seen<'a> {
    pub own: &'a Version,
    /// Whether the version on trial has left its mark since the last look.
    pub has_proven_itself: bool,
    /// Whether the program on the disk is still the verified one.
    pub is_sound: &'a dyn Fn(&Installed) -> bool,
    pub now: DateTime<Utc>,
}

/// The choice, and the ledger as it must be written before anything is started.
pub fn decide(mut ledger: Ledger, seen: &Seen<'_>) -> (Choice, Ledger) {
    if seen.has_proven_itself {
        ledger.promote();
    }
    drop_outrun(&mut ledger, seen.own);
    if let Some(choice) = try_trial(&mut ledger, seen) {
        return (choice, ledger);
    }
    // A damaged program is forgotten, so that it is fetched again.
    ledger.proven = ledger.proven.filter(|proven| (seen.is_sound)(proven)).or_else(|| ledger.previous.take());
    ledger.proven = ledger.proven.filter(|proven| (seen.is_sound)(proven));
    let choice = ledger.proven.clone().map_or(Choice::Own, Choice::Proven);
    (choice, ledger)
}

/// An installer brought something newer than what was fetched.
fn drop_outrun(ledger: &mut Ledger, own: &Version) {
    let is_newer = |program: &Installed| program.version > *own;
    ledger.proven = ledger.proven.take().filter(is_newer);
    ledger.previous = ledger.previous.take().filter(is_newer);
    ledger.trial = ledger.trial.take().filter(|trial| is_newer(&trial.installed));
}

fn try_trial(ledger: &mut Ledger, seen: &Seen<'_>) -> Option<Choice> {
    let trial = ledger.trial.as_mut()?;
    if !(seen.is_sound)(&trial.installed) {
        ledger.drop_damaged(seen.now);
        return None;
    }
    if trial.starts >= STARTS {
        ledger.take_back(Why::Ended, seen.now);
        return None;
    }
    trial.starts += 1;
    Some(Choice::OnTrial(trial.installed.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::update::ledger::Trial;
    use chrono::TimeDelta;
    use proptest::prelude::*;
    use rollcall_protocol::hash::Hash;

    fn program(minor: u64) -> Installed {
        Installed { version: Version::new(0, minor, 0), length: 1, sha256: Hash::of(&minor.to_be_bytes()) }
    }

    fn seen<'a>(own: &'a Version, is_sound: &'a dyn Fn(&Installed) -> bool) -> Seen<'a> {
        Seen { own, has_proven_itself: false, is_sound, now: DateTime::UNIX_EPOCH }
    }

    static OWN: Version = Version::new(0, 1, 0);

    fn on_trial(starts: u32) -> Ledger {
        let trial = Some(Trial { installed: program(3), starts });
        Ledger { proven: Some(program(2)), trial, ..Ledger::default() }
    }

    #[test]
    fn without_anything_fetched_the_installers_version_runs() {
        assert_eq!(decide(Ledger::default(), &seen(&OWN, &|_| true)).0, Choice::Own);
    }

    #[test]
    fn a_version_on_trial_is_counted_before_it_starts_and_goes_after_three_starts() {
        let (choice, ledger) = decide(on_trial(2), &seen(&OWN, &|_| true));
        assert_eq!(choice, Choice::OnTrial(program(3)));
        assert_eq!(ledger.trial.as_ref().unwrap().starts, 3);

        let (choice, ledger) = decide(ledger, &seen(&OWN, &|_| true));

        assert_eq!(choice, Choice::Proven(program(2)));
        assert!(ledger.is_barred(&program(3), DateTime::UNIX_EPOCH + TimeDelta::hours(23)));
        assert_eq!(ledger.last_failure(&OWN).unwrap().installed, program(3));
    }

    #[test]
    fn what_left_its_mark_before_a_power_cut_is_proven_after_it() {
        let seen = Seen { has_proven_itself: true, ..seen(&OWN, &|_| true) };

        let (choice, ledger) = decide(on_trial(3), &seen);

        assert_eq!(choice, Choice::Proven(program(3)));
        assert_eq!(ledger.previous, Some(program(2)));
    }

    #[test]
    fn a_damaged_program_is_never_started() {
        let ledger = Ledger { proven: Some(program(3)), previous: Some(program(2)), ..Ledger::default() };

        let (choice, _) = decide(ledger.clone(), &seen(&OWN, &|it| *it != program(3)));
        assert_eq!(choice, Choice::Proven(program(2)));
        let (choice, left) = decide(ledger, &seen(&OWN, &|_| false));
        assert_eq!((choice, left), (Choice::Own, Ledger::default()));
    }

    #[test]
    fn a_program_that_is_damaged_before_each_trial_is_fetched_twice_and_then_barred_for_a_day() {
        let (choice, ledger) = decide(on_trial(0), &seen(&OWN, &|it| *it != program(3)));
        assert_eq!(choice, Choice::Proven(program(2)));
        assert!(!ledger.is_barred(&program(3), DateTime::UNIX_EPOCH), "once may be a power cut");

        let mut fetched_again = ledger;
        fetched_again.admit(program(3), DateTime::UNIX_EPOCH);
        let (_, ledger) = decide(fetched_again, &seen(&OWN, &|it| *it != program(3)));

        assert!(ledger.is_barred(&program(3), DateTime::UNIX_EPOCH));
        assert_eq!(ledger.last_failure(&OWN).unwrap().why, Why::Damaged);
        assert!(!ledger.is_barred(&program(3), DateTime::UNIX_EPOCH + TimeDelta::hours(25)));
    }

    #[test]
    fn a_clock_that_was_ahead_bars_a_version_no_longer_than_it_was_wrong() {
        let mut ledger = on_trial(1);
        let ahead = DateTime::UNIX_EPOCH + TimeDelta::days(30_000);
        ledger.take_back(Why::Silent, ahead);

        assert!(ledger.is_barred(&program(3), ahead));
        assert!(!ledger.is_barred(&program(3), DateTime::UNIX_EPOCH));
    }

    #[test]
    fn an_installer_that_brings_something_newer_wins() {
        let newer = Version::new(0, 9, 0);

        let (choice, ledger) = decide(on_trial(0), &seen(&newer, &|_| true));

        assert_eq!((choice, ledger.proven), (Choice::Own, None));
    }

    #[test]
    fn a_version_that_was_taken_back_gets_another_chance_after_a_day() {
        let mut ledger = on_trial(1);
        ledger.take_back(Why::Silent, DateTime::UNIX_EPOCH);

        assert!(ledger.is_barred(&program(3), DateTime::UNIX_EPOCH + TimeDelta::hours(23)));
        assert!(!ledger.is_barred(&program(3), DateTime::UNIX_EPOCH + TimeDelta::hours(25)));
    }

    proptest! {
        /// Whatever the ledger says and whatever is damaged: something startable is chosen, and a trial never lasts.
        #[test]
        fn there_is_always_something_to_start(
            proven in proptest::option::of(1_u64..5),
            previous in proptest::option::of(1_u64..5),
            trial in proptest::option::of((1_u64..5, 0_u32..5)),
            sound in proptest::array::uniform5(any::<bool>()),
        ) {
            let mut ledger = Ledger {
                proven: proven.map(program),
                previous: previous.map(program),
                trial: trial.map(|(minor, starts)| Trial { installed: program(minor), starts }),
                ..Ledger::default()
            };
            let is_sound = |it: &Installed| sound[usize::try_from(it.version.minor).unwrap()];
            for _ in 0..STARTS {
                let (choice, next) = decide(ledger, &seen(&OWN, &is_sound));
                if let Choice::Proven(it) | Choice::OnTrial(it) = &choice {
                    prop_assert!(is_sound(it) && it.version > OWN);
                }
                ledger = next;
            }
            let (last, _) = decide(ledger, &seen(&OWN, &is_sound));
            prop_assert!(!matches!(last, Choice::OnTrial(_)));
        }
    }
}
