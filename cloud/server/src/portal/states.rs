//! How the states of the domain look: one pill each, and for each that is not well its trouble with a way on.

use chrono::{DateTime, Utc};
use rollcall_domain::{
    account::AccountState,
    agent::{self, AgentState},
    health::{Health, NextAction, State},
    import::{RemovalPolicy, Schedule},
    membership::MembershipState,
    run::{Change, RunResult},
};
use rollcall_protocol::catalogue;
use rollcall_store::runs::Run;

use super::view::{Link, Moment, Pill, Tone, Trouble, grouped};

pub fn customer(state: State) -> Pill {
    match state {
        State::Healthy => Pill::new(Tone::Good, "Healthy"),
        State::NeverSynced => Pill::new(Tone::Info, "Never synced").with_icon("circle-dashed"),
        State::Attention => Pill::new(Tone::Warn, "Attention"),
        State::Held => Pill::new(Tone::Held, "Removals held"),
        State::Paused => Pill::new(Tone::Calm, "Paused").with_icon("circle-pause"),
        State::AgentOffline => Pill::new(Tone::Bad, "Agent offline").with_icon("unplug"),
        State::Quarantined => Pill::new(Tone::Bad, "Quarantined").with_icon("shield"),
    }
}

/// `None` for what is healthy.
pub fn trouble(health: &Health, slug: &str, detail: Option<String>, now: DateTime<Utc>) -> Option<Trouble> {
    let Health::Not { state, reason_code, since, next } = health else { return None };
    Some(Trouble {
        tone: customer(*state).tone,
        title: title_of(reason_code),
        code: reason_code.clone(),
        detail,
        since: Moment::new(*since, now),
        action: next_action(*next, slug),
    })
}

pub fn title_of(code: &str) -> String {
    catalogue::find(code).map_or_else(|| code.to_owned(), |fault| fault.title.to_owned())
}

pub fn cause_of(code: &str) -> Option<String> {
    catalogue::find(code).map(|fault| fault.cause.to_owned())
}

fn next_action(next: NextAction, slug: &str) -> Link {
    let to = |label: &str, path: &str| Link::to(label, format!("/c/{slug}{path}"));
    match next {
        NextAction::InstallAgent => to("Install the agent", "/agent"),
        NextAction::ChooseImport => to("Choose people", "/imports/add"),
        NextAction::WaitForFirstSync => to("Watch", ""),
        NextAction::ReviewHeld => to("Review", "/held"),
        NextAction::Resume => to("Open the customer", ""),
        NextAction::CheckAgent | NextAction::DecideClone => to("Check the agent", "/agent"),
        NextAction::ReadRun => to("Read the run", "/runs"),
    }
}

pub fn run(run: &Run) -> Pill {
    match run.result {
        RunResult::Ok if run.counts.held > 0 => Pill::new(Tone::Held, "Ok, removals held"),
        RunResult::Ok => Pill::new(Tone::Good, "Ok"),
        RunResult::Partial if run.counts.held > 0 && run.counts.set_aside == 0 => {
            Pill::new(Tone::Held, "Removals held")
        }
        RunResult::Partial => Pill::new(Tone::Warn, "Partial"),
        RunResult::Failed => Pill::new(Tone::Bad, "Failed"),
        RunResult::Cancelled => Pill::new(Tone::Calm, "Cancelled"),
    }
}

/// Somebody present whose account is switched off in the directory is shown as disabled.
pub fn account(state: AccountState, is_enabled: Enabled) -> Pill {
    match (state, is_enabled) {
        (AccountState::Held, _) => Pill::new(Tone::Held, "Removal held"),
        (AccountState::Departed, _) => Pill::new(Tone::Calm, "Departed").with_icon("user-minus"),
        (AccountState::Active, Enabled::No) => Pill::new(Tone::Calm, "Disabled").with_icon("circle-pause"),
        (AccountState::Active, Enabled::Yes) => Pill::new(Tone::Good, "Active"),
    }
}

/// Whether the account is switched on in the directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Enabled {
    Yes,
    No,
}

impl From<bool> for Enabled {
    fn from(enabled: bool) -> Self {
        if enabled { Self::Yes } else { Self::No }
    }
}

pub fn membership(state: MembershipState) -> Pill {
    match state {
        MembershipState::Active => Pill::new(Tone::Good, "Active"),
        MembershipState::Held => Pill::new(Tone::Held, "Removal held"),
        MembershipState::Kept => Pill::new(Tone::Info, "Kept by hand").with_icon("shield"),
        MembershipState::Departed => Pill::new(Tone::Calm, "Departed").with_icon("user-minus"),
    }
}

pub fn agent(agent: &rollcall_store::agents::Agent, now: DateTime<Utc>) -> Pill {
    match agent.state {
        AgentState::Revoked => Pill::new(Tone::Calm, "Retired").with_icon("archive"),
        AgentState::Quarantined => Pill::new(Tone::Bad, "Quarantined").with_icon("shield"),
        AgentState::Active | AgentState::Standby if agent::is_silent(agent.last_seen_at, now) => {
            Pill::new(Tone::Bad, "Offline").with_icon("unplug")
        }
        AgentState::Active | AgentState::Standby if agent.reason_code.is_some() => Pill::new(Tone::Warn, "Attention"),
        AgentState::Standby => Pill::new(Tone::Info, "Standing by"),
        AgentState::Active => Pill::new(Tone::Good, "Online"),
    }
}

pub fn change(change: Change) -> (Pill, &'static str) {
    let (tone, label, icon) = match change {
        Change::Joined => (Tone::Good, "Joined", "user-plus"),
        Change::Updated => (Tone::Info, "Changed", "user-pen"),
        Change::Returned => (Tone::Good, "Returned", "user-plus"),
        Change::LeftImport => (Tone::Calm, "Left an import", "user-minus"),
        Change::Departed => (Tone::Calm, "Departed", "user-minus"),
        Change::Held => (Tone::Held, "Removal held", "hand"),
        Change::Kept => (Tone::Info, "Gone from the directory, kept by the import", "shield"),
        Change::HoldCleared => (Tone::Good, "Seen again", "circle-check"),
        Change::RemovalApproved => (Tone::Calm, "Removal approved", "user-minus"),
        Change::RemovalRejected => (Tone::Info, "Kept by hand", "shield"),
    };
    (Pill::new(tone, label).with_icon(icon), icon)
}

pub fn schedule(schedule: &Schedule) -> String {
    let Schedule::Interval { minutes } = schedule;
    interval(*minutes)
}

pub fn interval(minutes: u32) -> String {
    match (minutes / 60, minutes % 60) {
        (1, 0) => "every hour".to_owned(),
        (hours, 0) => format!("every {hours} hours"),
        (0, minutes) => format!("every {minutes} minutes"),
        (hours, minutes) => format!("every {hours} h {minutes} min"),
    }
}

pub fn removal(policy: RemovalPolicy) -> String {
    match policy {
        RemovalPolicy::Deactivate => "are deactivated, with all history".to_owned(),
        RemovalPolicy::Keep => "stay in the list for good".to_owned(),
    }
}

pub fn cause(cause: &str) -> String {
    cause.replace('_', " ")
}

/// `40 ms`, `1.2 s`, `3 min 5 s`.
pub fn took(from: DateTime<Utc>, to: DateTime<Utc>) -> String {
    let millis = (to - from).num_milliseconds().max(0);
    match millis {
        0..1_000 => format!("{millis} ms"),
        1_000..10_000 => format!("{}.{} s", millis / 1000, millis % 1000 / 100),
        10_000..60_000 => format!("{} s", millis / 1000),
        _ => format!("{} min {} s", millis / 60_000, millis % 60_000 / 1000),
    }
}

/// `1 person`, `12 people`.
pub fn people(count: i64) -> String {
    if count == 1 { "1 person".to_owned() } else { format!("{} people", grouped(count)) }
}

pub fn bytes(count: i64) -> String {
    match count {
        ..1_024 => format!("{count} B"),
        1_024..1_048_576 => format!("{}.{} KB", count / 1024, count % 1024 * 10 / 1024),
        _ => format!("{}.{} MB", count / 1_048_576, count % 1_048_576 * 10 / 1_048_576),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;

    #[test]
    fn every_state_that_is_not_well_has_code_since_and_a_way_on() {
        let now = DateTime::UNIX_EPOCH;
        for state in State::ALL.iter().filter(|state| **state != State::Healthy) {
            for next in NextAction::ALL {
                let health = Health::Not { state: *state, reason_code: "RC-4003".into(), since: now, next: *next };
                let trouble = trouble(&health, "contoso", None, now).unwrap();
                assert!(!trouble.title.is_empty() && trouble.action.href.starts_with("/c/contoso"), "{state} {next}");
            }
        }
    }

    #[test]
    fn durations_and_intervals_are_told_briefly() {
        let told = |millis| took(DateTime::UNIX_EPOCH, DateTime::UNIX_EPOCH + TimeDelta::milliseconds(millis));
        assert_eq!([told(40), told(1_240), told(31_000), told(185_000)], ["40 ms", "1.2 s", "31 s", "3 min 5 s"]);
        assert_eq!(
            [15, 60, 180, 90].map(interval),
            ["every 15 minutes", "every hour", "every 3 hours", "every 1 h 30 min"]
        );
    }
}
