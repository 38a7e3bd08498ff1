//! Customers: adding one.

use rollcall_domain::{
    customer::{CustomerName, Slug},
    ids::CustomerId,
    role::{Act, Reach},
};
use rollcall_store::{
    customers,
    live::{Event, Topic},
};
use serde_json::json;

use super::who::{Note, ServiceError, Who};
use crate::state::AppState;

/// A customer that was just added.
#[derive(Debug, Clone)]
pub struct Created {
    pub id: CustomerId,
    pub slug: Slug,
}

pub async fn create(state: &AppState, who: &Who, name: &str) -> Result<Created, ServiceError> {
    who.may(Act::CreateCustomer)?;
    if who.scope.reach() != &Reach::All {
        // An operator of chosen customers could not even see the new one.
        return Err(ServiceError::Forbidden { needed: rollcall_domain::role::Role::Admin });
    }
    let name: CustomerName = name.parse().map_err(|error| ServiceError::invalid("name", error))?;
    let now = state.now();
    let id = state.mint(CustomerId::mint);
    let mut tx = state.db.write(&who.scope).await?;
    let slug = customers::find_free_slug(&mut tx, &who.scope, &name.slug()).await?;
    customers::insert(&mut tx, &who.scope, id, &name, &slug, now).await?;
    who.note(&mut tx, now, "customer.create", Some(id), Note::of(id).after(json!({ "name": name.as_str() })));
    let event = Event::of(tx.msp(), Topic::Customer).customer(id);
    tx.tell(event);
    tx.commit().await?;
    Ok(Created { id, slug })
}
