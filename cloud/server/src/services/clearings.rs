//! What vanished from many people at once, and a human's word that it was cleared on purpose.

use rollcall_domain::{
    ids::{AgentId, CommandId, DirectoryId},
    role::Act,
};
use rollcall_protocol::{checkin::Clearing, desired::Order, loss};
use rollcall_store::{
    AgentScope, Tx, WriteTx,
    agents::{self, Agent},
    commands::{self, NewCommand},
    losses,
};
use serde_json::json;

use super::{
    agents::find_with_directory,
    told,
    who::{Note, ServiceError, Who},
};
use crate::state::AppState;

/// The word of the audit log and of the stored command.
const ACCEPT: &str = "clearing.accept";

/// Everything that waits for a human at this agent: what it told itself, and what the cloud found in a whole reading of
/// its directory.
pub async fn list(tx: &mut Tx, agent: &Agent) -> Result<Vec<Clearing>, ServiceError> {
    let mut all = told::clearings(agent);
    for found in found_by_the_cloud(tx, agent).await? {
        if !all.iter().any(|known| known.attribute == found.attribute) {
            all.push(found);
        }
    }
    Ok(all)
}

/// Each attribute once, with the import that lost most; nothing for an agent that does not read its directory.
async fn found_by_the_cloud(tx: &mut Tx, agent: &Agent) -> Result<Vec<Clearing>, ServiceError> {
    let Some(directory) = agent.directory_id.map(DirectoryId::from) else { return Ok(Vec::new()) };
    let accepted = losses::list_consents(tx, directory).await?;
    let mut worst: Vec<Clearing> = Vec::new();
    for lost in losses::list(tx, directory).await? {
        if loss::is_among(&accepted, &lost.attribute) {
            continue;
        }
        let count = |number: i64| u64::try_from(number).unwrap_or_default();
        let found = Clearing { people: count(lost.people), of: count(lost.of_people), attribute: lost.attribute };
        match worst.iter_mut().find(|known| known.attribute == found.attribute) {
            Some(known) if known.people < found.people => *known = found,
            Some(_) => {}
            None => worst.push(found),
        }
    }
    Ok(worst)
}

/// What a human says was cleared on purpose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meant {
    pub attribute: String,
    /// Of how many people they saw it gone. Whoever does not say it accepts any number.
    pub seen: Option<u64>,
}

impl Meant {
    /// More people have lost it since it was looked at.
    fn is_outgrown_by(&self, now: &Clearing) -> bool {
        self.attribute == now.attribute && self.seen.is_some_and(|seen| now.people > seen)
    }
}

/// A human has seen that these attributes vanished from many people at once, and says that it is meant so. Only what is
/// told of can be accepted, and no larger loss than was seen: a page that was open for long accepts nothing new.
pub async fn accept(state: &AppState, who: &Who, agent: AgentId, meant: &[Meant]) -> Result<Vec<String>, ServiceError> {
    who.may(Act::DecideHeldRemovals)?;
    let mut tx = state.db.write(&who.scope).await?;
    let (scope, agent) = find_with_directory(&mut tx, who, agent).await?;
    let (told, found) = (told::clearings(&agent), found_by_the_cloud(&mut tx, &agent).await?);
    let named = |among: &[Clearing]| {
        let names = meant.iter().map(|meant| &meant.attribute);
        names.filter(|name| among.iter().any(|clearing| clearing.attribute == **name)).cloned().collect::<Vec<_>>()
    };
    let (by_agent, by_cloud, all) = (named(&told), named(&found), named(&[told.clone(), found.clone()].concat()));
    if told.iter().chain(&found).any(|now| meant.iter().any(|meant| meant.is_outgrown_by(now))) {
        return Err(ServiceError::ChangedMeanwhile);
    }
    if all.is_empty() {
        return Err(ServiceError::invalid("attributes", "have come back, or were accepted already"));
    }
    if !by_agent.is_empty() {
        // As many as were told of: if more lost it by the next reading, that is another question.
        let at_most = told.iter().filter(|told| by_agent.contains(&told.attribute)).map(|told| told.people).max();
        order(&mut tx, state, who, &scope, Order::AcceptClearing { attributes: by_agent, at_most }).await?;
    }
    // The agent has nothing to accept of these: everybody comes once more, and is taken as they are read.
    if !by_cloud.is_empty() {
        order(&mut tx, state, who, &scope, Order::FullSnapshot).await?;
    }
    consent(&mut tx, state, who, &agent, &all).await?;
    agents::renew_desired(&mut tx, &scope).await?;
    let note = Note::of(agent.id).after(json!({ "attributes": all }));
    who.note(&mut tx, state.now(), ACCEPT, Some(agent.customer_id), note);
    tx.commit().await?;
    Ok(all)
}

async fn order(
    tx: &mut WriteTx,
    state: &AppState,
    who: &Who,
    scope: &AgentScope,
    order: Order,
) -> Result<(), ServiceError> {
    let payload = json!(order);
    // Said twice is said once.
    if commands::list_open(tx, scope.agent()).await?.iter().any(|open| open.payload.0 == payload) {
        return Ok(());
    }
    let command = NewCommand {
        id: state.mint(CommandId::mint),
        kind: ACCEPT,
        payload,
        created_by: &who.actor.name,
        created_at: state.now(),
    };
    Ok(commands::insert(tx, scope.agent(), command).await?)
}

/// Whichever side asks first, the other one does not ask again: the word holds for the directory.
async fn consent(
    tx: &mut WriteTx,
    state: &AppState,
    who: &Who,
    agent: &Agent,
    attributes: &[String],
) -> Result<(), ServiceError> {
    let Some(directory) = agent.directory_id.map(DirectoryId::from) else { return Ok(()) };
    for attribute in attributes {
        losses::consent(tx, directory, attribute, &who.actor.name, state.now()).await?;
    }
    Ok(())
}
