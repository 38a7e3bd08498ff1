//! Held removals: a human approves exactly the list they saw, or keeps the people.

use std::collections::HashMap;

use rollcall_domain::{
    account,
    ids::{AccountId, CustomerId, HistoryId, ImportId, mint_numbered},
    membership::{Event, MembershipState},
    role::Act,
    run::Change,
};
use rollcall_store::{
    WriteTx,
    accounts::{self, InSnapshot, Leaving},
    history::{self, By, NewLine},
    live::{self, Topic},
    memberships::{self, Membership},
};
use serde_json::json;

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

/// `count` is the number the human typed: the list they saw. Another number now means that the list changed.
pub async fn decide(
    state: &AppState,
    who: &Who,
    customer: CustomerId,
    import: ImportId,
    decision: Decision,
    count: usize,
) -> Result<(), ServiceError> {
    who.may(Act::DecideHeldRemovals)?;
    let now = state.now();
    let mut tx = state.db.write(&who.scope).await?;
    let (scope, _) = who.customer(&mut tx, customer).await?;
    let held = memberships::list_held(&mut tx, &scope, import).await?;
    if held.is_empty() {
        return Err(ServiceError::NotFound);
    }
    if held.len() != count {
        return Err(ServiceError::ChangedMeanwhile);
    }
    let ids: Vec<AccountId> = held.iter().map(|held| held.account_id).collect();
    for chunk in ids.chunks(500) {
        decide_chunk(&mut tx, state, who, import, decision, chunk).await?;
    }
    let note = Note::of(import).after(json!({ "people": count, "accounts": ids }));
    who.note(&mut tx, now, decision.action(), Some(customer), note).await?;
    let event = live::Event::of(tx.msp(), Topic::Customer).customer(customer);
    tx.tell(event);
    Ok(tx.commit().await?)
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
    let mut of_account: HashMap<AccountId, Vec<Membership>> = HashMap::new();
    for membership in memberships::list_of_accounts(tx, ids).await? {
        of_account.entry(membership.account_id).or_default().push(membership);
    }
    let mut changed = Vec::with_capacity(ids.len());
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
        accounts::set_leaving(tx, Leaving { id: *id, state: after, in_snapshot }, now).await?;
        lines.push(NewLine {
            id: HistoryId::from(mint_numbered(now, number, state.entropy.bytes())),
            account: *id,
            import: Some(import.uuid()),
            change: decision.change(),
            before: None,
            after: None,
            evidence: decided.evidence.as_ref().map(serde_json::value::to_raw_value).transpose().map_err(rollcall_store::StoreError::from)?,
        });
        changed.push(decided);
    }
    memberships::upsert(tx, &changed).await?;
    history::insert(tx, &lines, By { run: None, actor: Some(&who.actor.name) }, now).await?;
    Ok(())
}
