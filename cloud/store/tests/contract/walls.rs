//! Tenants do not meet.

use rollcall_domain::ids::CustomerId;
use rollcall_store::{StoreError, agents, customers, testing::TestDb};
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

/// A foreign key that is led by the tenant has nobody to point at.
pub async fn rows_of_another_tenant_cannot_be_written(test: TestDb) {
    let db = &test.db;
    let (ours, theirs) = (msp(db, 1).await, msp(db, 2).await);
    let foreign = customer(db, &theirs, 20, "Fabrikam").await;

    let mut tx = db.write(&ours).await.unwrap();
    let agent = agents::NewAgent {
        id: Uuid::from_u128(30).into(),
        hostname: "SRV1",
        os: "Windows",
        version: "0.1.0",
        facts: serde_json::Value::Null,
        epoch_start: [0; 32],
        enrolled_at: at(0),
    };
    let refused = agents::insert(&mut tx, &foreign, agent).await;
    assert!(matches!(refused, Err(StoreError::Database(_))), "{refused:?}");
}
