//! Measures the budgets of the product in one run, beside what others need for the same work, and says which are met.

mod measured;
mod clients;
mod customer;
mod reading;
mod resting;
mod applying;
mod report;

pub use report::{Line, Report, Verdict};

use crate::authority::AuthorityError;
use crate::directory::DirectoryError;
use crate::postgres::PostgresError;
use crate::samba::SambaError;
use crate::world::{Problem, ProgramError};

/// What to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// A large directory, read by `ldapsearch` and by the agent.
    Reading,
    /// The same of a real domain controller, and by other programs.
    Samba,
    /// The time per person as the directory grows.
    Growth,
    /// The agent between its cycles, and how soon it hears.
    Resting,
    /// The cloud taking a whole cycle in, on both databases.
    Applying,
}

impl Part {
    pub const ALL: [Self; 5] = [Self::Reading, Self::Samba, Self::Growth, Self::Resting, Self::Applying];
}

#[derive(Debug, Clone)]
pub struct Options {
    pub parts: Vec<Part>,
    /// User objects in the large directory.
    pub users: usize,
    pub samba_users: usize,
    /// How often each reading is repeated; the middle one counts.
    pub rounds: usize,
    /// How often the agent is told to sync, and how long it is watched while it rests.
    pub wakes: usize,
    pub rest_seconds: u64,
}

#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    #[error(transparent)]
    Program(#[from] ProgramError),
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    #[error(transparent)]
    Samba(#[from] SambaError),
    #[error(transparent)]
    Postgres(#[from] PostgresError),
    #[error(transparent)]
    Api(#[from] Problem),
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    #[error(transparent)]
    Io(#[from] std::io::Error),
    #[error("{program} ended with {code:?}: {said}")]
    Failed { program: String, code: Option<i32>, said: String },
    #[error("{0} did not happen in time")]
    TooLate(&'static str),
    #[error("{program} read {read} people, {expected} were expected")]
    Miscounted { program: String, read: u64, expected: u64 },
}

/// Measures the parts one after the other, so that they do not disturb each other.
pub async fn run(options: &Options) -> Result<Report, BenchError> {
    let mut report = Report::default();
    for part in &options.parts {
        match part {
            Part::Reading => reading::scripted(options, &mut report).await?,
            Part::Samba => reading::samba(options, &mut report).await?,
            Part::Growth => reading::growth(options, &mut report).await?,
            Part::Resting => resting::run(options, &mut report).await?,
            Part::Applying => applying::run(options, &mut report).await?,
        }
    }
    report.add_executable()?;
    Ok(report)
}
