//! Finds things within an operator's reach, by the id or the word in an address. Out of reach is "not found".

use rollcall_domain::{
    ids::{AccountId, AgentId, CustomerId, DirectoryId, ImportId, RunId},
    role::Act,
};
use rollcall_store::{
    AgentScope, CustomerScope, Tx,
    accounts::{self, Account},
    agents::{self, Agent},
    customers::{self, Customer},
    directories::{self, Directory},
    imports::{self, Import},
    owners,
    runs::{self, Run},
};

use super::who::{ServiceError, Who};
use crate::state::AppState;

async fn begin(state: &AppState, who: &Who) -> Result<Tx, ServiceError> {
    who.may(Act::ViewCustomers)?;
    Ok(state.db.read(&who.scope).await?)
}

pub async fn customer(state: &AppState, who: &Who, id: CustomerId) -> Result<(CustomerScope, Customer), ServiceError> {
    let mut tx = begin(state, who).await?;
    who.customer(&mut tx, id).await
}

pub async fn customer_by_slug(
    state: &AppState,
    who: &Who,
    slug: &str,
) -> Result<(CustomerScope, Customer), ServiceError> {
    let mut tx = begin(state, who).await?;
    customers::find_by_slug(&mut tx, &who.scope, slug).await?.ok_or(ServiceError::NotFound)
}

pub async fn agent(state: &AppState, who: &Who, id: AgentId) -> Result<(AgentScope, Agent), ServiceError> {
    let mut tx = begin(state, who).await?;
    agents::find(&mut tx, &who.scope, id).await?.ok_or(ServiceError::NotFound)
}

pub async fn directory(
    state: &AppState,
    who: &Who,
    id: DirectoryId,
) -> Result<(CustomerScope, Directory), ServiceError> {
    let mut tx = begin(state, who).await?;
    let owner = owners::find_of_directory(&mut tx, id).await?.ok_or(ServiceError::NotFound)?;
    let (scope, _) = who.customer(&mut tx, owner).await?;
    let directory = directories::find(&mut tx, &scope, id).await?.ok_or(ServiceError::NotFound)?;
    Ok((scope, directory))
}

pub async fn import(state: &AppState, who: &Who, id: ImportId) -> Result<(CustomerScope, Import), ServiceError> {
    let mut tx = begin(state, who).await?;
    let owner = owners::find_of_import(&mut tx, id).await?.ok_or(ServiceError::NotFound)?;
    let (scope, _) = who.customer(&mut tx, owner).await?;
    let import = imports::find(&mut tx, &scope, id).await?.ok_or(ServiceError::NotFound)?;
    Ok((scope, import))
}

pub async fn account(state: &AppState, who: &Who, id: AccountId) -> Result<(CustomerScope, Account), ServiceError> {
    let mut tx = begin(state, who).await?;
    let owner = owners::find_of_account(&mut tx, id).await?.ok_or(ServiceError::NotFound)?;
    let (scope, _) = who.customer(&mut tx, owner).await?;
    let account = accounts::find(&mut tx, &scope, id).await?.ok_or(ServiceError::NotFound)?;
    Ok((scope, account))
}

pub async fn run(state: &AppState, who: &Who, id: RunId) -> Result<(CustomerScope, Run), ServiceError> {
    let mut tx = begin(state, who).await?;
    let run = runs::find(&mut tx, &who.scope, id).await?.ok_or(ServiceError::NotFound)?;
    let (scope, _) = who.customer(&mut tx, run.customer_id).await?;
    Ok((scope, run))
}
