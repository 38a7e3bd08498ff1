//! Throw-away databases for the tests of this crate and of those above it.

use tempfile::TempDir;

use crate::{
    Db, Result, StoreError,
    db::{Place, PoolSize},
};

/// A migrated, empty database. Dropping it removes the file; a PostgreSQL database goes with its cluster.
#[derive(Debug)]
pub struct TestDb {
    pub db: Db,
    _folder: Option<TempDir>,
}

impl TestDb {
    pub async fn sqlite() -> Result<Self> {
        let folder = tempfile::tempdir().map_err(|error| StoreError::Unreadable(error.to_string()))?;
        let db = Self::open(&Place::sqlite(folder.path().join("test.db")), PoolSize(4)).await?;
        Ok(Self { db, _folder: Some(folder) })
    }

    /// `url` names an empty database whose role owns it and cannot pass row-level security by.
    pub async fn postgres(url: &str) -> Result<Self> {
        let db = Self::open(&Place::parse(url)?, PoolSize(4)).await?;
        db.check_wall().await?;
        Ok(Self { db, _folder: None })
    }

    async fn open(place: &Place, size: PoolSize) -> Result<Db> {
        let db = Db::open(place, size).await?;
        db.migrate().await?;
        Ok(db)
    }
}
