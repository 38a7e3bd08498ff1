//! Attributes that vanished from many people at once in a whole reading, and a human's word that this was meant.

use chrono::{DateTime, Utc};
use rollcall_domain::ids::{DirectoryId, ImportId};
use uuid::Uuid;

use crate::{Result, Tx, WriteTx};

/// One attribute of one import. The values from before stay.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Lost {
    #[sqlx(try_from = "Uuid")]
    pub import_id: ImportId,
    /// As LDAP spells it.
    pub attribute: String,
    /// People who lost it, of how many of the import.
    pub people: i64,
    pub of_people: i64,
    pub since: DateTime<Utc>,
}

/// Those that stand, in a fixed order.
pub async fn list(tx: &mut Tx, directory: DirectoryId) -> Result<Vec<Lost>> {
    fetch_all!(
        tx,
        Lost,
        "select import_id, attribute, people, of_people, since
         from attribute_losses
         where msp_id = $1 and directory_id = $2
         order by attribute, import_id
         limit 10000",
        directory.uuid(),
    )
}

/// What the newest whole reading showed, in place of what stood.
pub async fn replace(tx: &mut WriteTx, directory: DirectoryId, rows: &[Lost]) -> Result<()> {
    execute!(tx, "delete from attribute_losses where msp_id = $1 and directory_id = $2", directory.uuid())?.count();
    bulk!(
        tx,
        "insert into attribute_losses (msp_id, directory_id, import_id, attribute, people, of_people, since)",
        rows,
        |row| [directory.uuid(), row.import_id.uuid(), row.attribute.as_str(), row.people, row.of_people, row.since,],
        ""
    )?
    .exactly(rows.len() as u64)
}

/// A human's word, for the next whole reading.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Consent {
    #[sqlx(try_from = "Uuid")]
    pub import_id: ImportId,
    /// As LDAP spells it.
    pub attribute: String,
    /// Of how many people the human saw it gone.
    pub at_most: i64,
}

pub async fn consent(
    tx: &mut WriteTx,
    directory: DirectoryId,
    consent: &Consent,
    by: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    execute!(
        tx,
        "insert into clearing_consents (msp_id, directory_id, import_id, attribute, at_most, given_by, given_at)
         values ($1, $2, $3, $4, $5, $6, $7)
         on conflict (msp_id, directory_id, import_id, attribute) do update set
             at_most = excluded.at_most, given_by = excluded.given_by, given_at = excluded.given_at",
        directory.uuid(),
        consent.import_id.uuid(),
        consent.attribute.as_str(),
        consent.at_most,
        by,
        now,
    )?
    .exactly(1)
}

/// What a human said was cleared on purpose.
pub async fn list_consents(tx: &mut Tx, directory: DirectoryId) -> Result<Vec<Consent>> {
    fetch_all!(
        tx,
        Consent,
        "select import_id, attribute, at_most
         from clearing_consents
         where msp_id = $1 and directory_id = $2
         order by attribute, import_id
         limit 1000",
        directory.uuid(),
    )
}

/// A whole reading was taken over under them.
pub async fn forget_consents(tx: &mut WriteTx, directory: DirectoryId) -> Result<()> {
    execute!(tx, "delete from clearing_consents where msp_id = $1 and directory_id = $2", directory.uuid())?.count();
    Ok(())
}
