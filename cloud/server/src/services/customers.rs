//! Customers: adding one, pausing and resuming it, and asking its agents to read at once.

use chrono::{DateTime, Utc};
use rollcall_domain::{
    agent::AgentState,
    customer::CustomerName,
    ids::CustomerId,
    pause::Pause,
    role::{Act, Reach, Role},
};
use rollcall_protocol::{catalogue, desired::Order};
use rollcall_store::{
    AgentScope, CustomerScope, Scope as _, StoreError, WriteTx,
    agents, commands,
    customers::{self, Customer},
    live::{Event, Topic},
};
use serde_json::json;

use super::{caller::Caller, journal::Journal, refusal::Refusal};
use crate::state::AppState;

/// The customer behind an id, if the caller reaches it.
pub async fn find(state: &AppState, caller: &Caller, id: CustomerId) -> Result<(CustomerScope, Customer), Refusal> {
    caller.may(Act::ViewCustomers)?;
    let mut tx = state.db.read(&caller.scope).await?;
    customers::find(&mut tx, &caller.scope, id).await?.ok_or(Refusal::NotFound)
}

pub async fn find_by_slug(state: &AppState, caller: &Caller, slug: &str) -> Result<(CustomerScope, Customer), Refusal> {
    caller.may(Act::ViewCustomers)?;
    let mut tx = state.db.read(&caller.scope).await?;
    customers::find_by_slug(&mut tx, &caller.scope, slug).await?.ok_or(Refusal::NotFound)
}

/// Only who reaches all customers may add one: nobody else would reach the new one.
pub async fn create(state: &AppState, caller: &Caller, name: &str) -> Result<Customer, Refusal> {
    caller.may(Act::CreateCustomer)?;
    if *caller.scope.reach() != Reach::All {
        return Err(Refusal::Forbidden { needed: Role::Admin });
    }
    let name: CustomerName =
        name.parse().map_err(|error: rollcall_domain::customer::NameError| Refusal::invalid("name", error.to_string()))?;
    match insert(state, caller, &name).await {
        // Somebody took the same word for the address in the same moment; the next one is free.
        Err(Refusal::Store(StoreError::Taken)) => insert(state, caller, &name).await,
        other => other,
    }
}

async fn insert(state: &AppState, caller: &Caller, name: &CustomerName) -> Result<Customer, Refusal> {
    let now = state.now();
    let id = state.mint(CustomerId::mint);
    let mut tx = state.db.write(&caller.scope).await?;
    let slug = customers::find_free_slug(&mut tx, &caller.scope, &name.slug()).await?;
    let scope = customers::insert(&mut tx, &caller.scope, id, name, &slug, now).await?;
    let line = Journal::of(caller, "customer.create").customer(id).after(json!({"name": name.as_str(), "slug": slug.as_str()}));
    line.write(&mut tx, now).await?;
    tell(&mut tx, scope);
    let customer = customers::get(&mut tx, &scope).await?;
    tx.commit().await?;
    Ok(customer)
}

/// A pause as a person asks for it.
#[derive(Debug, Clone)]
pub struct PauseWish {
    pub reason: String,
    pub until: Option<DateTime<Utc>>,
}

impl PauseWish {
    pub fn check(self, caller: &Caller, now: DateTime<Utc>) -> Result<Pause, Refusal> {
        let reason = self.reason.trim().to_owned();
        if reason.is_empty() || reason.chars().count() > 200 {
            return Err(Refusal::invalid("reason", "Give a reason of 1 to 200 characters."));
        }
        if self.until.is_some_and(|until| until <= now) {
            return Err(Refusal::invalid("until", "The end must lie in the future."));
        }
        Ok(Pause { at: now, until: self.until, reason, by: caller.actor.name.clone() })
    }
}

pub async fn pause(state: &AppState, caller: &Caller, scope: CustomerScope, wish: PauseWish) -> Result<(), Refusal> {
    caller.may(Act::Pause)?;
    let now = state.now();
    let pause = wish.check(caller, now)?;
    set_pause(state, caller, scope, Some(&pause), "customer.pause").await
}

pub async fn resume(state: &AppState, caller: &Caller, scope: CustomerScope) -> Result<(), Refusal> {
    caller.may(Act::Pause)?;
    set_pause(state, caller, scope, None, "customer.resume").await
}

async fn set_pause(
    state: &AppState,
    caller: &Caller,
    scope: CustomerScope,
    pause: Option<&Pause>,
    action: &'static str,
) -> Result<(), Refusal> {
    let mut tx = state.db.write(&scope).await?;
    let before = customers::get(&mut tx, &scope).await?.pause.set();
    customers::set_pause(&mut tx, &scope, pause).await?;
    agents::renew_desired_of_customer(&mut tx, &scope).await?;
    let line = Journal::of(caller, action).customer(scope.customer()).before(json!(before)).after(json!(pause));
    line.write(&mut tx, state.now()).await?;
    tell(&mut tx, scope);
    tx.commit().await?;
    Ok(())
}

/// Asks every reading agent of the customer to read now; it hears it within about a second.
pub async fn sync_now(state: &AppState, caller: &Caller, scope: CustomerScope) -> Result<(), Refusal> {
    caller.may(Act::SyncNow)?;
    order(state, caller, scope, &Order::SyncNow, "customer.sync_now").await
}

/// Asks for the OUs and groups anew.
pub async fn refresh_structure(state: &AppState, caller: &Caller, scope: CustomerScope) -> Result<(), Refusal> {
    caller.may(Act::EditImport)?;
    order(state, caller, scope, &Order::RefreshStructure, "customer.refresh_structure").await
}

async fn order(
    state: &AppState,
    caller: &Caller,
    scope: CustomerScope,
    order: &Order,
    action: &'static str,
) -> Result<(), Refusal> {
    let now = state.now();
    let mut tx = state.db.write(&scope).await?;
    let customer = customers::get(&mut tx, &scope).await?;
    if customer.pause.set().is_some_and(|pause| pause.holds(now)) {
        return Err(Refusal::Conflict(&catalogue::PAUSED));
    }
    let readers = list_readers(&mut tx, caller, scope).await?;
    if readers.is_empty() {
        return Err(Refusal::Conflict(&catalogue::NO_AGENT));
    }
    for reader in readers {
        give(&mut tx, state, caller, reader, order).await?;
    }
    Journal::of(caller, action).customer(scope.customer()).write(&mut tx, now).await?;
    tx.commit().await?;
    Ok(())
}

async fn list_readers(tx: &mut WriteTx, caller: &Caller, scope: CustomerScope) -> Result<Vec<AgentScope>, StoreError> {
    let mut readers = Vec::new();
    for agent in agents::list(tx, &scope).await?.into_iter().filter(|agent| agent.state == AgentState::Active) {
        readers.extend(agents::find(tx, &caller.scope, agent.id).await?.map(|(scope, _)| scope));
    }
    Ok(readers)
}

/// An order that the agent has not carried out yet is not given twice.
async fn give(
    tx: &mut WriteTx,
    state: &AppState,
    caller: &Caller,
    agent: AgentScope,
    order: &Order,
) -> Result<(), StoreError> {
    let payload = serde_json::to_value(order)?;
    let open = commands::list_open(tx, agent.agent()).await?;
    if !open.iter().any(|command| command.payload.0 == payload) {
        let command = commands::NewCommand {
            id: state.mint(rollcall_domain::ids::CommandId::mint),
            kind: order_kind(order),
            payload,
            created_by: &caller.actor.name,
            created_at: state.now(),
        };
        commands::insert(tx, agent.agent(), command).await?;
    }
    agents::renew_desired(tx, &agent).await
}

const fn order_kind(order: &Order) -> &'static str {
    match order {
        Order::SyncNow => "sync_now",
        Order::RefreshStructure => "refresh_structure",
        Order::FullSnapshot => "full_snapshot",
        Order::Confirm { .. } => "confirm",
    }
}

pub(super) fn tell(tx: &mut WriteTx, scope: CustomerScope) {
    let event = Event::of(scope.msp(), Topic::Customer).customer(scope.customer());
    tx.tell(event);
}

