//! Decides which attributes vanished from so many people of a whole reading at once that the values from before stay.
//!
//! An agent watches this itself. One whose spool was lost, or that takes over from another, knows nothing of before.

use rollcall_domain::ids::{DirectoryId, ImportId};
use rollcall_protocol::{
    ceiling::Ceiling,
    checkin::Clearing,
    loss::{self, Accepted, Loss, Losses},
    person::Person,
};
use rollcall_store::{
    AgentScope, StoreError, WriteTx,
    accounts::Stored,
    agents::Agent,
    losses::{self, Consent, Lost},
};
use serde_json::{Value, value::to_raw_value};

use super::{
    cycle::Cycle,
    order,
    people::{Frame, Present, Tally},
};
use crate::state::AppState;

/// What is held in this cycle, and what is known of before.
#[derive(Debug, Default)]
pub struct Vanished {
    /// The values that people had of these stay.
    pub held: Losses,
    standing: Vec<Lost>,
    attempt: Attempt,
    /// What a human said was cleared on purpose.
    accepted: Vec<Accepted>,
    /// The customer's own file keeps these back, which is no loss.
    withheld: Vec<String>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Attempt {
    #[default]
    First,
    /// What is held was judged by everybody of this very cycle.
    Second,
}

impl Vanished {
    /// `judged` is what an earlier attempt found in this very cycle; without it holds what held before.
    pub async fn load(
        tx: &mut WriteTx,
        directory: DirectoryId,
        agent: &Agent,
        judged: Option<&Losses>,
    ) -> Result<Self, StoreError> {
        let standing = losses::list(tx, directory).await?;
        let accepted = losses::list_consents(tx, directory).await?.into_iter().map(accepted).collect();
        let known = Self { standing, accepted, withheld: withheld(agent), ..Self::default() };
        Ok(match judged {
            Some(judged) => Self { held: judged.clone(), attempt: Attempt::Second, ..known },
            None => Self { held: known.still_held(), ..known },
        })
    }

    fn judge(&self, tally: &loss::Tally) -> Losses {
        tally.judge(|loss| self.is_meant(loss))
    }

    /// Whether what was held is what everybody of a whole reading shows; if not, what they show.
    pub fn check(&self, tally: &loss::Tally, cycle: &Cycle) -> Result<(), Losses> {
        if !cycle.is_full() || self.attempt == Attempt::Second {
            return Ok(());
        }
        let judged = self.judge(tally);
        if judged.are_of_the_same(&self.held) { Ok(()) } else { Err(judged) }
    }

    fn still_held(&self) -> Losses {
        self.standing.iter().filter_map(known).filter(|loss| !self.is_meant(loss)).collect()
    }

    fn is_meant(&self, loss: &Loss) -> bool {
        let is_accepted = self.accepted.iter().any(|accepted| accepted.covers(loss));
        is_accepted || loss::is_among(&self.withheld, loss.attribute())
    }

    /// Nothing was held back before, nor is now: what the agent read is what the cloud has.
    pub const fn is_nothing(&self) -> bool {
        self.standing.is_empty() && self.held.is_empty()
    }

    /// The person with what could not be read as the cloud knows it.
    pub fn restore(&self, present: Present, known: &Stored) -> Result<Present, StoreError> {
        let imports = present.person.imports.clone();
        if !self.held.concern(&imports) {
            return Ok(present);
        }
        let Ok(before) = serde_json::from_str::<Person>(known.person.get()) else { return Ok(present) };
        let mut person = present.person.clone();
        self.held.restore(&mut person, &before, &imports);
        if person == present.person {
            return Ok(present);
        }
        let json = lay_over(&present, &person, &self.held.members(&imports))?;
        Ok(Present { person, json })
    }
}

/// Only what was given back is laid over the record: a newer agent's record has members that this version does not know.
fn lay_over(
    present: &Present,
    person: &Person,
    members: &[&'static str],
) -> Result<Box<serde_json::value::RawValue>, serde_json::Error> {
    let mut record: serde_json::Map<String, Value> = serde_json::from_str(present.json.get())?;
    let restored = serde_json::to_value(person)?;
    for member in members {
        if let Some(value) = restored.get(member) {
            record.insert((*member).to_owned(), value.clone());
        }
    }
    to_raw_value(&record)
}

fn accepted(consent: Consent) -> Accepted {
    let at_most = Some(u64::try_from(consent.at_most).unwrap_or_default());
    Accepted { attribute: consent.attribute, at_most, import: Some(consent.import_id.uuid()) }
}

fn known(lost: &Lost) -> Option<Loss> {
    let count = |number: i64| u64::try_from(number).unwrap_or_default();
    Loss::known(lost.import_id.uuid(), &lost.attribute, count(lost.people), count(lost.of_people))
}

/// As the agent last told it.
fn withheld(agent: &Agent) -> Vec<String> {
    let told = agent.report.as_ref().and_then(|report| report.0.get("ceiling").cloned());
    told.and_then(|told| serde_json::from_value::<Ceiling>(told).ok())
        .map(|ceiling| ceiling.withheld)
        .unwrap_or_default()
}

/// After a whole reading: what it showed stands, and a human's word is used up. After any other: values that are back
/// call for a whole one, which says of how many they are back.
pub async fn settle(
    tx: &mut WriteTx,
    state: &AppState,
    scope: &AgentScope,
    frame: &Frame<'_>,
    cycle: &Cycle,
    tally: &Tally,
) -> Result<(), StoreError> {
    let vanished = &frame.vanished;
    if !cycle.is_full() {
        if tally.came_back > loss::AT_LEAST {
            order::everybody(tx, state, scope).await?;
        }
        return Ok(());
    }
    if !vanished.is_nothing() {
        let rows: Vec<Lost> = vanished.judge(&tally.lost).iter().map(|loss| row(loss, vanished, frame)).collect();
        losses::replace(tx, frame.directory, &rows).await?;
    }
    if vanished.accepted.is_empty() { Ok(()) } else { losses::forget_consents(tx, frame.directory).await }
}

fn row(loss: &Loss, vanished: &Vanished, frame: &Frame<'_>) -> Lost {
    let import_id = ImportId::from(loss.import());
    let is_same = |lost: &&Lost| lost.import_id == import_id && lost.attribute == loss.attribute();
    let count = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    Lost {
        import_id,
        attribute: loss.attribute().to_owned(),
        people: count(loss.people),
        of_people: count(loss.of),
        since: vanished.standing.iter().find(is_same).map_or(frame.now, |lost| lost.since),
    }
}

/// What the run says of it: what the agent holds back, and what the cloud does.
pub fn tell(cycle: &Cycle, held: &Losses) -> Vec<Clearing> {
    let mut told = cycle.told.clearings.clone();
    for loss in held.by_attribute() {
        if !told.iter().any(|clearing| clearing.attribute == loss.attribute()) {
            let import = Some(loss.import());
            told.push(Clearing { attribute: loss.attribute().to_owned(), people: loss.people, of: loss.of, import });
        }
    }
    told
}

#[cfg(test)]
mod tests;
