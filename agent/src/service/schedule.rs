//! Decides when the next cycle runs and what sets it going. Pure: time, chance and state are arguments.

use chrono::{DateTime, TimeDelta, Utc};
use rollcall_protocol::batch::Trigger;
use rollcall_protocol::checkin::{CycleOutcome, CycleReport};
use rollcall_protocol::desired::{Command, DesiredState, Order, Role};
use rollcall_protocol::hash::Hash;
use rollcall_protocol::limits;
use rollcall_protocol::loss::Accepted;
use uuid::Uuid;

use crate::clock::is_of_the_future;
use crate::cycle::Extent;
use crate::spool::state::State;

/// What is known when the decision is made.
#[derive(Debug, Clone)]
pub struct Situation<'a> {
    pub desired: Option<&'a DesiredState>,
    pub state: &'a State,
    /// What a reading would be made with now.
    pub recipe: Option<Hash>,
    pub last_try: Option<Try>,
    /// What has passed since that try ended, if it ended in this process.
    pub since_try: Option<TimeDelta>,
    /// Commands that a cycle has tried to carry out since they came.
    pub tried: &'a [Uuid],
    /// Of those, the ones that are carried out; the cloud may not have heard it yet.
    pub done: &'a [Uuid],
    /// Whether the sign-in would be another one than the one that was refused.
    pub sign_in: SignInChange,
    /// When somebody's order last sent a refused sign-in once more, in vain.
    pub insisted_at: Option<DateTime<Utc>>,
    pub second_reading_after: TimeDelta,
    /// See [`crate::clock::Clock::signed_offset`]. A time that nobody signed ends no pause and sends no refused password.
    pub signed_offset: TimeDelta,
    /// From 0 up to 1, drawn once per interval.
    pub jitter: f64,
}

/// Whether configuration or password changed since the directory refused them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignInChange {
    Same,
    Changed,
}

/// The last cycle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Try {
    pub at: DateTime<Utc>,
    pub outcome: Outcome,
    /// What it was made with, where that is known.
    pub recipe: Option<Hash>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Complete,
    /// Failed this many times in a row; may be tried again soon.
    Failed(u32),
    /// The directory refused the sign-in, by the signed time: trying again could lock the account.
    Refused,
}

/// What to do now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    Run(Run),
    /// Nothing before then, unless the instructions change.
    Sleep(DateTime<Utc>),
    /// Only the listener goes on.
    Paused(Option<DateTime<Utc>>),
}

/// A cycle to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    pub trigger: Trigger,
    pub extent: Extent,
    pub confirm: Vec<Uuid>,
    /// Attributes whose disappearance a human has accepted.
    pub accepted: Vec<Accepted>,
    /// Commands that this cycle carries out.
    pub commands: Vec<Uuid>,
}

/// Decides.
pub fn decide(situation: &Situation<'_>, now: DateTime<Utc>) -> Next {
    let Some(desired) = situation.desired else { return Next::Paused(None) };
    match desired.role {
        Role::Active => {}
        Role::Standby => return Next::Paused(None),
    }
    let signed_now = now + situation.signed_offset;
    if let Some(pause) = desired.pause.as_ref().filter(|pause| pause.holds(signed_now)) {
        let here = |until: DateTime<Utc>| until.checked_sub_signed(situation.signed_offset).unwrap_or(until);
        return Next::Paused(pause.until.map(here));
    }
    if let Some(trigger) = ordered(situation, desired)
        && may_insist(situation, desired, signed_now)
    {
        return Next::Run(run(situation, desired, trigger));
    }
    match due(situation, desired, now) {
        (_, Some(at)) if at > now => Next::Sleep(at),
        (trigger, _) => Next::Run(run(situation, desired, trigger)),
    }
}

/// Somebody who presses the button five times must not lock the account: a sign-in that was refused is sent once more for
/// an order, and then not before the interval has passed or somebody changed it.
fn may_insist(situation: &Situation<'_>, desired: &DesiredState, signed_now: DateTime<Utc>) -> bool {
    let outcome = situation.last_try.map(|last| last.outcome);
    match (outcome, situation.sign_in) {
        (Some(Outcome::Refused), SignInChange::Same) => {
            let interval = interval(desired, situation.jitter);
            situation.insisted_at.is_none_or(|at| is_of_the_future(at, signed_now) || signed_now >= at + interval)
        }
        (Some(Outcome::Refused), SignInChange::Changed)
        | (Some(Outcome::Complete | Outcome::Failed(_)) | None, SignInChange::Same | SignInChange::Changed) => true,
    }
}

/// What an earlier process tried last, where it failed: a start is no reason to wait out a whole interval, and none to
/// send a refused password again.
pub fn before_start(refused_at: Option<DateTime<Utc>>, report: Option<&CycleReport>) -> Option<Try> {
    if let Some(at) = refused_at {
        return Some(Try { at, outcome: Outcome::Refused, recipe: None });
    }
    let report = report?;
    match report.outcome {
        CycleOutcome::Complete => None,
        CycleOutcome::Incomplete { .. } => {
            Some(Try { at: report.finished_at, outcome: Outcome::Failed(1), recipe: None })
        }
    }
}

/// When the next try follows by itself after this end of one.
pub fn next_after(outcome: Outcome, at: DateTime<Utc>, desired: &DesiredState, jitter: f64) -> DateTime<Utc> {
    let interval = interval(desired, jitter);
    match outcome {
        Outcome::Complete | Outcome::Refused => at + interval,
        Outcome::Failed(times) => at + retry_after(times).min(interval),
    }
}

/// A human or the cloud wants a cycle now: even after a refused sign-in, but each command only once.
fn ordered(situation: &Situation<'_>, desired: &DesiredState) -> Option<Trigger> {
    let mut fresh = desired.commands.iter().filter(|command| !situation.tried.contains(&command.id));
    fresh.find_map(|command| match command.order {
        Order::SyncNow | Order::RefreshStructure | Order::AcceptClearing { .. } => Some(Trigger::SyncNow),
        Order::FullSnapshot | Order::Confirm { .. } => Some(Trigger::FullSnapshotOrdered),
        Order::RotateKey | Order::Bundle | Order::Unknown => None,
    })
}

/// When the next cycle is due by itself, and why. `None`: at once.
///
/// Inside a process it goes by what has passed since the last try: no answer can say that it was longer. What an earlier one
/// stamped counts unless it is of the future.
fn due(situation: &Situation<'_>, desired: &DesiredState, now: DateTime<Utc>) -> (Trigger, Option<DateTime<Utc>>) {
    let base = &situation.state.base;
    let interval = interval(desired, situation.jitter);
    // Whom another reading can settle is counted as awaiting; whom none can settle must not make us read without end.
    let is_question = |command: &Command| matches!(command.order, Order::Confirm { .. });
    let is_open = |command: &&Command| {
        command.order.needs_cycle() && !is_question(command) && !situation.done.contains(&command.id)
    };
    let waits = desired.commands.iter().any(|command| is_open(&command));
    match situation.last_try {
        Some(Try { at, outcome: Outcome::Refused, .. }) => {
            let at = stamped(at, now + situation.signed_offset).filter(|_| situation.sign_in == SignInChange::Same);
            let next = |at| next_after(Outcome::Refused, at, desired, situation.jitter) - situation.signed_offset;
            return (Trigger::Schedule, at.map(next));
        }
        // Another selection may be what mends it.
        Some(Try { outcome: Outcome::Failed(_), recipe, .. })
            if recipe.is_some() && situation.recipe.is_some() && situation.recipe != recipe =>
        {
            return (Trigger::SelectionChanged, None);
        }
        Some(Try { at, outcome: outcome @ Outcome::Failed(_), .. }) => {
            let at = ended(situation, at, now);
            return (Trigger::Schedule, at.map(|at| next_after(outcome, at, desired, situation.jitter)));
        }
        Some(Try { at, outcome: Outcome::Complete, .. }) if waits || situation.state.awaiting > 0 => {
            return (Trigger::SecondReading, ended(situation, at, now).map(|at| at + situation.second_reading_after));
        }
        Some(Try { outcome: Outcome::Complete, .. }) | None => {}
    }
    let Some(finished_at) = base.finished_at.filter(|_| base.snapshot > 0) else { return (Trigger::Start, None) };
    let finished_at = match situation.last_try {
        Some(_) => ended(situation, finished_at, now),
        None => stamped(finished_at, now),
    };
    if situation.recipe.is_some() && situation.recipe != base.recipe {
        return (Trigger::SelectionChanged, None);
    }
    if situation.state.awaiting > 0 {
        return (Trigger::SecondReading, finished_at.map(|at| at + situation.second_reading_after));
    }
    (Trigger::Schedule, finished_at.map(|at| at + interval))
}

/// When the last try ended, as this process has watched it, or as an earlier one has stamped it.
fn ended(situation: &Situation<'_>, stamp: DateTime<Utc>, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    match situation.since_try {
        Some(since) => now.checked_sub_signed(since),
        None => stamped(stamp, now),
    }
}

fn stamped(stamp: DateTime<Utc>, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    (!is_of_the_future(stamp, now)).then_some(stamp)
}

/// The shortest interval of the imports, lengthened by up to a tenth so that many agents spread.
fn interval(desired: &DesiredState, jitter: f64) -> TimeDelta {
    let minutes = desired.imports.iter().map(|import| import.interval_minutes).min();
    let minutes = minutes.unwrap_or(limits::INTERVAL_DEFAULT_MINUTES).max(limits::INTERVAL_MIN_MINUTES);
    let seconds = f64::from(minutes) * 60.0 * (1.0 + jitter.clamp(0.0, 1.0) / 10.0);
    #[expect(clippy::cast_possible_truncation, reason = "a day of milliseconds fits many times")]
    TimeDelta::milliseconds((seconds * 1000.0) as i64)
}

/// 1, 2, 4 … 60 minutes.
pub fn retry_after(failures: u32) -> TimeDelta {
    let minutes = 2_i64.saturating_pow(failures.saturating_sub(1).min(6));
    TimeDelta::minutes(minutes.min(60))
}

/// Every open command rides along, whatever set the cycle going; not one that is carried out and only not heard of yet.
fn run(situation: &Situation<'_>, desired: &DesiredState, trigger: Trigger) -> Run {
    let mut run =
        Run { trigger, extent: Extent::AsNeeded, confirm: Vec::new(), accepted: Vec::new(), commands: Vec::new() };
    let is_open = |command: &&Command| command.order.needs_cycle() && !situation.done.contains(&command.id);
    for command in desired.commands.iter().filter(is_open) {
        run.commands.push(command.id);
        match &command.order {
            Order::SyncNow | Order::RefreshStructure | Order::RotateKey | Order::Bundle | Order::Unknown => {}
            Order::FullSnapshot => run.extent = Extent::Everybody,
            Order::Confirm { guids } => run.confirm.extend_from_slice(guids),
            Order::AcceptClearing { attributes, at_most, import } => {
                let accept =
                    |attribute: &String| Accepted { attribute: attribute.clone(), at_most: *at_most, import: *import };
                run.accepted.extend(attributes.iter().map(accept));
            }
        }
    }
    run
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cycle::scope::fixtures::{desired, id, import, ou};
    use crate::spool::state::Base;
    use rollcall_protocol::checkin::Problem;
    use rollcall_protocol::desired::Pause;

    fn at(minutes: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::minutes(minutes)
    }

    fn synced(awaiting: u32) -> State {
        let base = Base { snapshot: 4, recipe: Some(Hash::of(b"r")), finished_at: Some(at(0)), ..Base::default() };
        State { base, awaiting, ..State::default() }
    }

    fn situation<'a>(desired: &'a DesiredState, state: &'a State) -> Situation<'a> {
        Situation {
            desired: Some(desired),
            state,
            recipe: Some(Hash::of(b"r")),
            last_try: None,
            since_try: None,
            tried: &[],
            done: &[],
            sign_in: SignInChange::Same,
            insisted_at: None,
            second_reading_after: TimeDelta::minutes(5),
            signed_offset: TimeDelta::zero(),
            jitter: 0.0,
        }
    }

    fn order(number: u128, order: Order) -> Command {
        Command { id: id(number), order }
    }

    #[test]
    fn a_cycle_is_due_when_the_interval_has_passed() {
        let wanted = desired(vec![import(11, &[ou(21)], &[])]);
        let state = synced(0);

        assert_eq!(decide(&situation(&wanted, &state), at(1)), Next::Sleep(at(180)));
        assert!(matches!(
            decide(&situation(&wanted, &state), at(180)),
            Next::Run(Run { trigger: Trigger::Schedule, .. })
        ));
    }

    #[test]
    fn sync_now_runs_at_once_and_only_once() {
        let mut wanted = desired(vec![import(11, &[ou(21)], &[])]);
        wanted.commands = vec![order(31, Order::SyncNow)];
        let state = synced(0);

        let first = decide(&situation(&wanted, &state), at(1));
        let tried = [id(31)];
        let failed = Some(Try { at: at(1), outcome: Outcome::Failed(1), recipe: Some(Hash::of(b"r")) });
        let again = decide(&Situation { tried: &tried, last_try: failed, ..situation(&wanted, &state) }, at(1));

        assert!(matches!(first, Next::Run(Run { trigger: Trigger::SyncNow, .. })));
        assert_eq!(again, Next::Sleep(at(2)));
    }

    #[test]
    fn an_order_sends_a_refused_sign_in_once_more_and_then_not_before_the_interval_has_passed() {
        let mut wanted = desired(vec![import(11, &[ou(21)], &[])]);
        wanted.commands = vec![order(31, Order::SyncNow), order(32, Order::SyncNow)];
        let state = synced(0);
        let refused = Some(Try { at: at(180), outcome: Outcome::Refused, recipe: None });
        let first = Situation { last_try: refused, ..situation(&wanted, &state) };
        let pressed = Situation { tried: &[id(31)], insisted_at: Some(at(180)), ..first.clone() };
        let mended = Situation { sign_in: SignInChange::Changed, ..pressed.clone() };

        assert!(matches!(decide(&first, at(181)), Next::Run(_)));
        assert_eq!(decide(&pressed, at(182)), Next::Sleep(at(360)));
        assert!(matches!(decide(&pressed, at(360)), Next::Run(_)));
        assert!(matches!(decide(&mended, at(182)), Next::Run(_)), "another password is another try");
    }

    #[test]
    fn a_password_that_was_mended_is_tried_without_an_order() {
        let wanted = desired(vec![import(11, &[ou(21)], &[])]);
        let state = synced(0);
        let last_try = Some(Try { at: at(180), outcome: Outcome::Refused, recipe: None });

        let next =
            decide(&Situation { last_try, sign_in: SignInChange::Changed, ..situation(&wanted, &state) }, at(181));

        assert!(matches!(next, Next::Run(_)));
    }

    #[test]
    fn a_start_after_a_failure_tries_again_within_a_minute_and_after_a_refusal_it_does_not() {
        let wanted = desired(vec![import(11, &[ou(21)], &[])]);
        let state = synced(0);
        let problem = Problem { code: "RC-1006".into(), detail: String::new(), since: at(1) };
        let outcome = CycleOutcome::Incomplete { problem, next_try_at: at(3) };
        let report = CycleReport { cycle: id(1), started_at: at(1), finished_at: at(2), outcome, trigger: None };
        let next = |last_try| decide(&Situation { last_try, ..situation(&wanted, &state) }, at(2));

        assert_eq!(next(before_start(None, Some(&report))), Next::Sleep(at(3)));
        assert_eq!(next(before_start(Some(at(2)), Some(&report))), Next::Sleep(at(182)));
        let complete = CycleReport { outcome: CycleOutcome::Complete, ..report };
        assert_eq!(before_start(None, Some(&complete)), None);
    }

    #[test]
    fn another_selection_than_the_one_that_failed_is_tried_at_once() {
        let wanted = desired(vec![import(11, &[ou(21)], &[])]);
        let state = synced(0);
        let failed = |recipe| Try { at: at(180), outcome: Outcome::Failed(7), recipe };
        let with = |recipe| Situation { last_try: Some(failed(recipe)), ..situation(&wanted, &state) };

        assert_eq!(decide(&with(Some(Hash::of(b"r"))), at(181)), Next::Sleep(at(240)));
        assert!(matches!(decide(&with(Some(Hash::of(b"other"))), at(181)), Next::Run(_)));
    }

    #[test]
    fn a_command_that_is_carried_out_is_not_carried_out_again_though_nobody_has_heard_so() {
        let mut wanted = desired(vec![import(11, &[ou(21)], &[])]);
        let accept = Order::AcceptClearing { attributes: vec!["mail".into()], at_most: Some(12), import: Some(id(11)) };
        wanted.commands = vec![order(31, accept)];
        let state = synced(0);
        let (tried, done) = ([id(31)], [id(31)]);
        let before = situation(&wanted, &state);
        let after = Situation { tried: &tried, done: &done, ..situation(&wanted, &state) };

        let Next::Run(first) = decide(&before, at(180)) else { panic!("no run") };
        let Next::Run(later) = decide(&after, at(180)) else { panic!("no run") };

        assert_eq!(first.accepted, [Accepted { attribute: "mail".into(), at_most: Some(12), import: Some(id(11)) }]);
        assert_eq!((later.accepted, later.commands), (Vec::new(), Vec::new()));
    }

    #[test]
    fn a_refused_sign_in_waits_for_the_next_cycle() {
        let wanted = desired(vec![import(11, &[ou(21)], &[])]);
        let state = synced(0);
        let refused = Some(Try { at: at(180), outcome: Outcome::Refused, recipe: None });

        let next = decide(&Situation { last_try: refused, ..situation(&wanted, &state) }, at(181));

        assert_eq!(next, Next::Sleep(at(360)));
    }

    #[test]
    fn people_who_were_missed_once_are_looked_for_again_soon() {
        let wanted = desired(vec![import(11, &[ou(21)], &[])]);

        assert_eq!(decide(&situation(&wanted, &synced(2)), at(1)), Next::Sleep(at(5)));
    }

    #[test]
    fn a_question_that_no_reading_can_answer_is_asked_again_with_the_next_cycle_only() {
        let mut wanted = desired(vec![import(11, &[ou(21)], &[])]);
        wanted.commands = vec![order(31, Order::Confirm { guids: vec![id(5)] })];
        let last_try = Some(Try { at: at(0), outcome: Outcome::Complete, recipe: None });
        let next = |awaiting| {
            let state = synced(awaiting);
            decide(&Situation { last_try, tried: &[id(31)], ..situation(&wanted, &state) }, at(1))
        };

        assert_eq!((next(0), next(1)), (Next::Sleep(at(180)), Next::Sleep(at(5))));
        let state = synced(0);
        assert_eq!(run(&situation(&wanted, &state), &wanted, Trigger::Schedule).confirm, vec![id(5)]);
    }

    #[test]
    fn a_changed_selection_is_read_at_once() {
        let wanted = desired(vec![import(11, &[ou(21)], &[])]);
        let state = synced(0);

        let next = decide(&Situation { recipe: Some(Hash::of(b"new")), ..situation(&wanted, &state) }, at(1));

        assert!(matches!(next, Next::Run(Run { trigger: Trigger::SelectionChanged, .. })));
    }

    #[test]
    fn a_paused_agent_reads_nothing_not_even_on_command() {
        let mut wanted = desired(vec![]);
        wanted.pause = Some(Pause { until: Some(at(9)) });
        wanted.commands = vec![order(31, Order::SyncNow)];
        let state = synced(0);

        assert_eq!(decide(&situation(&wanted, &state), at(8)), Next::Paused(Some(at(9))));
        assert!(matches!(decide(&situation(&wanted, &state), at(9)), Next::Run(_)));
    }

    /// Told that it is two hours later than the cloud has signed.
    #[test]
    fn a_time_that_nobody_signed_ends_no_pause_and_sends_no_refused_password() {
        let wanted = desired(vec![import(11, &[ou(21)], &[])]);
        let state = synced(0);
        let signed_offset = TimeDelta::minutes(-120);
        let refused = Some(Try { at: at(180), outcome: Outcome::Refused, recipe: None });
        let told = Situation { signed_offset, last_try: refused, ..situation(&wanted, &state) };
        assert_eq!(decide(&told, at(400)), Next::Sleep(at(480)), "an interval by the signed time");

        let ordered = DesiredState { commands: vec![order(31, Order::SyncNow)], ..wanted.clone() };
        let insisted = Situation { insisted_at: Some(at(180)), desired: Some(&ordered), ..told };
        assert_eq!(decide(&insisted, at(400)), Next::Sleep(at(480)));

        let paused = DesiredState { pause: Some(Pause { until: Some(at(300)) }), ..wanted.clone() };
        let told = Situation { signed_offset, ..situation(&paused, &state) };
        assert_eq!(decide(&told, at(419)), Next::Paused(Some(at(420))));
        assert!(matches!(decide(&told, at(420)), Next::Run(_)));
    }

    #[test]
    fn a_reading_that_a_false_time_stamped_ahead_ends_no_readings() {
        let wanted = desired(vec![import(11, &[ou(21)], &[])]);
        for ahead in [TimeDelta::hours(8), TimeDelta::days(1_500), DateTime::<Utc>::MAX_UTC - at(10)] {
            let mut state = synced(0);
            state.base.finished_at = Some(at(10) + ahead);
            assert!(matches!(decide(&situation(&wanted, &state), at(10)), Next::Run(_)), "{ahead}");

            let last_try = Some(Try { at: at(10) + ahead, outcome: Outcome::Complete, recipe: None });
            let watched = Situation { last_try, since_try: Some(TimeDelta::minutes(4)), ..situation(&wanted, &state) };
            assert_eq!(decide(&watched, at(10)), Next::Sleep(at(186)), "180 minutes after it ended: {ahead}");
        }
    }

    #[test]
    fn an_answer_that_says_it_is_later_brings_no_reading_forward() {
        let wanted = desired(vec![import(11, &[ou(21)], &[])]);
        let state = synced(0);
        let last_try = Some(Try { at: at(0), outcome: Outcome::Complete, recipe: None });
        let told = Situation { last_try, since_try: Some(TimeDelta::minutes(4)), ..situation(&wanted, &state) };

        assert_eq!(decide(&told, at(900)), Next::Sleep(at(1_076)));
    }

    #[test]
    fn retries_grow_to_an_hour() {
        let minutes: Vec<_> = (1..9).map(|failures| retry_after(failures).num_minutes()).collect();

        assert_eq!(minutes, [1, 2, 4, 8, 16, 32, 60, 60]);
    }
}
