//! Keys of the cloud itself, sealed by the master key before they come here.

use chrono::{DateTime, Utc};

use crate::{Db, Result};

pub async fn find(db: &Db, name: &str) -> Result<Option<Vec<u8>>> {
    let mut tx = db.system_read().await?;
    let row: Option<(Vec<u8>,)> = either!(&mut tx.inner, c =>
        sqlx::query_as("select sealed from cloud_keys where name = $1").bind(name).fetch_optional(c))?;
    Ok(row.map(|(sealed,)| sealed))
}

/// Keeps the first one: two instances that start at once agree on it by reading it again.
pub async fn add_if_none(db: &Db, name: &str, sealed: &[u8], now: DateTime<Utc>) -> Result<()> {
    let mut tx = db.system().await?;
    either!(&mut tx.inner, c => async {
        sqlx::query("insert into cloud_keys (name, sealed, created_at) values ($1, $2, $3) on conflict (name) do nothing")
            .bind(name)
            .bind(sealed)
            .bind(now)
            .execute(c)
            .await
            .map(|_| ())
    })?;
    tx.commit().await
}
