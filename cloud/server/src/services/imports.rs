//! Imports: choosing whom a customer's directory brings over, pausing that, and ending it.

use std::collections::HashMap;

use rollcall_domain::{
    ids::{CustomerId, DirectoryId, ImportId},
    import::{ImportError, ImportSettings, SelectionKind},
    pause::Pause,
    role::Act,
};
use rollcall_protocol::catalogue;
use rollcall_store::{
    CustomerScope, Tx, WriteTx, agents, customers, directories,
    imports::{self, Import},
    owners, structure,
};
use serde_json::json;
use uuid::Uuid;

use super::{
    caller::Caller,
    customers::{PauseWish, tell},
    journal::Journal,
    refusal::Refusal,
};
use crate::state::AppState;

/// The import behind an id and the customer it belongs to, if the caller reaches it.
pub async fn find(state: &AppState, caller: &Caller, id: ImportId) -> Result<(CustomerScope, Import), Refusal> {
    caller.may(Act::ViewCustomers)?;
    let mut tx = state.db.read(&caller.scope).await?;
    let owner: Option<CustomerId> = owners::find_of_import(&mut tx, id).await?;
    let Some((scope, _)) = customers::find(&mut tx, &caller.scope, owner.ok_or(Refusal::NotFound)?).await? else {
        return Err(Refusal::NotFound);
    };
    let import = imports::find(&mut tx, &scope, id).await?.ok_or(Refusal::NotFound)?;
    Ok((scope, import))
}

pub async fn create(
    state: &AppState,
    caller: &Caller,
    scope: CustomerScope,
    directory: DirectoryId,
    settings: &ImportSettings,
) -> Result<ImportId, Refusal> {
    caller.may(Act::EditImport)?;
    let now = state.now();
    let id = state.mint(ImportId::mint);
    let mut tx = state.db.write(&scope).await?;
    if directories::find(&mut tx, &scope, directory).await?.is_none() {
        return Err(Refusal::invalid("directory_id", "This customer has no such directory."));
    }
    check(&mut tx, directory, settings, None).await?;
    imports::insert(&mut tx, &scope, directory, id, settings, now).await?;
    let line = Journal::of(caller, "import.create").customer(scope.customer()).object(id).after(json!(settings));
    finish(tx, state, scope, line).await?;
    Ok(id)
}

/// `version` is the one that was looked at: what somebody else changed meanwhile is not overwritten.
pub async fn update(
    state: &AppState,
    caller: &Caller,
    scope: CustomerScope,
    import: &Import,
    version: i64,
    settings: &ImportSettings,
) -> Result<(), Refusal> {
    caller.may(Act::EditImport)?;
    let before = import.settings()?;
    let mut tx = state.db.write(&scope).await?;
    check(&mut tx, import.directory_id, settings, Some(&before)).await?;
    if !imports::update(&mut tx, &scope, import.id, version, settings, state.now()).await? {
        return Err(Refusal::Conflict(&catalogue::CHANGED_MEANWHILE));
    }
    let line = Journal::of(caller, "import.update").customer(scope.customer()).object(import.id);
    finish(tx, state, scope, line.before(json!(before)).after(json!(settings))).await
}

/// Its people then leave with the evidence `deselected`, under the same guard as always.
pub async fn delete(state: &AppState, caller: &Caller, scope: CustomerScope, import: &Import) -> Result<(), Refusal> {
    caller.may(Act::EditImport)?;
    let mut tx = state.db.write(&scope).await?;
    if !imports::delete(&mut tx, &scope, import.id, state.now()).await? {
        return Err(Refusal::NotFound);
    }
    let line = Journal::of(caller, "import.delete").customer(scope.customer()).object(import.id);
    finish(tx, state, scope, line.before(json!(import.settings()?))).await
}

pub async fn pause(
    state: &AppState,
    caller: &Caller,
    scope: CustomerScope,
    import: &Import,
    wish: PauseWish,
) -> Result<(), Refusal> {
    caller.may(Act::Pause)?;
    let pause = wish.check(caller, state.now())?;
    set_pause(state, caller, scope, import, Some(&pause), "import.pause").await
}

pub async fn resume(state: &AppState, caller: &Caller, scope: CustomerScope, import: &Import) -> Result<(), Refusal> {
    caller.may(Act::Pause)?;
    set_pause(state, caller, scope, import, None, "import.resume").await
}

async fn set_pause(
    state: &AppState,
    caller: &Caller,
    scope: CustomerScope,
    import: &Import,
    pause: Option<&Pause>,
    action: &'static str,
) -> Result<(), Refusal> {
    let mut tx = state.db.write(&scope).await?;
    if !imports::set_pause(&mut tx, &scope, import.id, pause).await? {
        return Err(Refusal::NotFound);
    }
    let line = Journal::of(caller, action).customer(scope.customer()).object(import.id);
    finish(tx, state, scope, line.before(json!(import.pause.set())).after(json!(pause))).await
}

/// The agents hear of it with their next desired state.
async fn finish(mut tx: WriteTx, state: &AppState, scope: CustomerScope, line: Journal<'_>) -> Result<(), Refusal> {
    agents::renew_desired_of_customer(&mut tx, &scope).await?;
    line.write(&mut tx, state.now()).await?;
    tell(&mut tx, scope);
    tx.commit().await?;
    Ok(())
}

/// What was chosen before may stay although it is gone from the directory: its people are kept, and the operator is told.
async fn check(
    tx: &mut Tx,
    directory: DirectoryId,
    settings: &ImportSettings,
    before: Option<&ImportSettings>,
) -> Result<(), Refusal> {
    settings.check().map_err(|error| Refusal::invalid(field_of(error), sentence(error)))?;
    let is_old = |guid: &Uuid| before.is_some_and(|old| old.selections.iter().any(|chosen| chosen.guid == *guid));
    let wanted: Vec<Uuid> = settings.selections.iter().map(|chosen| chosen.guid).filter(|guid| !is_old(guid)).collect();
    let known: HashMap<Uuid, structure::Node> =
        structure::list_by_guids(tx, directory, &wanted).await?.into_iter().map(|node| (node.guid, node)).collect();
    for chosen in settings.selections.iter().filter(|chosen| !is_old(&chosen.guid)) {
        let fits = known.get(&chosen.guid).is_some_and(|node| node.kind == chosen.kind && node.blocked.is_none());
        if !fits {
            let what = match chosen.kind {
                SelectionKind::Ou => "unit",
                SelectionKind::Group => "group",
            };
            return Err(Refusal::invalid("include", format!("The {what} {} cannot be chosen.", chosen.guid)));
        }
    }
    Ok(())
}

const fn field_of(error: ImportError) -> &'static str {
    match error {
        ImportError::Name => "name",
        ImportError::NothingSelected | ImportError::TooManySelections => "include",
        ImportError::ChosenAndExcluded => "exclude",
        ImportError::Schedule => "interval_minutes",
        ImportError::GraceDays => "grace_days",
    }
}

/// The domain's words as a sentence.
fn sentence(error: ImportError) -> String {
    let words = error.to_string();
    let mut letters = words.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect::<String>() + ".").unwrap_or_default()
}
