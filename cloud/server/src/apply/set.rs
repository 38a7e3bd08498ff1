//! Decides whether agent and cloud hold the same people after a cycle, and whom a full snapshot did not show.

use std::collections::HashSet;

use rollcall_domain::ids::{AccountId, DirectoryId};
use rollcall_protocol::{
    digest::{SetDigester, SetSummary},
    hash::Hash,
};
use rollcall_store::{StoreError, WriteTx, accounts};
use uuid::Uuid;

const PAGE: i64 = 5_000;

/// What the cloud holds, and whom of it a full snapshot did not show.
#[derive(Debug)]
pub struct Held {
    /// Count and digest without the unconfirmed.
    pub ours: SetSummary,
    /// After a whole reading, everybody of whom nobody knows whether they are still there: those it did not show, and
    /// those whom an earlier one did not, where the answer never came.
    pub unconfirmed: Vec<Uuid>,
}

/// Whoever is missing from a full snapshot is asked for by name; until then they stay, but are not compared.
/// `seen`: everybody a full snapshot showed; `None` after a delta.
pub async fn summarise(
    tx: &mut WriteTx,
    directory: DirectoryId,
    seen: Option<&HashSet<Uuid>>,
) -> Result<Held, StoreError> {
    let unreadable = |error: &dyn std::fmt::Display| StoreError::Unreadable(error.to_string());
    let mut digester = SetDigester::default();
    let mut ids = Vec::<AccountId>::new();
    let mut after = Uuid::nil();
    loop {
        let page = accounts::list_set(tx, directory, after, PAGE).await?;
        for line in &page {
            if seen.is_some_and(|seen| !seen.contains(&line.object_guid)) {
                ids.push(line.id);
                continue;
            }
            let hash = Hash::try_from(line.reading_hash.as_slice()).map_err(|error| unreadable(&error))?;
            digester.push(line.object_guid, &hash).map_err(|error| unreadable(&error))?;
        }
        let Some(last) = page.last() else { break };
        after = last.object_guid;
    }
    accounts::set_unconfirmed(tx, &ids).await?;
    let unconfirmed = if seen.is_some() { list_unconfirmed(tx, directory).await? } else { Vec::new() };
    Ok(Held { ours: digester.finish(), unconfirmed })
}

async fn list_unconfirmed(tx: &mut WriteTx, directory: DirectoryId) -> Result<Vec<Uuid>, StoreError> {
    let mut all = Vec::new();
    loop {
        let after = all.last().copied().unwrap_or(Uuid::nil());
        let page = accounts::list_unconfirmed(tx, directory, after, PAGE).await?;
        if page.is_empty() {
            return Ok(all);
        }
        all.extend(page);
    }
}
