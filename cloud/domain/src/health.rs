//! Decides the one state of a customer that portal, API and metrics show, with its reason, since when, and what to do next.

use chrono::{DateTime, TimeDelta, Utc};

use crate::{agent, pause::Pause, words::words};

words! {
    pub enum State {
        NeverSynced = "never_synced",
        Healthy = "healthy",
        Attention = "attention",
        Held = "held",
        Paused = "paused",
        AgentOffline = "agent_offline",
        Quarantined = "quarantined",
    }
}

words! {
    /// What a human does next; the portal knows the page behind each.
    pub enum NextAction {
        InstallAgent = "install_agent",
        ChooseImport = "choose_import",
        WaitForFirstSync = "wait_for_first_sync",
        ReviewHeld = "review_held",
        Resume = "resume",
        CheckAgent = "check_agent",
        DecideClone = "decide_clone",
        ReadRun = "read_run",
    }
}

/// Everything the decision needs about one customer.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    pub created_at: DateTime<Utc>,
    pub paused: Option<Pause>,
    /// When the last pause of the customer or of the whole MSP ended.
    pub resumed_at: Option<DateTime<Utc>>,
    pub agents: i64,
    /// Of any agent.
    pub last_seen_at: Option<DateTime<Utc>>,
    pub quarantined_at: Option<DateTime<Utc>>,
    pub imports: i64,
    /// Since when the agent of a directory that somebody imports from has been gone, and none has taken its place.
    pub unread_since: Option<DateTime<Utc>>,
    pub held: i64,
    pub held_since: Option<DateTime<Utc>>,
    /// Of any directory.
    pub last_good_run_at: Option<DateTime<Utc>>,
    /// Each by itself: one that is read well says nothing about another.
    pub directories: Vec<Watched>,
    /// Of a newest run that did not end well; or of an agent's own report.
    pub trouble: Option<Trouble>,
}

/// A directory that somebody imports from, and whose agent nobody revoked.
#[derive(Debug, Clone, Copy, Default)]
pub struct Watched {
    /// The agent that reads it.
    pub seen_at: Option<DateTime<Utc>>,
    pub last_good_run_at: Option<DateTime<Utc>>,
    /// Since when there has been an import that is not paused; may lie ahead. `None`: all are, and nobody knows how long.
    pub wanted_since: Option<DateTime<Utc>>,
}

impl Facts {
    /// When the quietest of the agents that matter was heard of; a standby does not speak for the one that reads.
    fn heard_at(&self) -> Option<DateTime<Utc>> {
        if self.directories.is_empty() {
            return self.last_seen_at;
        }
        self.directories.iter().map(|directory| directory.seen_at).min().flatten()
    }

    /// Of the directory that was read longest ago, as far as any was.
    pub fn worst_good_run_at(&self) -> Option<DateTime<Utc>> {
        let read = self.directories.iter().filter_map(|directory| directory.last_good_run_at);
        read.min().or(self.last_good_run_at)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    pub code: String,
    pub since: DateTime<Utc>,
}

/// A state other than healthy always says why, since when and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    Healthy { since: DateTime<Utc> },
    Not { state: State, reason_code: String, since: DateTime<Utc>, next: NextAction },
}

impl Health {
    pub const fn state(&self) -> State {
        match self {
            Health::Healthy { .. } => State::Healthy,
            Health::Not { state, .. } => *state,
        }
    }
}

/// Every import is read at least once a day; two hours are for a reading that takes long or is tried again.
const OVERDUE_AFTER: TimeDelta = TimeDelta::hours(26);

/// When the next reading of some directory should have been here, if it is not. Before the very first of a customer,
/// what there is to do is to wait for that.
fn overdue_since(facts: &Facts, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    facts.last_good_run_at?;
    let due = |directory: &Watched| {
        let wanted_since = directory.wanted_since?.max(facts.resumed_at.unwrap_or(DateTime::UNIX_EPOCH));
        directory.last_good_run_at.unwrap_or(wanted_since).max(wanted_since).checked_add_signed(OVERDUE_AFTER)
    };
    facts.directories.iter().filter_map(due).min().filter(|due| *due < now)
}

/// The most urgent truth wins: a clone, a pause, silence, a directory that nobody reads, waiting removals, trouble, a
/// reading that does not come, nothing yet.
pub fn decide(facts: &Facts, now: DateTime<Utc>) -> Health {
    let not = |state, code: &str, since, next| Health::Not { state, reason_code: code.to_owned(), since, next };
    if let Some(at) = facts.quarantined_at {
        return not(State::Quarantined, "RC-3103", at, NextAction::DecideClone);
    }
    if let Some(pause) = facts.paused.as_ref().filter(|pause| pause.holds(now)) {
        return not(State::Paused, "RC-4006", pause.at, NextAction::Resume);
    }
    if facts.agents == 0 {
        return not(State::NeverSynced, "RC-1007", facts.created_at, NextAction::InstallAgent);
    }
    let heard_at = facts.heard_at();
    if agent::is_silent(heard_at, now) {
        let since = heard_at.unwrap_or(facts.created_at);
        return not(State::AgentOffline, "RC-1008", since, NextAction::CheckAgent);
    }
    if let Some(since) = facts.unread_since {
        return not(State::Attention, "RC-4015", since, NextAction::CheckAgent);
    }
    if facts.held > 0 {
        return not(State::Held, "RC-4003", facts.held_since.unwrap_or(now), NextAction::ReviewHeld);
    }
    if let Some(trouble) = &facts.trouble {
        return not(State::Attention, &trouble.code, trouble.since, NextAction::ReadRun);
    }
    // An agent that only shows its directory ends its runs well, too; that brings nobody over.
    if facts.imports == 0 {
        return not(State::NeverSynced, "RC-4007", facts.created_at, NextAction::ChooseImport);
    }
    if let Some(since) = overdue_since(facts, now) {
        return not(State::Attention, "RC-4016", since, NextAction::CheckAgent);
    }
    match facts.worst_good_run_at() {
        Some(since) => Health::Healthy { since },
        None => not(State::NeverSynced, "RC-4008", facts.created_at, NextAction::WaitForFirstSync),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;

    /// Read just now, since an import of long ago.
    fn read(now: DateTime<Utc>) -> Watched {
        Watched { seen_at: Some(now), last_good_run_at: Some(now), wanted_since: Some(DateTime::UNIX_EPOCH) }
    }

    fn running(now: DateTime<Utc>) -> Facts {
        Facts {
            agents: 1,
            imports: 1,
            last_seen_at: Some(now),
            last_good_run_at: Some(now),
            directories: vec![read(now)],
            ..Facts::default()
        }
    }

    #[test]
    fn a_customer_that_syncs_is_healthy() {
        let now = DateTime::UNIX_EPOCH;
        assert_eq!(decide(&running(now), now), Health::Healthy { since: now });
    }

    #[test]
    fn a_customer_without_an_import_is_not_healthy_however_well_its_agent_is() {
        let now = DateTime::UNIX_EPOCH;
        let health = decide(&Facts { imports: 0, ..running(now) }, now);
        assert!(matches!(health, Health::Not { next: NextAction::ChooseImport, .. }));
    }

    #[test]
    fn silence_is_noticed_after_three_missed_polls() {
        let now = DateTime::UNIX_EPOCH;
        let later = now + agent::SILENT_AFTER + TimeDelta::seconds(1);
        assert_eq!(decide(&running(now), later).state(), State::AgentOffline);
    }

    #[test]
    fn a_directory_that_nobody_reads_is_not_healthy() {
        let now = DateTime::UNIX_EPOCH;
        let health = decide(&Facts { unread_since: Some(now), ..running(now) }, now);
        assert!(matches!(health, Health::Not { state: State::Attention, reason_code, .. } if reason_code == "RC-4015"));
    }

    #[test]
    fn a_reading_that_does_not_come_is_noticed_unless_it_is_paused() {
        let (before, now) = (DateTime::UNIX_EPOCH, DateTime::UNIX_EPOCH + TimeDelta::hours(27));
        let late = Watched { last_good_run_at: Some(before), ..read(now) };
        let judge = |directory| decide(&Facts { directories: vec![directory], ..running(now) }, now).state();
        assert_eq!(judge(late), State::Attention);
        assert_eq!(judge(Watched { wanted_since: None, ..late }), State::Healthy);
    }

    #[test]
    fn after_a_pause_a_reading_is_due_from_its_end() {
        let (before, now) = (DateTime::UNIX_EPOCH, DateTime::UNIX_EPOCH + TimeDelta::days(10));
        let late = Watched { last_good_run_at: Some(before), ..read(now) };
        let judge = |wanted_since, resumed_at| {
            let directories = vec![Watched { wanted_since: Some(wanted_since), ..late }];
            decide(&Facts { resumed_at, directories, ..running(now) }, now).state()
        };
        let ago = |hours| now - TimeDelta::hours(hours);

        assert_eq!(judge(ago(25), None), State::Healthy, "of the import");
        assert_eq!(judge(ago(27), None), State::Attention);
        assert_eq!(judge(before, Some(ago(25))), State::Healthy, "of the customer");
        assert_eq!(judge(before, Some(ago(27))), State::Attention);
        assert_eq!(judge(now + TimeDelta::days(1), None), State::Healthy, "it holds still");
    }

    #[test]
    fn a_directory_that_is_read_well_hides_no_other() {
        let (before, now) = (DateTime::UNIX_EPOCH, DateTime::UNIX_EPOCH + TimeDelta::hours(27));
        let with = |second| Facts { directories: vec![read(now), second], ..running(now) };
        let silent = with(Watched { seen_at: Some(before), ..read(now) });
        let late = with(Watched { last_good_run_at: Some(before), ..read(now) });
        let never = with(Watched { last_good_run_at: None, wanted_since: Some(before), ..read(now) });
        let states = [silent, late, never].map(|facts| decide(&facts, now).state());
        assert_eq!(states, [State::AgentOffline, State::Attention, State::Attention]);
    }

    #[test]
    fn held_removals_are_shown_before_other_trouble() {
        let now = DateTime::UNIX_EPOCH;
        let trouble = Some(Trouble { code: "RC-2303".into(), since: now });
        assert_eq!(decide(&Facts { held: 2, trouble: trouble.clone(), ..running(now) }, now).state(), State::Held);
        assert_eq!(decide(&Facts { trouble, ..running(now) }, now).state(), State::Attention);
    }
}
