//! The imports: which people of a directory an MSP chose, and how.

use chrono::{DateTime, Utc};
use rollcall_domain::{
    ids::{CustomerId, DirectoryId, ImportId},
    import::{ImportSettings, Nesting, RemovalPolicy, Schedule, Selection},
    pause::Pause,
};
use sqlx::types::Json;
use uuid::Uuid;

use crate::{CustomerScope, Result, StoreError, Tx, WriteTx, msps::PauseColumns};

#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Import {
    #[sqlx(try_from = "Uuid")]
    pub id: ImportId,
    #[sqlx(try_from = "Uuid")]
    pub customer_id: CustomerId,
    #[sqlx(try_from = "Uuid")]
    pub directory_id: DirectoryId,
    pub name: String,
    pub selections: Json<Vec<Selection>>,
    pub excludes: Json<Vec<Uuid>>,
    pub schedule: Json<Schedule>,
    #[sqlx(try_from = "String")]
    pub removal_policy: RemovalPolicy,
    pub grace_days: i64,
    #[sqlx(try_from = "String")]
    pub nesting: Nesting,
    pub version: i64,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    #[sqlx(flatten)]
    pub pause: PauseColumns,
    pub deleted_at: Option<DateTime<Utc>>,
}

impl Import {
    pub fn settings(&self) -> Result<ImportSettings> {
        Ok(ImportSettings {
            name: self.name.clone(),
            selections: self.selections.0.clone(),
            excludes: self.excludes.0.clone(),
            schedule: self.schedule.0.clone(),
            removal_policy: self.removal_policy,
            grace_days: u16::try_from(self.grace_days).map_err(|_| StoreError::Unreadable("days of grace".into()))?,
            nesting: self.nesting,
        })
    }
}

macro_rules! columns {
    () => {
        "id, customer_id, directory_id, name, selections, excludes, schedule, removal_policy, grace_days, nesting,
         version, created_at, updated_at, paused_at, paused_until, paused_reason, paused_by, deleted_at"
    };
}

pub async fn insert(
    tx: &mut WriteTx,
    customer: &CustomerScope,
    directory: DirectoryId,
    id: ImportId,
    settings: &ImportSettings,
    now: DateTime<Utc>,
) -> Result<()> {
    execute!(
        tx,
        "insert into imports
             (msp_id, id, customer_id, directory_id, name, selections, excludes, schedule, removal_policy, grace_days,
              nesting, version, created_at, updated_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $12, 1, $11, $11)",
        id.uuid(),
        customer.customer().uuid(),
        directory.uuid(),
        settings.name.trim(),
        Json(&settings.selections),
        Json(&settings.excludes),
        Json(&settings.schedule),
        settings.removal_policy.as_str(),
        i64::from(settings.grace_days),
        now,
        settings.nesting.as_str(),
    )?
    .exactly(1)
}

/// False if somebody else changed it since `version` was read.
pub async fn update(
    tx: &mut WriteTx,
    customer: &CustomerScope,
    id: ImportId,
    version: i64,
    settings: &ImportSettings,
    now: DateTime<Utc>,
) -> Result<bool> {
    let changed = execute!(
        tx,
        "update imports
         set name = $5, selections = $6, excludes = $7, schedule = $8, removal_policy = $9, grace_days = $10,
             nesting = $12, version = version + 1, updated_at = $11
         where msp_id = $1 and customer_id = $2 and id = $3 and version = $4 and deleted_at is null",
        customer.customer().uuid(),
        id.uuid(),
        version,
        settings.name.trim(),
        Json(&settings.selections),
        Json(&settings.excludes),
        Json(&settings.schedule),
        settings.removal_policy.as_str(),
        i64::from(settings.grace_days),
        now,
        settings.nesting.as_str(),
    )?;
    Ok(changed.any())
}

pub async fn find(tx: &mut Tx, customer: &CustomerScope, id: ImportId) -> Result<Option<Import>> {
    fetch_optional!(
        tx,
        Import,
        concat!(
            "select ",
            columns!(),
            " from imports where msp_id = $1 and customer_id = $2 and id = $3 and deleted_at is null"
        ),
        customer.customer().uuid(),
        id.uuid(),
    )
}

pub async fn list(tx: &mut Tx, customer: &CustomerScope) -> Result<Vec<Import>> {
    fetch_all!(
        tx,
        Import,
        concat!(
            "select ",
            columns!(),
            " from imports where msp_id = $1 and customer_id = $2 and deleted_at is null order by id limit 200"
        ),
        customer.customer().uuid(),
    )
}

/// Ended ones too: removals of theirs may still wait for a human.
pub async fn list_with_ended(tx: &mut Tx, customer: &CustomerScope) -> Result<Vec<Import>> {
    fetch_all!(
        tx,
        Import,
        concat!("select ", columns!(), " from imports where msp_id = $1 and customer_id = $2 order by id limit 1000"),
        customer.customer().uuid(),
    )
}

/// Of one directory, what its agent is told of.
pub async fn list_living_of_directory(tx: &mut Tx, directory: DirectoryId) -> Result<Vec<Import>> {
    fetch_all!(
        tx,
        Import,
        concat!(
            "select ",
            columns!(),
            " from imports
             where msp_id = $1 and directory_id = $2 and deleted_at is null
             order by id
             limit 1000"
        ),
        directory.uuid(),
    )
}

/// What applying a cycle needs to know of an import.
#[derive(Debug, Clone, Copy, sqlx::FromRow)]
pub struct Outline {
    #[sqlx(try_from = "Uuid")]
    pub id: ImportId,
    #[sqlx(try_from = "String")]
    pub removal_policy: RemovalPolicy,
    pub deleted_at: Option<DateTime<Utc>>,
}

/// Every import that a directory ever had, because people of ended ones may still be on their way out.
pub async fn list_outlines(tx: &mut Tx, directory: DirectoryId) -> Result<Vec<Outline>> {
    fetch_all!(
        tx,
        Outline,
        "select id, removal_policy, deleted_at from imports where msp_id = $1 and directory_id = $2",
        directory.uuid(),
    )
}

pub async fn set_pause(tx: &mut WriteTx, customer: &CustomerScope, id: ImportId, pause: &Pause) -> Result<bool> {
    let changed = execute!(
        tx,
        "update imports
         set paused_at = $4, paused_until = $5, paused_reason = $6, paused_by = $7
         where msp_id = $1 and customer_id = $2 and id = $3 and deleted_at is null",
        customer.customer().uuid(),
        id.uuid(),
        pause.at,
        pause.until,
        pause.reason.as_str(),
        pause.by.as_str(),
    )?;
    Ok(changed.any())
}

/// [`crate::msps::end_pause`] of this import, if there is one.
pub async fn end_pause(tx: &mut WriteTx, customer: &CustomerScope, id: ImportId, now: DateTime<Utc>) -> Result<bool> {
    let changed = execute!(
        tx,
        "update imports
         set paused_until = case when paused_at is null or paused_until <= $4 then paused_until else $4 end
         where msp_id = $1 and customer_id = $2 and id = $3 and deleted_at is null",
        customer.customer().uuid(),
        id.uuid(),
        now,
    )?;
    Ok(changed.any())
}

/// Takes the import away; its people then leave with the evidence `deselected`, under the same guard as always.
pub async fn delete(tx: &mut WriteTx, customer: &CustomerScope, id: ImportId, now: DateTime<Utc>) -> Result<bool> {
    let changed = execute!(
        tx,
        "update imports
         set deleted_at = $4
         where msp_id = $1 and customer_id = $2 and id = $3 and deleted_at is null",
        customer.customer().uuid(),
        id.uuid(),
        now,
    )?;
    Ok(changed.any())
}
