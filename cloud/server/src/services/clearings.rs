//! What vanished from many people at once, and a human's word that it was cleared on purpose.

use rollcall_domain::{
    ids::{AgentId, DirectoryId, ImportId},
    role::Act,
};
use rollcall_protocol::{checkin::Clearing, desired::Order};
use rollcall_store::{
    Tx, WriteTx,
    agents::Agent,
    directories, imports,
    losses::{self, Consent, Lost},
};
use serde_json::json;
use uuid::Uuid;

use super::{
    agents::find_with_directory,
    told,
    who::{Note, ServiceError, Who},
};
use crate::{
    orders::{self, Again},
    state::AppState,
};

/// The word of the audit log.
const ACCEPT: &str = "clearing.accept";

/// Everything that waits for a human at this agent: what it told itself, and what the cloud found in a whole reading of
/// its directory.
pub async fn list(tx: &mut Tx, agent: &Agent) -> Result<Vec<Clearing>, ServiceError> {
    let mut all = told::clearings(agent);
    let found = found_by_the_cloud(tx, agent).await?;
    let is_new = |found: &Clearing| !all.iter().any(|known| is_same(known, found));
    let new: Vec<Clearing> = found.into_iter().filter(is_new).collect();
    all.extend(new);
    Ok(all)
}

/// An older agent does not say of which import.
fn is_same(told: &Clearing, found: &Clearing) -> bool {
    told.attribute == found.attribute && (told.import.is_none() || told.import == found.import)
}

/// Nothing for an agent that does not read its directory: it could not bring anything.
async fn found_by_the_cloud(tx: &mut Tx, agent: &Agent) -> Result<Vec<Clearing>, ServiceError> {
    let Some(directory) = agent.directory_id.map(DirectoryId::from) else { return Ok(Vec::new()) };
    if !directories::is_read_by(tx, directory, agent.id).await? {
        return Ok(Vec::new());
    }
    let accepted = losses::list_consents(tx, directory).await?;
    let is_accepted = |lost: &Lost| accepted.iter().any(|consent| covers(consent, lost));
    let waiting = losses::list(tx, directory).await?.into_iter().filter(|lost| !is_accepted(lost));
    Ok(waiting.map(found).collect())
}

fn covers(consent: &Consent, lost: &Lost) -> bool {
    consent.attribute == lost.attribute && consent.import_id == lost.import_id && lost.people <= consent.at_most
}

fn found(lost: Lost) -> Clearing {
    let count = |number: i64| u64::try_from(number).unwrap_or_default();
    Clearing {
        people: count(lost.people),
        of: count(lost.of_people),
        attribute: lost.attribute,
        import: Some(lost.import_id.uuid()),
    }
}

/// What a human says was cleared on purpose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meant {
    pub attribute: String,
    /// Of this import alone. `None`: of each that it vanished from.
    pub import: Option<Uuid>,
    /// Of how many people they saw it gone. Whoever does not say it has seen what is told now.
    pub seen: Option<u64>,
}

impl Meant {
    fn is_of(&self, clearing: &Clearing) -> bool {
        let same_import = self.import.is_none() || clearing.import.is_none() || self.import == clearing.import;
        self.attribute == clearing.attribute && same_import
    }

    /// More people have lost it since it was looked at.
    fn is_outgrown_by(&self, now: &Clearing) -> bool {
        self.is_of(now) && self.seen.is_some_and(|seen| now.people > seen)
    }
}

/// A human has seen that these attributes vanished from many people at once, and says that it is meant so. Only what is
/// told of can be accepted, and no larger loss than was seen: a page that was open for long accepts nothing new.
pub async fn accept(state: &AppState, who: &Who, agent: AgentId, meant: &[Meant]) -> Result<Vec<String>, ServiceError> {
    who.may(Act::DecideHeldRemovals)?;
    let mut tx = state.db.write(&who.scope).await?;
    let (scope, agent) = find_with_directory(&mut tx, who, agent).await?;
    let (told, found) = (told::clearings(&agent), found_by_the_cloud(&mut tx, &agent).await?);
    if told.iter().chain(&found).any(|now| meant.iter().any(|meant| meant.is_outgrown_by(now))) {
        return Err(ServiceError::ChangedMeanwhile);
    }
    let is_meant = |clearing: &&Clearing| meant.iter().any(|meant| meant.is_of(clearing));
    let (by_agent, by_cloud): (Vec<_>, Vec<_>) =
        (told.iter().filter(is_meant).collect(), found.iter().filter(is_meant).collect());
    let names = name_each(by_agent.iter().chain(&by_cloud));
    if names.is_empty() {
        return Err(ServiceError::invalid("attributes", "have come back, or were accepted already"));
    }
    for told in &by_agent {
        // As many as were told of, each for itself: if more lost it by the next reading, that is another question.
        let (attributes, at_most) = (vec![told.attribute.clone()], Some(told.people));
        let order = Order::AcceptClearing { attributes, at_most, import: told.import };
        orders::give(&mut tx, state, &scope, &who.actor.name, order, Again::WhenDone).await?;
    }
    // The agent has nothing to accept of these: everybody comes once more, and is taken as they are read.
    if !by_cloud.is_empty() {
        orders::give(&mut tx, state, &scope, &who.actor.name, Order::FullSnapshot, Again::WhenDone).await?;
    }
    consent(&mut tx, state, who, &agent, by_agent.iter().chain(&by_cloud)).await?;
    let note = Note::of(agent.id).after(json!({ "attributes": names }));
    who.note(&mut tx, state.now(), ACCEPT, Some(agent.customer_id), note);
    tx.commit().await?;
    Ok(names)
}

/// Each once, in the order they were told.
fn name_each<'a>(clearings: impl Iterator<Item = &'a &'a Clearing>) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for clearing in clearings {
        if !names.contains(&clearing.attribute) {
            names.push(clearing.attribute.clone());
        }
    }
    names
}

/// Whichever side asks first, the other one does not ask again: the word holds for the directory. What an older agent told
/// without an import is of as many people of any.
async fn consent<'a>(
    tx: &mut WriteTx,
    state: &AppState,
    who: &Who,
    agent: &Agent,
    clearings: impl Iterator<Item = &'a &'a Clearing>,
) -> Result<(), ServiceError> {
    let Some(directory) = agent.directory_id.map(DirectoryId::from) else { return Ok(()) };
    let known: Vec<ImportId> = imports::list_outlines(tx, directory).await?.iter().map(|import| import.id).collect();
    for clearing in clearings {
        let is_of = |import: &&ImportId| clearing.import.is_none_or(|told| told == import.uuid());
        for import in known.iter().filter(is_of) {
            let at_most = i64::try_from(clearing.people).unwrap_or(i64::MAX);
            let consent = Consent { import_id: *import, attribute: clearing.attribute.clone(), at_most };
            losses::consent(tx, directory, &consent, &who.actor.name, state.now()).await?;
        }
    }
    Ok(())
}
