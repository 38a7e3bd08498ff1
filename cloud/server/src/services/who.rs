//! Who asks, what they may, and why an act is refused.

use chrono::{DateTime, Utc};
use rollcall_domain::{
    ids::CustomerId,
    role::{Act, Role},
};
use rollcall_store::{
    CustomerScope, MspScope, StoreError, Tx, WriteTx,
    audit::{self, Actor, Entry},
    customers::{self, Customer},
};
use serde_json::Value;

/// A signed-in operator or an API key, from the moment its secret was checked.
#[derive(Debug, Clone)]
pub struct Who {
    pub scope: MspScope,
    pub role: Role,
    pub actor: Actor,
}

/// Why an act is not done. Portal and API turn it into a page or a problem.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// Does not exist, or is out of this operator's reach.
    #[error("not found")]
    NotFound,
    #[error("needs the role {needed}")]
    Forbidden { needed: Role },
    /// `field` names the input as portal and API call it.
    #[error("{field}: {message}")]
    Invalid { field: &'static str, message: String },
    /// Somebody else changed it since it was read.
    #[error("changed meanwhile")]
    ChangedMeanwhile,
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Something that cannot fail did; the log has more.
    #[error("internal: {0}")]
    Internal(&'static str),
}

impl ServiceError {
    pub fn invalid(field: &'static str, why: impl ToString) -> Self {
        Self::Invalid { field, message: why.to_string() }
    }
}

impl Who {
    pub fn may(&self, act: Act) -> Result<(), ServiceError> {
        if self.role.may(act) { Ok(()) } else { Err(ServiceError::Forbidden { needed: Role::needed_for(act) }) }
    }

    /// The customer, if it exists within reach.
    pub async fn customer(&self, tx: &mut Tx, id: CustomerId) -> Result<(CustomerScope, Customer), ServiceError> {
        customers::find(tx, &self.scope, id).await?.ok_or(ServiceError::NotFound)
    }

    /// One line in the audit log, in the transaction of the act.
    pub fn note(
        &self,
        tx: &mut WriteTx,
        at: DateTime<Utc>,
        action: &'static str,
        customer: Option<CustomerId>,
        note: Note,
    ) {
        let Note { object, before, after } = note;
        let entry = Entry { at, actor: &self.actor, action, customer, object, before, after };
        audit::append(tx, entry);
    }
}

/// What an audit line says of the object.
#[derive(Debug, Default)]
pub struct Note {
    pub object: Option<String>,
    pub before: Option<Value>,
    pub after: Option<Value>,
}

impl Note {
    pub fn of(object: impl ToString) -> Self {
        Self { object: Some(object.to_string()), ..Self::default() }
    }

    pub fn before(self, before: Value) -> Self {
        Self { before: Some(before), ..self }
    }

    pub fn after(self, after: Value) -> Self {
        Self { after: Some(after), ..self }
    }
}
