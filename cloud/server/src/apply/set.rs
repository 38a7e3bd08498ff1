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

/// People the cloud believes in whom a full snapshot did not show.
#[derive(Debug, Default)]
pub struct Unconfirmed {
    pub ids: Vec<AccountId>,
    pub guids: Vec<Uuid>,
}

/// Count and digest of what the cloud now holds.
pub async fn summarise(tx: &mut WriteTx, directory: DirectoryId) -> Result<SetSummary, StoreError> {
    let mut digester = SetDigester::default();
    let mut after = None;
    loop {
        let page = accounts::list_set(tx, directory, after, PAGE).await?;
        for line in &page {
            let hash = Hash::try_from(line.reading_hash.as_slice())
                .map_err(|error| StoreError::Unreadable(error.to_string()))?;
            digester.push(line.object_guid, &hash).map_err(|error| StoreError::Unreadable(error.to_string()))?;
        }
        match page.last() {
            Some(last) => after = Some(last.object_guid),
            None => return Ok(digester.finish()),
        }
    }
}

/// Whoever is missing from a full snapshot is asked for by name; until then they stay, but are not compared.
pub async fn clear_unconfirmed(
    tx: &mut WriteTx,
    directory: DirectoryId,
    seen: &HashSet<Uuid>,
) -> Result<Unconfirmed, StoreError> {
    let mut missing = Unconfirmed::default();
    let mut after = None;
    loop {
        let page = accounts::list_set(tx, directory, after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.object_guid);
        for line in page.iter().filter(|line| !seen.contains(&line.object_guid)) {
            missing.ids.push(line.id);
            missing.guids.push(line.object_guid);
        }
    }
    accounts::set_unconfirmed(tx, &missing.ids).await?;
    Ok(missing)
}
