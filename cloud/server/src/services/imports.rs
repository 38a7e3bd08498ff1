//! Imports: setting one up, changing it, taking it away.

use rollcall_domain::{
    ids::{CustomerId, DirectoryId, ImportId},
    import::{ImportError, ImportSettings},
    role::Act,
};
use rollcall_protocol::limits;
use rollcall_store::{
    CustomerScope, WriteTx, agents, directories,
    imports::{self, Import},
    live::{Event, Topic},
    structure,
};
use serde_json::json;

use super::who::{Note, ServiceError, Who};
use crate::state::AppState;

pub async fn create(
    state: &AppState,
    who: &Who,
    customer: CustomerId,
    directory: DirectoryId,
    settings: &ImportSettings,
) -> Result<ImportId, ServiceError> {
    who.may(Act::EditImport)?;
    settings.check().map_err(to_invalid)?;
    let now = state.now();
    let id = state.mint(ImportId::mint);
    let mut tx = state.db.write(&who.scope).await?;
    let (scope, _) = who.customer(&mut tx, customer).await?;
    directories::find(&mut tx, &scope, directory).await?.ok_or(ServiceError::NotFound)?;
    // Whoever makes an import holds the directory: of two who come at once, the second counts the first one's.
    directories::lock(&mut tx, directory).await?;
    let others = imports::list_living_of_directory(&mut tx, directory).await?;
    if others.len() >= limits::IMPORTS {
        return Err(ServiceError::invalid("name", format!("a directory has at most {} imports", limits::IMPORTS)));
    }
    refuse_crowded(&others, settings)?;
    refuse_blocked(&mut tx, directory, settings).await?;
    imports::insert(&mut tx, &scope, directory, id, settings, now).await?;
    who.note(&mut tx, now, "import.create", Some(customer), Note::of(id).after(json!(settings)));
    concern_agents(&mut tx, &scope).await?;
    tx.commit().await?;
    Ok(id)
}

/// `version` is the one the operator saw; another one means that somebody was quicker.
pub async fn update(
    state: &AppState,
    who: &Who,
    customer: CustomerId,
    id: ImportId,
    version: i64,
    settings: &ImportSettings,
) -> Result<(), ServiceError> {
    who.may(Act::EditImport)?;
    settings.check().map_err(to_invalid)?;
    let now = state.now();
    let mut tx = state.db.write(&who.scope).await?;
    let (scope, _) = who.customer(&mut tx, customer).await?;
    let before = imports::find(&mut tx, &scope, id).await?.ok_or(ServiceError::NotFound)?;
    directories::lock(&mut tx, before.directory_id).await?;
    let mut others = imports::list_living_of_directory(&mut tx, before.directory_id).await?;
    others.retain(|other| other.id != id);
    // To narrow one is always allowed.
    if count_places(settings) > count_places(&before.settings()?) {
        refuse_crowded(&others, settings)?;
    }
    refuse_blocked(&mut tx, before.directory_id, settings).await?;
    if !imports::update(&mut tx, &scope, id, version, settings, now).await? {
        return Err(ServiceError::ChangedMeanwhile);
    }
    let note = Note::of(id).before(json!(before.settings()?)).after(json!(settings));
    who.note(&mut tx, now, "import.update", Some(customer), note);
    concern_agents(&mut tx, &scope).await?;
    Ok(tx.commit().await?)
}

/// Its people leave by the agent's next reading, with the evidence `deselected` and under the same guard as always.
pub async fn delete(state: &AppState, who: &Who, customer: CustomerId, id: ImportId) -> Result<(), ServiceError> {
    who.may(Act::EditImport)?;
    let now = state.now();
    let mut tx = state.db.write(&who.scope).await?;
    let (scope, _) = who.customer(&mut tx, customer).await?;
    if !imports::delete(&mut tx, &scope, id, now).await? {
        return Err(ServiceError::NotFound);
    }
    who.note(&mut tx, now, "import.delete", Some(customer), Note::of(id));
    concern_agents(&mut tx, &scope).await?;
    Ok(tx.commit().await?)
}

/// What all imports of a directory choose travels in one signed document, and an agent refuses one that is too long.
fn refuse_crowded(others: &[Import], settings: &ImportSettings) -> Result<(), ServiceError> {
    let chosen: usize = others.iter().map(|other| other.selections.len() + other.excludes.len()).sum();
    let left = limits::PLACES.saturating_sub(chosen);
    let wanted = count_places(settings);
    if wanted <= left {
        return Ok(());
    }
    let message = format!(
        "the imports of one directory choose and exclude at most {} OUs and groups together; {left} are left for this \
         one, which has {wanted}. Choose an OU above many of them, or take some out of another import",
        limits::PLACES
    );
    Err(ServiceError::invalid("include", message))
}

fn count_places(settings: &ImportSettings) -> usize {
    settings.selections.len() + settings.excludes.len()
}

/// What the directory itself keeps apart cannot be chosen, whoever asks. What is not known yet is left to the agent.
async fn refuse_blocked(
    tx: &mut WriteTx,
    directory: DirectoryId,
    settings: &ImportSettings,
) -> Result<(), ServiceError> {
    for selection in &settings.selections {
        let node = structure::find(tx, directory, selection.guid).await?;
        if let Some(blocked) =
            node.and_then(|node| node.blocked.map(|why| format!("{} cannot be chosen: {why}", node.name)))
        {
            return Err(ServiceError::invalid("include", blocked));
        }
    }
    Ok(())
}

async fn concern_agents(tx: &mut WriteTx, scope: &CustomerScope) -> Result<(), ServiceError> {
    agents::renew_desired_of_customer(tx, scope).await?;
    let event = Event::of(tx.msp(), Topic::Customer).customer(scope.customer());
    tx.tell(event);
    Ok(())
}

fn to_invalid(error: ImportError) -> ServiceError {
    let field = match error {
        ImportError::Name => "name",
        ImportError::NothingSelected | ImportError::TooManySelections => "include",
        ImportError::ChosenAndExcluded => "exclude",
        ImportError::Schedule => "interval_minutes",
        ImportError::GraceDays => "grace_days",
    };
    ServiceError::invalid(field, error)
}
