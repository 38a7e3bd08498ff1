//! Decides what a failed query means to the caller.

use crate::dialect::{self, Trouble};

/// Why the store could not do it. Nothing of it is fit to be shown to a person.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A unique key is taken: the caller chose it, so the caller must choose.
    #[error("already there")]
    Taken,
    /// A statement changed another number of rows than it must.
    #[error("changed {found} rows instead of {expected}")]
    WrongCount { expected: u64, found: u64 },
    /// Stored data that this version cannot read.
    #[error("stored data cannot be read: {0}")]
    Unreadable(String),
    /// The database role could see other tenants' rows.
    #[error("the database role may bypass row-level security")]
    RoleBypassesWall,
    /// The database is away.
    #[error("the database is not available: {0}")]
    Unavailable(sqlx::Error),
    /// It is there, but no connection became free in time: on SQLite a large cycle holds the only writer.
    #[error("the database is busy: {0}")]
    Busy(sqlx::Error),
    /// The disk under the database is full or read-only: nothing was written.
    #[error("the database cannot be written: {0}")]
    Unwritable(sqlx::Error),
    #[error("migration failed: {0}")]
    Migration(#[from] sqlx::migrate::MigrateError),
    #[error("database: {0}")]
    Database(sqlx::Error),
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        if let Some(told) = error.as_database_error() {
            if told.is_unique_violation() {
                return Self::Taken;
            }
            return match told.code().map(|code| dialect::classify(&code)) {
                Some(Trouble::Unwritable) => Self::Unwritable(error),
                Some(Trouble::Busy) => Self::Busy(error),
                Some(Trouble::Other) | None => Self::Database(error),
            };
        }
        if matches!(error, sqlx::Error::PoolTimedOut) {
            return Self::Busy(error);
        }
        let away = matches!(error, sqlx::Error::PoolClosed | sqlx::Error::Io(_) | sqlx::Error::WorkerCrashed);
        if away { Self::Unavailable(error) } else { Self::Database(error) }
    }
}

impl StoreError {
    /// Whether a unique key was taken.
    pub const fn is_taken(&self) -> bool {
        matches!(self, Self::Taken)
    }

    /// Whether the database was the trouble, and not what it was asked: later the same may well work.
    pub const fn may_pass(&self) -> bool {
        match self {
            Self::Busy(_) | Self::Unavailable(_) | Self::Unwritable(_) => true,
            Self::Taken
            | Self::WrongCount { .. }
            | Self::Unreadable(_)
            | Self::RoleBypassesWall
            | Self::Migration(_)
            | Self::Database(_) => false,
        }
    }
}

impl From<rollcall_domain::words::UnknownWord> for StoreError {
    fn from(error: rollcall_domain::words::UnknownWord) -> Self {
        Self::Unreadable(error.to_string())
    }
}

/// For a note beside the work: nobody is refused anything because it could not be written.
pub(crate) fn forgive(what: &'static str, written: crate::Result<()>) {
    if let Err(error) = written {
        tracing::warn!(%error, what, "could not be noted");
    }
}

/// How many rows a statement changed.
#[derive(Debug, Clone, Copy)]
#[must_use = "a statement that changed no row is usually a mistake: say `exactly`, `at_least` or `count`"]
pub struct Changed(pub(crate) u64);

impl Changed {
    pub fn exactly(self, expected: u64) -> crate::Result<()> {
        if self.0 == expected { Ok(()) } else { Err(StoreError::WrongCount { expected, found: self.0 }) }
    }

    pub fn at_least(self, expected: u64) -> crate::Result<()> {
        if self.0 >= expected { Ok(()) } else { Err(StoreError::WrongCount { expected, found: self.0 }) }
    }

    pub const fn count(self) -> u64 {
        self.0
    }

    pub const fn any(self) -> bool {
        self.0 > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_that_is_away_may_come_back_and_a_row_that_cannot_be_read_stays_so() {
        assert!(StoreError::from(sqlx::Error::PoolTimedOut).may_pass());
        assert!(StoreError::from(sqlx::Error::PoolClosed).may_pass());
        assert!(!StoreError::from(sqlx::Error::RowNotFound).may_pass());
        assert!(!StoreError::Unreadable("a state".to_owned()).may_pass());
    }
}
