//! Tenants do not meet.

use rollcall_domain::{
    ids::{AgentId, CustomerId},
    rollout::{Delay, Window},
};
use rollcall_store::{
    AgentScope, CustomerScope, Db, MspScope, StoreError, agents,
    bundles::{self, NewBundle},
    customers,
    testing::TestDb,
    updates::{asked, delay, pins, rollouts, window},
};
use uuid::Uuid;

use crate::cast::{at, customer, msp};

pub async fn one_tenant_never_sees_anothers_customers(test: TestDb) {
    let db = &test.db;
    let (ours, theirs) = (msp(db, 1).await, msp(db, 2).await);
    customer(db, &theirs, 20, "Fabrikam").await;

    let mut tx = db.read(&ours).await.unwrap();
    let id = CustomerId::from(Uuid::from_u128(20));
    assert!(customers::find(&mut tx, &ours, id).await.unwrap().is_none());
    assert!(customers::find_by_slug(&mut tx, &ours, "fabrikam").await.unwrap().is_none());
    let page = customers::Page { limit: 10, ..customers::Page::default() };
    assert_eq!(customers::list(&mut tx, &ours, &page).await.unwrap().len(), 0);
    // Even with the other's scope in hand, a transaction shows its own tenant only.
    assert!(customers::find(&mut tx, &theirs, id).await.unwrap().is_none());
}

pub async fn a_chosen_reach_hides_other_customers(test: TestDb) {
    let db = &test.db;
    let msp = msp(db, 1).await;
    let seen = customer(db, &msp, 10, "Contoso").await;
    customer(db, &msp, 11, "Fabrikam").await;

    let narrow = msp.narrowed(&[seen.customer()]);
    let mut tx = db.read(&narrow).await.unwrap();
    let page = customers::Page { limit: 10, ..customers::Page::default() };
    let names: Vec<String> =
        customers::list(&mut tx, &narrow, &page).await.unwrap().into_iter().map(|row| row.customer.name).collect();
    assert_eq!(names, ["Contoso"]);
    assert!(customers::find(&mut tx, &narrow, CustomerId::from(Uuid::from_u128(11))).await.unwrap().is_none());
}

/// Also of tables that are yet to come.
pub async fn every_table_of_a_tenant_is_walled(test: TestDb) {
    let msp = msp(&test.db, 1).await;

    let unwalled = test.list_unwalled(&msp).await.unwrap();

    // They must be read before a tenant is known: docs/decisions/0007-four-tables-without-a-wall.md
    let by_decision: Vec<String> =
        unwalled.into_iter().filter(|table| !["jobs", "keyring"].contains(&table.as_str())).collect();
    assert_eq!(by_decision, Vec::<String>::new());
}

/// Bundles, rollouts, what became of an update, pins, the delay and the window belong to one tenant each.
pub async fn one_tenant_never_sees_anothers_bundles_or_updates(test: TestDb) {
    let db = &test.db;
    let (ours, theirs) = (msp(db, 1).await, msp(db, 2).await);
    let (our_customer, their_customer) =
        (customer(db, &ours, 10, "Contoso").await, customer(db, &theirs, 20, "Fabrikam").await);
    let their_agent = fill(db, &theirs, &their_customer).await;

    let mut tx = db.read(&ours).await.unwrap();
    assert!(rollouts::list(&mut tx).await.unwrap().is_empty());
    assert!(rollouts::find(&mut tx, "1.0.0", "x86_64-windows").await.unwrap().is_none());
    assert!(asked::find_of_agent(&mut tx, their_agent.agent()).await.unwrap().is_none());
    assert!(pins::find(&mut tx, &our_customer).await.unwrap().is_none());
    assert!(pins::list(&mut tx, &ours).await.unwrap().is_empty());
    assert_eq!(window::find(&mut tx).await.unwrap(), None);
    assert_eq!(delay::find(&mut tx).await.unwrap(), Delay::NONE);
    assert_eq!(bundles::count(&mut tx).await.unwrap(), 0);
    // Even with the other's scopes in hand, a transaction shows its own tenant only.
    assert!(bundles::list(&mut tx, &their_agent, at(1)).await.unwrap().is_empty());
    assert!(bundles::find_body(&mut tx, &their_agent, Uuid::from_u128(40).into(), at(1)).await.unwrap().is_none());
    drop(tx);
    let mut tx = db.read(&theirs).await.unwrap();
    assert_eq!(bundles::count(&mut tx).await.unwrap(), 1, "it is there for whom it belongs to");
    assert!(pins::find(&mut tx, &their_customer).await.unwrap().is_some());
}

/// One of each.
async fn fill(db: &Db, msp: &MspScope, customer: &CustomerScope) -> AgentScope {
    let mut tx = db.write(msp).await.unwrap();
    let id = AgentId::from(Uuid::from_u128(30));
    agents::insert(&mut tx, customer, new_agent(id)).await.unwrap();
    let (agent, _) = agents::find(&mut tx, msp, id).await.unwrap().unwrap();
    let bundle = NewBundle {
        id: Uuid::from_u128(40).into(),
        command: Uuid::from_u128(41).into(),
        sha256: [0; 32],
        jws: "",
        body: b"PK",
        received_at: at(0),
    };
    bundles::insert(&mut tx, &agent, bundle).await.unwrap();
    pins::pin(&mut tx, customer, "1.0.0", "Olga", at(0)).await.unwrap();
    asked::offer(&mut tx, &agent, "1.0.0", at(0)).await.unwrap();
    delay::set(&mut tx, msp, Delay::of_days(7).unwrap(), "Olga", at(0)).await.unwrap();
    window::set(&mut tx, msp, Window::of_minutes(60, 120).ok(), "Olga", at(0)).await.unwrap();
    tx.commit().await.unwrap();
    agent
}

fn new_agent(id: AgentId) -> agents::NewAgent<'static> {
    agents::NewAgent {
        id,
        hostname: "SRV1",
        os: "Windows",
        version: "0.1.0",
        facts: serde_json::Value::Null,
        epoch_start: [0; 32],
        enrolled_at: at(0),
    }
}

/// A foreign key that is led by the tenant has nobody to point at.
pub async fn rows_of_another_tenant_cannot_be_written(test: TestDb) {
    let db = &test.db;
    let (ours, theirs) = (msp(db, 1).await, msp(db, 2).await);
    let foreign = customer(db, &theirs, 20, "Fabrikam").await;

    let mut tx = db.write(&ours).await.unwrap();
    let agent = new_agent(AgentId::from(Uuid::from_u128(30)));
    let refused = agents::insert(&mut tx, &foreign, agent).await;
    assert!(matches!(refused, Err(StoreError::Database(_))), "{refused:?}");
}
