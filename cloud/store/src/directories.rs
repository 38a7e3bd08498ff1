//! The directories of a customer: the pin, who reads them, and what the cloud holds of each.

use chrono::{DateTime, SubsecRound as _, Utc};
use rollcall_domain::ids::{AgentId, CustomerId, DirectoryId};
use uuid::Uuid;

use crate::{AgentScope, CustomerScope, Result, Tx, WriteTx};

#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Directory {
    #[sqlx(try_from = "Uuid")]
    pub id: DirectoryId,
    #[sqlx(try_from = "Uuid")]
    pub customer_id: CustomerId,
    #[sqlx(try_from = "Uuid")]
    pub agent_id: AgentId,
    pub domain_guid: Uuid,
    pub domain_sid: String,
    pub dns_name: String,
    pub pinned_at: DateTime<Utc>,
    pub structure_at: Option<DateTime<Utc>>,
    pub applied_agent_id: Option<Uuid>,
    pub applied_epoch: i64,
    pub snapshot: i64,
    pub dc_host: Option<String>,
    pub people: i64,
    pub people_seen: i64,
    pub digest: Option<Vec<u8>>,
    pub read_at: Option<DateTime<Utc>>,
    pub full_wanted_at: Option<DateTime<Utc>>,
}

macro_rules! columns {
    () => {
        "id, customer_id, agent_id, domain_guid, domain_sid, dns_name, pinned_at, structure_at, applied_agent_id,
         applied_epoch, snapshot, dc_host, people, people_seen, digest, read_at, full_wanted_at"
    };
}

/// The domain as an agent found it.
#[derive(Debug, Clone)]
pub struct Pin<'a> {
    pub guid: Uuid,
    pub sid: &'a str,
    pub dns_name: &'a str,
}

pub async fn insert(
    tx: &mut WriteTx,
    customer: &CustomerScope,
    id: DirectoryId,
    agent: AgentId,
    pin: &Pin<'_>,
    now: DateTime<Utc>,
) -> Result<()> {
    execute!(
        tx,
        "insert into directories
             (msp_id, id, customer_id, agent_id, domain_guid, domain_sid, dns_name, pinned_at,
              applied_epoch, snapshot, people, people_seen)
         values ($1, $2, $3, $4, $5, $6, $7, $8, 0, 0, 0, 0)",
        id.uuid(),
        customer.customer().uuid(),
        agent.uuid(),
        pin.guid,
        pin.sid,
        pin.dns_name,
        now,
    )?
    .exactly(1)
}

pub async fn find_by_domain(tx: &mut Tx, customer: &CustomerScope, domain_guid: Uuid) -> Result<Option<Directory>> {
    fetch_optional!(
        tx,
        Directory,
        concat!("select ", columns!(), " from directories where msp_id = $1 and customer_id = $2 and domain_guid = $3"),
        customer.customer().uuid(),
        domain_guid,
    )
}

pub async fn find(tx: &mut Tx, customer: &CustomerScope, id: DirectoryId) -> Result<Option<Directory>> {
    fetch_optional!(
        tx,
        Directory,
        concat!("select ", columns!(), " from directories where msp_id = $1 and customer_id = $2 and id = $3"),
        customer.customer().uuid(),
        id.uuid(),
    )
}

pub async fn list(tx: &mut Tx, customer: &CustomerScope) -> Result<Vec<Directory>> {
    fetch_all!(
        tx,
        Directory,
        concat!("select ", columns!(), " from directories where msp_id = $1 and customer_id = $2 order by id"),
        customer.customer().uuid(),
    )
}

/// Whoever changes memberships holds their directory until the transaction ends, so that a cycle and a human's decision
/// come one after the other. An update that changes nothing, because both engines understand it.
pub async fn lock(tx: &mut WriteTx, id: DirectoryId) -> Result<()> {
    execute!(tx, "update directories set people = people where msp_id = $1 and id = $2", id.uuid())?.exactly(1)
}

/// [`lock`] for the directory that an agent belongs to, if it does: before the agent itself is held.
pub async fn lock_of_agent(tx: &mut WriteTx, agent: &AgentScope) -> Result<()> {
    execute!(
        tx,
        "update directories
         set people = people
         where msp_id = $1 and id = (select directory_id from agents where msp_id = $1 and id = $2)",
        agent.agent().uuid(),
    )?
    .count();
    Ok(())
}

/// [`lock`] for the directory of this domain, if the customer has it.
pub async fn lock_by_domain(tx: &mut WriteTx, customer: &CustomerScope, domain_guid: Uuid) -> Result<()> {
    execute!(
        tx,
        "update directories set people = people where msp_id = $1 and customer_id = $2 and domain_guid = $3",
        customer.customer().uuid(),
        domain_guid,
    )?
    .count();
    Ok(())
}

/// [`lock`] for every directory of a customer, always in the same order.
pub async fn lock_all(tx: &mut WriteTx, customer: &CustomerScope) -> Result<()> {
    for directory in list(tx, customer).await? {
        lock(tx, directory.id).await?;
    }
    Ok(())
}

/// Another agent takes over.
pub async fn set_reader(tx: &mut WriteTx, customer: &CustomerScope, id: DirectoryId, agent: AgentId) -> Result<()> {
    execute!(
        tx,
        "update directories set agent_id = $4 where msp_id = $1 and customer_id = $2 and id = $3",
        customer.customer().uuid(),
        id.uuid(),
        agent.uuid(),
    )?
    .exactly(1)
}

/// Whether this agent is the one that reads it.
pub async fn is_read_by(tx: &mut Tx, id: DirectoryId, agent: AgentId) -> Result<bool> {
    let (count,): (i64,) = fetch_one!(
        tx,
        (i64,),
        "select count(*) from directories where msp_id = $1 and id = $2 and agent_id = $3",
        id.uuid(),
        agent.uuid(),
    )?;
    Ok(count > 0)
}

/// What a cycle left behind.
#[derive(Debug)]
pub struct Reading<'a> {
    pub agent: AgentId,
    pub epoch: i64,
    pub snapshot: i64,
    pub dns_name: &'a str,
    pub dc_host: &'a str,
    pub dc_ntds_guid: Uuid,
    pub dc_invocation_id: Uuid,
    pub dc_usn: i64,
    pub people: i64,
    pub people_seen: i64,
    pub digest: [u8; 32],
    pub read_at: DateTime<Utc>,
}

pub async fn record_reading(tx: &mut WriteTx, id: DirectoryId, reading: Reading<'_>) -> Result<()> {
    execute!(
        tx,
        "update directories
         set applied_agent_id = $3, applied_epoch = $4, snapshot = $5, dns_name = $6, dc_host = $7, dc_ntds_guid = $8,
             dc_invocation_id = $9, dc_usn = $10, people = $11, people_seen = $12, digest = $13, read_at = $14
         where msp_id = $1 and id = $2",
        id.uuid(),
        reading.agent.uuid(),
        reading.epoch,
        reading.snapshot,
        reading.dns_name,
        reading.dc_host,
        reading.dc_ntds_guid,
        reading.dc_invocation_id,
        reading.dc_usn,
        reading.people,
        reading.people_seen,
        reading.digest.as_slice(),
        reading.read_at.trunc_subsecs(6),
    )?
    .exactly(1)
}

pub async fn record_structure(tx: &mut WriteTx, id: DirectoryId, at: DateTime<Utc>) -> Result<()> {
    execute!(tx, "update directories set structure_at = $3 where msp_id = $1 and id = $2", id.uuid(), at)?.exactly(1)
}

/// Notes that everything must be sent (or, with `None`, that it was).
pub async fn want_full(tx: &mut WriteTx, id: DirectoryId, at: Option<DateTime<Utc>>) -> Result<()> {
    execute!(tx, "update directories set full_wanted_at = $3 where msp_id = $1 and id = $2", id.uuid(), at)?.exactly(1)
}
