//! API keys: made for a script, shown once, revoked by hand or by time.

use chrono::{DateTime, TimeDelta, Utc};
use rollcall_domain::{
    ids::{ApiKeyId, CustomerId},
    role::{Act, Reach, Role},
};
use rollcall_store::{api_keys, customers};
use serde_json::json;

use super::{
    sign_in::Fresh,
    who::{Note, ServiceError, Who},
};
use crate::state::AppState;

/// What a new key is to be.
#[derive(Debug, Clone)]
pub struct KeyWish {
    pub name: String,
    pub role: Role,
    pub customer: Option<CustomerId>,
    pub lifetime: Option<TimeDelta>,
}

/// A key that was made just now; it is shown once.
#[derive(Debug)]
pub struct Made {
    pub id: ApiKeyId,
    pub key: String,
    pub expires_at: Option<DateTime<Utc>>,
}

/// A key may do no more than who makes it.
pub async fn create(state: &AppState, who: &Who, wish: KeyWish) -> Result<Made, ServiceError> {
    who.may(Act::ManageApiKeys)?;
    let name = wish.name.trim();
    if name.is_empty() || name.chars().count() > 80 {
        return Err(ServiceError::invalid("name", "A name has 1 to 80 characters."));
    }
    if wish.role == Role::Owner || (wish.role == Role::Admin && !matches!(who.role, Role::Owner | Role::Admin)) {
        return Err(ServiceError::invalid("role", "A key may not have this role."));
    }
    if wish.customer.is_none() && who.scope.reach() != &Reach::All {
        return Err(ServiceError::invalid("customer", "Choose one of your customers."));
    }
    let now = state.now();
    let fresh = Fresh::make(state, "rck_");
    let id = state.mint(ApiKeyId::mint);
    let expires_at = wish.lifetime.map(|lifetime| now + lifetime);
    let mut tx = state.db.write(&who.scope).await?;
    if let Some(customer) = wish.customer
        && customers::find(&mut tx, &who.scope, customer).await?.is_none()
    {
        return Err(ServiceError::invalid("customer", "There is no such customer."));
    }
    let row = api_keys::NewKey {
        id,
        hash: fresh.hash,
        name,
        prefix: &fresh.secret[..8],
        role: wish.role,
        customer: wish.customer,
        created_by: &who.actor.name,
        created_at: now,
        expires_at,
    };
    api_keys::insert(&mut tx, &who.scope, row).await?;
    let after = json!({"name": name, "role": wish.role, "customer": wish.customer, "expires_at": expires_at});
    who.note(&mut tx, now, "api_key.create", None, Note::of(id).after(after));
    tx.commit().await?;
    Ok(Made { id, key: fresh.secret, expires_at })
}

pub async fn revoke(state: &AppState, who: &Who, id: ApiKeyId) -> Result<(), ServiceError> {
    who.may(Act::ManageApiKeys)?;
    let now = state.now();
    let mut tx = state.db.write(&who.scope).await?;
    if !api_keys::revoke(&mut tx, &who.scope, id, now).await? {
        return Err(ServiceError::NotFound);
    }
    who.note(&mut tx, now, "api_key.revoke", None, Note::of(id));
    tx.commit().await?;
    Ok(())
}
