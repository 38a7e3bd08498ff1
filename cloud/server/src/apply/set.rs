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
    let (mut ids, mut unconfirmed) = (Vec::<AccountId>::new(), Vec::new());
    let mut after = Uuid::nil();
    loop {
        let page = accounts::list_set(tx, directory, after, PAGE).await?;
        for line in &page {
            if seen.is_some_and(|seen| !seen.contains(&line.object_guid)) {
                ids.push(line.id);
                unconfirmed.push(line.object_guid);
                continue;
            }
            let hash = Hash::try_from(line.reading_hash.as_slice()).map_err(|error| unreadable(&error))?;
            digester.push(line.object_guid, &hash).map_err(|error| unreadable(&error))?;
        }
        let Some(last) = page.last() else { break };
        after = last.object_guid;
    }
    accounts::set_unconfirmed(tx, &ids).await?;
    Ok(Held { ours: digester.finish(), unconfirmed })
}
