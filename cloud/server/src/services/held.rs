//! Held removals: a human approves exactly the list they saw, or keeps the people.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rollcall_domain::{
    account,
    ids::{AccountId, CustomerId, HistoryId, ImportId, RunId, mint_numbered},
    membership::{Event, MembershipState},
    role::Act,
    run::Change,
};
use rollcall_store::{
    WriteTx,
    accounts::{self, InSnapshot, Leaving},
    directories,
    history::{self, By, NewLine},
    live::{self, Topic},
    memberships::{self, Held},
};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::who::{Note, ServiceError, Who};
use crate::state::AppState;

/// What a human decides about the held removals of one import.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// They leave, with the evidence they came with.
    Approve,
    /// They stay, although the directory says otherwise.
    Reject,
}

impl Decision {
    const fn event(self) -> Event {
        match self {
            Self::Approve => Event::Approved,
            Self::Reject => Event::Rejected,
        }
    }

    const fn change(self) -> Change {
        match self {
            Self::Approve => Change::RemovalApproved,
            Self::Reject => Change::RemovalRejected,
        }
    }

    const fn action(self) -> &'static str {
        match self {
            Self::Approve => "removals.approve",
            Self::Reject => "removals.reject",
        }
    }
}

/// Which removals are meant.
#[derive(Debug, Clone, Copy)]
pub enum Which {
    OfImport(ImportId),
    OfRun(RunId),
}

/// By what the human shows that they looked at the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// They typed how many there are.
    Count(usize),
    /// Their page showed exactly this list, see [`fingerprint`].
    List(String),
}

/// Stands for a list: any other list has another one.
pub fn fingerprint(held: &[Held]) -> String {
    let mut sha = Sha256::new();
    for removal in held {
        sha.update(removal.import_id.uuid().as_bytes());
        sha.update(removal.account_id.uuid().as_bytes());
    }
    URL_SAFE_NO_PAD.encode(&sha.finalize()[..16])
}

/// Decides the whole list, if it is still the one that was seen; answers how many were decided.
pub async fn decide(
    state: &AppState,
    who: &Who,
    customer: CustomerId,
    which: Which,
    seen: &[Seen],
    decision: Decision,
) -> Result<usize, ServiceError> {
    who.may(Act::DecideHeldRemovals)?;
    let now = state.now();
    let mut tx = state.db.write(&who.scope).await?;
    let (scope, _) = who.customer(&mut tx, customer).await?;
    // A cycle that is being applied may show some of them again: the list is read when it has ended.
    directories::lock_all(&mut tx, &scope).await?;
    let (held, object) = match which {
        Which::OfImport(import) => (memberships::list_held(&mut tx, &scope, import).await?, import.to_string()),
        Which::OfRun(run) => (memberships::list_held_by_run(&mut tx, &scope, run).await?, run.to_string()),
    };
    check_seen(&held, seen)?;
    let mut of_import: BTreeMap<ImportId, Vec<AccountId>> = BTreeMap::new();
    for removal in &held {
        of_import.entry(removal.import_id).or_default().push(removal.account_id);
    }
    for (import, ids) in &of_import {
        for chunk in ids.chunks(500) {
            decide_chunk(&mut tx, state, who, *import, decision, chunk).await?;
        }
    }
    let note = Note::of(object).after(json!({ "people": held.len(), "list": fingerprint(&held) }));
    who.note(&mut tx, now, decision.action(), Some(customer), note);
    let event = live::Event::of(tx.msp(), Topic::Customer).customer(customer);
    tx.tell(event);
    tx.commit().await?;
    Ok(held.len())
}

fn check_seen(held: &[Held], seen: &[Seen]) -> Result<(), ServiceError> {
    if held.is_empty() {
        return Err(ServiceError::NotFound);
    }
    for proof in seen {
        match proof {
            Seen::Count(count) if *count != held.len() => {
                return Err(ServiceError::invalid("count", format!("There are {} people in the list.", held.len())));
            }
            Seen::List(list) if *list != fingerprint(held) => return Err(ServiceError::ChangedMeanwhile),
            Seen::Count(_) | Seen::List(_) => {}
        }
    }
    Ok(())
}

async fn decide_chunk(
    tx: &mut WriteTx,
    state: &AppState,
    who: &Who,
    import: ImportId,
    decision: Decision,
    ids: &[AccountId],
) -> Result<(), ServiceError> {
    let now = state.now();
    let mut of_account = memberships::list_by_account(tx, ids).await?;
    let mut changed = Vec::with_capacity(ids.len());
    let mut leaving = Vec::with_capacity(ids.len());
    let mut lines = Vec::with_capacity(ids.len());
    for (id, number) in ids.iter().zip(0_u32..) {
        let mut all = of_account.remove(id).unwrap_or_default();
        let Some(held) = all.iter_mut().find(|membership| membership.import_id == import) else { continue };
        held.state = held.state.after(decision.event());
        held.since = now;
        let decided = held.clone();
        let in_directory = all.iter().any(|membership| membership.state == MembershipState::Active);
        let in_snapshot = if in_directory { InSnapshot::Yes } else { InSnapshot::No };
        let after = account::decide_state(all.iter().map(|membership| membership.state));
        leaving.push(Leaving { id: *id, state: after, in_snapshot });
        lines.push(NewLine {
            id: HistoryId::from(mint_numbered(now, number, state.entropy.bytes())),
            account: *id,
            import: Some(import.uuid()),
            change: decision.change(),
            before: None,
            after: None,
            evidence: decided
                .evidence
                .as_ref()
                .map(serde_json::value::to_raw_value)
                .transpose()
                .map_err(rollcall_store::StoreError::from)?,
        });
        changed.push(decided);
    }
    accounts::set_leaving(tx, &leaving, now).await?;
    memberships::upsert(tx, &changed).await?;
    history::insert(tx, &lines, By { run: None, actor: Some(&who.actor.name) }, now).await?;
    Ok(())
}
