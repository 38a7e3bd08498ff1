//! Decides who is asked for a new version of the agent, and in which order: a few, then some, then all of one platform.

mod asked;
mod next;
mod draw;
mod window;
mod delay;
#[cfg(test)]
mod fleet;

use chrono::TimeDelta;
use uuid::Uuid;

pub use asked::{Asked, Bounds, Standing, Tally};
pub use delay::{Delay, NoDelay};
pub use draw::{Member, Step, advance, begin};
pub use next::{Next, PRESENT_WITHIN, Progress, decide, is_overdue};
pub use window::{NoWindow, Window};

use crate::words::words;

words! {
    /// Who is asked to update.
    pub enum Ring {
        /// One in a hundred, and at least one.
        First = "first",
        /// One in ten.
        Tenth = "tenth",
        All = "all",
    }
}

words! {
    pub enum RolloutState {
        Running = "running",
        /// By a person.
        Paused = "paused",
        /// By itself, because too many did not come through.
        Stopped = "stopped",
        /// Everybody who could be asked has an end. Newcomers still get it; nothing is judged any more.
        Done = "done",
        /// Another version is the newest now.
        Replaced = "replaced",
    }
}

impl Ring {
    /// For people.
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::First => "1 % of the agents, at least one",
            Self::Tenth => "10 % of the agents",
            Self::All => "all agents",
        }
    }
}

impl RolloutState {
    /// Whether agents may be told to run the version.
    pub const fn is_open(self) -> bool {
        match self {
            Self::Running | Self::Done => true,
            Self::Paused | Self::Stopped | Self::Replaced => false,
        }
    }
}

words! {
    /// What a running rollout waits for.
    pub enum Wait {
        /// Agents run the new version; nobody else is asked until they have for a day.
        Soak = "soak",
        /// Agents were asked and have not said what became of it.
        Answers = "answers",
        /// Agents of the ring that are there have not been asked yet: it is not their hour.
        Turn = "turn",
        /// The cloud was away or heard of nobody; silence says nothing until it has listened for a while.
        Listening = "listening",
        /// Nobody is left who could be asked.
        Nobody = "nobody",
    }
}

words! {
    /// What became of one agent's update.
    pub enum UpdateState {
        Offered = "offered",
        /// It checked in with the new version.
        Updated = "updated",
        /// The agent would not take it; nothing was installed.
        Refused = "refused",
        /// It ran the new version and went back.
        TakenBack = "taken_back",
    }
}

impl Ring {
    const fn percent(self) -> usize {
        match self {
            Self::First => 1,
            Self::Tenth => 10,
            Self::All => 100,
        }
    }

    const fn next(self) -> Option<Self> {
        match self {
            Self::First => Some(Self::Tenth),
            Self::Tenth => Some(Self::All),
            Self::All => None,
        }
    }

    /// How long each agent of this ring must have run the new version before more are asked.
    pub const SOAK: TimeDelta = TimeDelta::days(1);
}

/// Where an agent stands in the order for one version: other versions, other first ones. FNV-1a, which is the same on
/// every machine and for ever.
pub fn place(agent: Uuid, version: &str) -> i64 {
    let bytes = version.bytes().chain(agent.into_bytes());
    let hash = bytes.fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    i64::from(hash)
}
