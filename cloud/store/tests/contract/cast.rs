//! The people and customers that the promises are told with.

use chrono::{DateTime, Utc};
use rollcall_domain::ids::{CustomerId, MspId};
use rollcall_store::{CustomerScope, Db, MspScope, customers, msps, testing::TestDb};
use uuid::Uuid;

pub async fn sqlite() -> TestDb {
    TestDb::sqlite().await.unwrap()
}

pub async fn postgres(url: &str) -> TestDb {
    TestDb::postgres(url).await.unwrap()
}

pub fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
}

pub async fn msp(db: &Db, number: u128) -> MspScope {
    let (scope, tx) =
        msps::found(db, MspId::from(Uuid::from_u128(number)), &format!("MSP {number}"), at(0)).await.unwrap();
    tx.commit().await.unwrap();
    scope
}

pub async fn customer(db: &Db, msp: &MspScope, number: u128, name: &str) -> CustomerScope {
    let mut tx = db.write(msp).await.unwrap();
    let name = name.parse::<rollcall_domain::customer::CustomerName>().unwrap();
    let slug = customers::find_free_slug(&mut tx, msp, &name.slug()).await.unwrap();
    let id = CustomerId::from(Uuid::from_u128(number));
    let scope = customers::insert(&mut tx, msp, id, &name, &slug, at(0)).await.unwrap();
    tx.commit().await.unwrap();
    scope
}
