//! Decides when the next cycle runs and what sets it going. Pure: time, chance and state are arguments.

use chrono::{DateTime, TimeDelta, Utc};
use rollcall_protocol::batch::Trigger;
use rollcall_protocol::desired::{Command, DesiredState, Order, Role};
use rollcall_protocol::hash::Hash;
use rollcall_protocol::limits;
use uuid::Uuid;

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
    /// Commands that a cycle has tried to carry out since they came.
    pub tried: &'a [Uuid],
    /// Of those, the ones that are carried out; the cloud may not have heard it yet.
    pub done: &'a [Uuid],
    pub second_reading_after: TimeDelta,
    /// From 0 up to 1, drawn once per interval.
    pub jitter: f64,
}

/// The last cycle of this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Try {
    pub at: DateTime<Utc>,
    pub outcome: Outcome,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Complete,
    /// Failed this many times in a row; may be tried again soon.
    Failed(u32),
    /// The directory refused the sign-in: trying again could lock the account.
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
    pub accepted: Vec<String>,
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
    if let Some(pause) = desired.pause.as_ref().filter(|pause| pause.holds(now)) {
        return Next::Paused(pause.until);
    }
    if let Some(trigger) = ordered(situation, desired) {
        return Next::Run(run(desired, trigger));
    }
    match due(situation, desired) {
        (_, Some(at)) if at > now => Next::Sleep(at),
        (trigger, _) => Next::Run(run(desired, trigger)),
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
fn due(situation: &Situation<'_>, desired: &DesiredState) -> (Trigger, Option<DateTime<Utc>>) {
    let base = &situation.state.base;
    let interval = interval(desired, situation.jitter);
    // Whom another reading can settle is counted as awaiting; whom none can settle must not make us read without end.
    let is_question = |command: &Command| matches!(command.order, Order::Confirm { .. });
    let is_open = |command: &&Command| {
        command.order.needs_cycle() && !is_question(command) && !situation.done.contains(&command.id)
    };
    let waits = desired.commands.iter().any(|command| is_open(&command));
    match situation.last_try {
        Some(Try { at, outcome: Outcome::Refused }) => return (Trigger::Schedule, Some(at + interval)),
        Some(Try { at, outcome: Outcome::Failed(times) }) => {
            return (Trigger::Schedule, Some(at + retry_after(times).min(interval)));
        }
        Some(Try { at, outcome: Outcome::Complete }) if waits || situation.state.awaiting > 0 => {
            return (Trigger::SecondReading, Some(at + situation.second_reading_after));
        }
        Some(Try { outcome: Outcome::Complete, .. }) | None => {}
    }
    let Some(finished_at) = base.finished_at.filter(|_| base.snapshot > 0) else { return (Trigger::Start, None) };
    if situation.recipe.is_some() && situation.recipe != base.recipe {
        return (Trigger::SelectionChanged, None);
    }
    if situation.state.awaiting > 0 {
        return (Trigger::SecondReading, Some(finished_at + situation.second_reading_after));
    }
    (Trigger::Schedule, Some(finished_at + interval))
}

/// The shortest interval of the imports that are not paused, lengthened by up to a tenth so that many agents spread.
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

/// Every open command rides along, whatever set the cycle going.
fn run(desired: &DesiredState, trigger: Trigger) -> Run {
    let mut run =
        Run { trigger, extent: Extent::AsNeeded, confirm: Vec::new(), accepted: Vec::new(), commands: Vec::new() };
    for command in desired.commands.iter().filter(|command| command.order.needs_cycle()) {
        run.commands.push(command.id);
        match &command.order {
            Order::SyncNow | Order::RefreshStructure | Order::RotateKey | Order::Bundle | Order::Unknown => {}
            Order::FullSnapshot => run.extent = Extent::Everybody,
            Order::Confirm { guids } => run.confirm.extend_from_slice(guids),
            Order::AcceptClearing { attributes } => run.accepted.extend_from_slice(attributes),
        }
    }
    run
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cycle::scope::fixtures::{desired, id, import, ou};
    use crate::spool::state::Base;
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
            tried: &[],
            done: &[],
            second_reading_after: TimeDelta::minutes(5),
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
        let failed = Some(Try { at: at(1), outcome: Outcome::Failed(1) });
        let again = decide(&Situation { tried: &tried, last_try: failed, ..situation(&wanted, &state) }, at(1));

        assert!(matches!(first, Next::Run(Run { trigger: Trigger::SyncNow, .. })));
        assert_eq!(again, Next::Sleep(at(2)));
    }

    #[test]
    fn a_refused_sign_in_waits_for_the_next_cycle() {
        let wanted = desired(vec![import(11, &[ou(21)], &[])]);
        let state = synced(0);
        let refused = Some(Try { at: at(180), outcome: Outcome::Refused });

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
        let last_try = Some(Try { at: at(0), outcome: Outcome::Complete });
        let next = |awaiting| {
            let state = synced(awaiting);
            decide(&Situation { last_try, tried: &[id(31)], ..situation(&wanted, &state) }, at(1))
        };

        assert_eq!((next(0), next(1)), (Next::Sleep(at(180)), Next::Sleep(at(5))));
        assert_eq!(run(&wanted, Trigger::Schedule).confirm, vec![id(5)]);
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

    #[test]
    fn retries_grow_to_an_hour() {
        let minutes: Vec<_> = (1..9).map(|failures| retry_after(failures).num_minutes()).collect();

        assert_eq!(minutes, [1, 2, 4, 8, 16, 32, 60, 60]);
    }
}
