//! Removals that wait for a human: approving exactly the list that was seen, or keeping those people.

use std::collections::HashMap;

use rollcall_domain::{
    account,
    ids::{AccountId, HistoryId, ImportId, RunId},
    membership::{Event, MembershipState},
    role::Act,
    run::Change,
};
use rollcall_protocol::catalogue;
use rollcall_store::{
    CustomerScope, StoreError, WriteTx, accounts, history,
    memberships::{self, Held, Membership},
};
use serde_json::{json, value::to_raw_value};
use sha2::{Digest as _, Sha256};

use super::{caller::Caller, customers::tell, journal::Journal, refusal::Refusal};
use crate::state::AppState;

/// Which removals are meant.
#[derive(Debug, Clone, Copy)]
pub enum Which {
    OfRun(RunId),
    OfImport(ImportId),
}

/// What a human decides about them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    Approve,
    Reject,
}

/// By what the human says that they looked at the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// They typed how many there are.
    Count(usize),
    /// They saw exactly this list, see [`fingerprint`].
    List(String),
}

/// Stands for a list: any other list has another one.
pub fn fingerprint(held: &[Held]) -> String {
    let mut sha = Sha256::new();
    for removal in held {
        sha.update(removal.import_id.uuid().as_bytes());
        sha.update(removal.account_id.uuid().as_bytes());
    }
    sha.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

/// Rows changed in one statement, and read back in one.
const CHUNK: usize = 500;

pub async fn decide(
    state: &AppState,
    caller: &Caller,
    scope: CustomerScope,
    which: Which,
    seen: &[Seen],
    decision: Decision,
) -> Result<usize, Refusal> {
    caller.may(Act::DecideHeldRemovals)?;
    let now = state.now();
    let mut tx = state.db.write(&scope).await?;
    let held = match which {
        Which::OfRun(run) => memberships::list_held_by_run(&mut tx, &scope, run).await?,
        Which::OfImport(import) => memberships::list_held(&mut tx, &scope, import).await?,
    };
    check_seen(&held, seen)?;
    for chunk in held.chunks(CHUNK) {
        settle(&mut tx, state, caller, chunk, decision).await?;
    }
    let (action, object) = match (decision, which) {
        (Decision::Approve, Which::OfRun(run)) => ("held.approve", run.to_string()),
        (Decision::Approve, Which::OfImport(import)) => ("held.approve", import.to_string()),
        (Decision::Reject, Which::OfRun(run)) => ("held.reject", run.to_string()),
        (Decision::Reject, Which::OfImport(import)) => ("held.reject", import.to_string()),
    };
    let line = Journal::of(caller, action).customer(scope.customer()).object(object);
    line.after(json!({"people": held.len(), "list": fingerprint(&held)})).write(&mut tx, now).await?;
    tell(&mut tx, scope);
    tx.commit().await?;
    Ok(held.len())
}

fn check_seen(held: &[Held], seen: &[Seen]) -> Result<(), Refusal> {
    if held.is_empty() {
        return Err(Refusal::NotFound);
    }
    for proof in seen {
        match proof {
            Seen::Count(count) if *count != held.len() => {
                return Err(Refusal::invalid("count", format!("Type {}, the number of people in the list.", held.len())));
            }
            Seen::List(list) if *list != fingerprint(held) => {
                return Err(Refusal::Conflict(&catalogue::CHANGED_MEANWHILE));
            }
            Seen::Count(_) | Seen::List(_) => {}
        }
    }
    Ok(())
}

/// Membership, account and history of some held people, as the decision says.
async fn settle(
    tx: &mut WriteTx,
    state: &AppState,
    caller: &Caller,
    held: &[Held],
    decision: Decision,
) -> Result<(), StoreError> {
    let now = state.now();
    let people: Vec<AccountId> = held.iter().map(|removal| removal.account_id).collect();
    let mut by_account: HashMap<AccountId, Vec<Membership>> = HashMap::new();
    for membership in memberships::list_of_accounts(tx, &people).await? {
        by_account.entry(membership.account_id).or_default().push(membership);
    }
    let (event, change) = match decision {
        Decision::Approve => (Event::Approved, Change::RemovalApproved),
        Decision::Reject => (Event::Rejected, Change::RemovalRejected),
    };
    let mut changed = Vec::with_capacity(held.len());
    let mut lines = Vec::with_capacity(held.len());
    for removal in held {
        let Some(memberships) = by_account.get_mut(&removal.account_id) else { continue };
        let Some(membership) = memberships.iter_mut().find(|membership| membership.import_id == removal.import_id) else {
            continue;
        };
        membership.state = membership.state.after(event);
        membership.since = now;
        changed.push(membership.clone());
        lines.push(line(state, removal, change)?);
    }
    memberships::upsert(tx, &changed).await?;
    for (account, memberships) in by_account {
        let states: Vec<MembershipState> = memberships.iter().map(|membership| membership.state).collect();
        let leaving = accounts::Leaving {
            id: account,
            state: account::decide_state(states),
            // The hold itself already took the person out of the agent's snapshot where that was due.
            in_snapshot: accounts::InSnapshot::Yes,
        };
        accounts::set_leaving(tx, leaving, now).await?;
    }
    history::insert(tx, &lines, history::By { run: None, actor: Some(&caller.actor.name) }, now).await
}

fn line(state: &AppState, removal: &Held, change: Change) -> Result<history::NewLine, StoreError> {
    let evidence = removal.evidence.as_ref().map(|evidence| to_raw_value(&evidence.0)).transpose()?;
    Ok(history::NewLine {
        id: state.mint(HistoryId::mint),
        account: removal.account_id,
        import: Some(removal.import_id.uuid()),
        change,
        before: None,
        after: None,
        evidence,
    })
}
