//! How customers are named and listed.

use rollcall_store::{customers, testing::TestDb};

use crate::cast::{customer, msp};

pub async fn names_that_sound_alike_get_addresses_of_their_own(test: TestDb) {
    let db = &test.db;
    let msp = msp(db, 1).await;
    for number in 1..=3 {
        customer(db, &msp, number, "Contoso GmbH").await;
    }
    let mut tx = db.read(&msp).await.unwrap();
    for slug in ["contoso-gmbh", "contoso-gmbh-2", "contoso-gmbh-3"] {
        assert!(customers::find_by_slug(&mut tx, &msp, slug).await.unwrap().is_some(), "{slug}");
    }
}

pub async fn the_list_is_paged_by_name_and_searched_literally(test: TestDb) {
    let db = &test.db;
    let msp = msp(db, 1).await;
    for (number, name) in [(1, "Delta"), (2, "Alpha 100%"), (3, "Charlie"), (4, "Bravo_x")] {
        customer(db, &msp, number, name).await;
    }
    let mut tx = db.read(&msp).await.unwrap();
    let first = customers::Page { limit: 2, ..customers::Page::default() };
    let rows = customers::list(&mut tx, &msp, &first).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.customer.name.as_str()).collect::<Vec<_>>(), ["Alpha 100%", "Bravo_x"]);
    let last = &rows[1].customer;
    let second = customers::Page { after: Some((last.name.clone(), last.id)), ..first };
    let rows = customers::list(&mut tx, &msp, &second).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.customer.name.as_str()).collect::<Vec<_>>(), ["Charlie", "Delta"]);

    for (search, found) in [("0%", 1), ("%", 1), ("_", 1), ("LPH", 1), ("\\", 0), ("a", 4)] {
        let page = customers::Page { search: search.into(), limit: 10, ..customers::Page::default() };
        assert_eq!(customers::list(&mut tx, &msp, &page).await.unwrap().len(), found, "{search}");
    }
}

/// What is read together belongs together: a list and its count, instructions and their number.
pub async fn a_reader_sees_one_moment(test: TestDb) {
    let db = &test.db;
    let msp = msp(db, 1).await;
    customer(db, &msp, 1, "Contoso GmbH").await;
    let mut tx = db.read(&msp).await.unwrap();
    assert_eq!(customers::count(&mut tx, &msp).await.unwrap(), 1);

    customer(db, &msp, 2, "Fabrikam GmbH").await;

    assert_eq!(customers::count(&mut tx, &msp).await.unwrap(), 1, "as when it began");
    drop(tx);
    let mut tx = db.read(&msp).await.unwrap();
    assert_eq!(customers::count(&mut tx, &msp).await.unwrap(), 2);
}
