//! The OUs and groups of a directory, as the pickers show them.

use rollcall_domain::ids::DirectoryId;
use rollcall_domain::import::SelectionKind;
use uuid::Uuid;

use crate::{Result, Tx, WriteTx, customers::contains};

#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Node {
    pub guid: Uuid,
    #[sqlx(try_from = "String")]
    pub kind: SelectionKind,
    pub parent_guid: Option<Uuid>,
    pub name: String,
    pub dn: String,
    pub people: i64,
    pub others: i64,
    pub nested: i64,
    pub computers: i64,
    pub foreigners: i64,
    /// Why it cannot be chosen.
    pub blocked: Option<String>,
}

/// The new structure in place of the old one.
pub async fn replace(tx: &mut WriteTx, directory: DirectoryId, nodes: &[Node]) -> Result<()> {
    execute!(tx, "delete from structure_nodes where msp_id = $1 and directory_id = $2", directory.uuid())?.count();
    bulk!(
        tx,
        "insert into structure_nodes
             (msp_id, directory_id, guid, kind, parent_guid, name, search, dn, people, others, nested, computers,
              foreigners, blocked)",
        nodes,
        |node| [
            directory.uuid(),
            node.guid,
            node.kind.as_str(),
            node.parent_guid,
            node.name.as_str(),
            node.name.to_lowercase(),
            node.dn.as_str(),
            node.people,
            node.others,
            node.nested,
            node.computers,
            node.foreigners,
            node.blocked.as_deref(),
        ],
        // A GUID told twice is the agent's mistake; the first one stands, and nothing is lost by it.
        " on conflict (msp_id, directory_id, guid) do nothing"
    )?
    .count();
    Ok(())
}

/// All OUs, in no order: the caller builds the tree.
pub async fn list_ous(tx: &mut Tx, directory: DirectoryId) -> Result<Vec<Node>> {
    fetch_all!(
        tx,
        Node,
        "select guid, kind, parent_guid, name, dn, people, others, nested, computers, foreigners, blocked
         from structure_nodes
         where msp_id = $1 and directory_id = $2 and kind = 'ou'
         limit 50000",
        directory.uuid(),
    )
}

/// Groups whose name contains the words.
pub async fn search_groups(tx: &mut Tx, directory: DirectoryId, words: &str, limit: i64) -> Result<Vec<Node>> {
    fetch_all!(
        tx,
        Node,
        "select guid, kind, parent_guid, name, dn, people, others, nested, computers, foreigners, blocked
         from structure_nodes
         where msp_id = $1 and directory_id = $2 and kind = 'group' and search like $3 escape '\\'
         order by name, guid
         limit $4",
        directory.uuid(),
        contains(words),
        limit,
    )
}

/// Those behind these objectGUIDs, in no order.
pub async fn list_by_guids(tx: &mut Tx, directory: DirectoryId, guids: &[Uuid]) -> Result<Vec<Node>> {
    let mut nodes = Vec::with_capacity(guids.len());
    for guids in guids.chunks(crate::tx::BULK_ROWS) {
        let found = fetch_in!(
            tx,
            Node,
            "select guid, kind, parent_guid, name, dn, people, others, nested, computers, foreigners, blocked
             from structure_nodes where msp_id = ",
            [" and directory_id = " => directory.uuid()],
            " and guid",
            guids
        )?;
        nodes.extend(found);
    }
    Ok(nodes)
}

pub async fn find(tx: &mut Tx, directory: DirectoryId, guid: Uuid) -> Result<Option<Node>> {
    fetch_optional!(
        tx,
        Node,
        "select guid, kind, parent_guid, name, dn, people, others, nested, computers, foreigners, blocked
         from structure_nodes
         where msp_id = $1 and directory_id = $2 and guid = $3",
        directory.uuid(),
        guid,
    )
}
