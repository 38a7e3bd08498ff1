//! Finds the customer behind the id of something of theirs. Whether the caller reaches that customer is asked next.

use rollcall_domain::ids::{AccountId, CustomerId, DirectoryId, ImportId};
use uuid::Uuid;

use crate::{Result, Tx};

pub async fn find_of_import(tx: &mut Tx, id: ImportId) -> Result<Option<CustomerId>> {
    let row = fetch_optional!(
        tx,
        (Uuid,),
        "select customer_id from imports where msp_id = $1 and id = $2 and deleted_at is null",
        id.uuid(),
    )?;
    Ok(row.map(|(customer,)| customer.into()))
}

pub async fn find_of_account(tx: &mut Tx, id: AccountId) -> Result<Option<CustomerId>> {
    let row =
        fetch_optional!(tx, (Uuid,), "select customer_id from accounts where msp_id = $1 and id = $2", id.uuid())?;
    Ok(row.map(|(customer,)| customer.into()))
}

pub async fn find_of_directory(tx: &mut Tx, id: DirectoryId) -> Result<Option<CustomerId>> {
    let row =
        fetch_optional!(tx, (Uuid,), "select customer_id from directories where msp_id = $1 and id = $2", id.uuid())?;
    Ok(row.map(|(customer,)| customer.into()))
}
