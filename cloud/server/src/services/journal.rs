//! Writes the audit line of an act, in the transaction of the act itself.

use chrono::{DateTime, Utc};
use rollcall_domain::ids::CustomerId;
use rollcall_store::{StoreError, WriteTx, audit};
use serde_json::Value;

use super::caller::Caller;

/// An audit line under construction.
#[derive(Debug)]
pub struct Journal<'a> {
    caller: &'a Caller,
    action: &'static str,
    customer: Option<CustomerId>,
    object: Option<String>,
    before: Option<Value>,
    after: Option<Value>,
}

impl<'a> Journal<'a> {
    pub const fn of(caller: &'a Caller, action: &'static str) -> Self {
        Self { caller, action, customer: None, object: None, before: None, after: None }
    }

    pub fn customer(self, id: CustomerId) -> Self {
        Self { customer: Some(id), ..self }
    }

    pub fn object(self, id: impl ToString) -> Self {
        Self { object: Some(id.to_string()), ..self }
    }

    pub fn before(self, value: Value) -> Self {
        Self { before: Some(value), ..self }
    }

    pub fn after(self, value: Value) -> Self {
        Self { after: Some(value), ..self }
    }

    pub async fn write(self, tx: &mut WriteTx, at: DateTime<Utc>) -> Result<(), StoreError> {
        let Self { caller, action, customer, object, before, after } = self;
        audit::append(tx, audit::Entry { at, actor: &caller.actor, action, customer, object, before, after }).await
    }
}
