//! A caller that goes away leaves nothing behind (sqlx 0.9.0 forgets a begin that was dropped half-way).

use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use rollcall_domain::customer::CustomerName;
use rollcall_store::{Db, MspScope, customers, db::PoolSize, testing::TestDb};
use uuid::Uuid;

use crate::cast::{at, msp};

/// Polls at most `polls` times, letting everything else run for `turns` between, and then drops the future.
async fn drop_after(polls: usize, turns: usize, work: impl Future<Output = ()>) -> bool {
    let mut work = pin!(work);
    for _ in 0..polls {
        if let Poll::Ready(()) = work.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return true;
        }
        for _ in 0..turns {
            tokio::task::yield_now().await;
        }
    }
    false
}

async fn add(db: &Db, msp: &MspScope, number: u128) {
    let mut tx = db.write(msp).await.unwrap();
    let name: CustomerName = format!("Customer {number}").parse().unwrap();
    let id = Uuid::from_u128(number).into();
    customers::insert(&mut tx, msp, id, &name, &name.slug(), at(0)).await.unwrap();
    tx.commit().await.unwrap();
}

/// Whether the dropped connection comes back clean, within two seconds.
async fn comes_to_rest(test: &TestDb, msp: &MspScope) -> bool {
    for _ in 0..400 {
        if test.count_open_transactions(msp).await.unwrap() == 0 {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    false
}

pub async fn dropping_any_future_at_any_poll_leaves_a_clean_connection(test: TestDb) {
    let whole = msp(&test.db, 1).await;
    let other = msp(&test.db, 2).await;
    // One connection: whoever comes next gets the one that was left.
    let db = Db::open(&test.place, PoolSize(1)).await.unwrap();
    let mut number = 1000;
    for round in 0..400_usize {
        number += 1;
        let ended = drop_after(round % 20 + 1, round / 20, add(&db, &whole, number)).await;
        assert!(comes_to_rest(&test, &other).await, "round {round}: a connection stays inside a transaction");

        // The next borrower is of another tenant, and its work must stand.
        number += 1;
        add(&db, &other, number).await;
        let mut tx = db.read(&other).await.unwrap();
        assert!(customers::find(&mut tx, &other, Uuid::from_u128(number).into()).await.unwrap().is_some());
        assert!(customers::find(&mut tx, &other, Uuid::from_u128(number - 1).into()).await.unwrap().is_none());
        drop(tx);
        if ended {
            let mut tx = db.read(&whole).await.unwrap();
            let there = customers::find(&mut tx, &whole, Uuid::from_u128(number - 1).into()).await.unwrap();
            assert!(there.is_some(), "what was committed stays");
        }
    }
    db.close().await;
}
