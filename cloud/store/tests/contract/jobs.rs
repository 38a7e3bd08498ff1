//! Who gets which job, and who may say that it is done.

use chrono::TimeDelta;
use rollcall_domain::{
    ids::{JobId, MspId},
    job::{Counterpart, JobKind},
};
use rollcall_store::{
    Db, MspScope, Scope as _, StoreError,
    jobs::{self, Claimed, NewJob},
    testing::TestDb,
    work,
};
use uuid::Uuid;

use crate::cast::{at, msp};

const LEASE: TimeDelta = TimeDelta::seconds(60);

async fn enqueue(db: &Db, msp: &MspScope, number: u128, lane: u128) {
    let mut tx = db.write(msp).await.unwrap();
    let job = NewJob {
        id: JobId::from(Uuid::from_u128(number)),
        kind: JobKind::ApplyCycle,
        lane: Uuid::from_u128(lane),
        payload: serde_json::json!({}),
        due_at: at(0),
    };
    jobs::enqueue(&mut tx, job).await.unwrap();
    tx.commit().await.unwrap();
}

async fn claim(db: &Db, last: MspId, seconds: i64) -> Option<Claimed> {
    let tenant = jobs::find_next_tenant(db, Counterpart::Database, last, at(seconds)).await.unwrap()?;
    jobs::claim(db, tenant, Counterpart::Database, at(seconds), LEASE).await.unwrap()
}

fn number(claimed: &Claimed) -> u128 {
    claimed.scope.job().uuid().as_u128()
}

async fn finish(db: &Db, claimed: &Claimed) -> Result<(), StoreError> {
    let mut tx = db.write(&claimed.scope).await?;
    jobs::finish(&mut tx, &claimed.scope).await?;
    tx.commit().await
}

pub async fn a_lane_runs_in_order_and_lanes_run_side_by_side(test: TestDb) {
    let db = &test.db;
    let msp = msp(db, 1).await;
    for (job, lane) in [(1, 7), (2, 7), (3, 8)] {
        enqueue(db, &msp, job, lane).await;
    }
    let first = claim(db, msp.msp(), 1).await.unwrap();
    let second = claim(db, msp.msp(), 1).await.unwrap();
    assert_eq!((number(&first), number(&second)), (1, 3));
    assert!(claim(db, msp.msp(), 1).await.is_none(), "job 2 waits for job 1");

    finish(db, &first).await.unwrap();
    assert_eq!(number(&claim(db, msp.msp(), 1).await.unwrap()), 2);
}

pub async fn a_worker_that_lost_its_lease_cannot_finish(test: TestDb) {
    let db = &test.db;
    let msp = msp(db, 1).await;
    enqueue(db, &msp, 1, 7).await;
    let slow = claim(db, msp.msp(), 1).await.unwrap();
    let quick = claim(db, msp.msp(), 62).await.unwrap();

    assert!(matches!(finish(db, &slow).await, Err(StoreError::WrongCount { expected: 1, found: 0 })));
    let mut tx = db.write(&slow.scope).await.unwrap();
    assert!(!jobs::renew(&mut tx, &slow.scope, at(200)).await.unwrap());
    drop(tx);
    finish(db, &quick).await.unwrap();
}

pub async fn tenants_take_turns(test: TestDb) {
    let db = &test.db;
    let (busy, quiet) = (msp(db, 1).await, msp(db, 2).await);
    for job in 1..=5 {
        enqueue(db, &busy, job, job).await;
    }
    enqueue(db, &quiet, 100, 7).await;

    let mut last = MspId::from(Uuid::nil());
    let mut order = Vec::new();
    while let Some(claimed) = claim(db, last, 1).await {
        last = claimed.scope.msp();
        order.push(number(&claimed));
        finish(db, &claimed).await.unwrap();
    }
    assert_eq!(order, [1, 100, 2, 3, 4, 5]);
}

pub async fn a_job_that_waits_for_its_next_try_blocks_its_lane_only(test: TestDb) {
    let db = &test.db;
    let msp = msp(db, 1).await;
    for (job, lane) in [(1, 7), (2, 7), (3, 8)] {
        enqueue(db, &msp, job, lane).await;
    }
    let failed = claim(db, msp.msp(), 1).await.unwrap();
    let mut tx = db.write(&failed.scope).await.unwrap();
    jobs::retry(&mut tx, &failed.scope, at(100), "the disk was full").await.unwrap();
    tx.commit().await.unwrap();

    let other_lane = claim(db, msp.msp(), 2).await.unwrap();
    assert_eq!(number(&other_lane), 3);
    assert!(claim(db, msp.msp(), 2).await.is_none());
    finish(db, &other_lane).await.unwrap();
    let again = claim(db, msp.msp(), 101).await.unwrap();
    assert_eq!((number(&again), again.attempts), (1, 2));
}

pub async fn a_buried_job_blocks_nothing_and_can_be_revived(test: TestDb) {
    let db = &test.db;
    let msp = msp(db, 1).await;
    for job in [1, 2] {
        enqueue(db, &msp, job, 7).await;
    }
    let failed = claim(db, msp.msp(), 1).await.unwrap();
    let mut tx = db.write(&failed.scope).await.unwrap();
    jobs::bury(&mut tx, &failed.scope, "unreadable").await.unwrap();
    tx.commit().await.unwrap();
    let next = claim(db, msp.msp(), 1).await.unwrap();
    assert_eq!(number(&next), 2);
    finish(db, &next).await.unwrap();

    let mut tx = db.write(&msp).await.unwrap();
    let dead = work::list_dead(&mut tx, 10).await.unwrap();
    assert_eq!(dead[0].last_error.as_deref(), Some("unreadable"));
    assert!(work::revive(&mut tx, dead[0].id, at(2)).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(number(&claim(db, msp.msp(), 3).await.unwrap()), 1);
}

pub async fn work_for_a_later_time_is_planned_and_does_not_wait(test: TestDb) {
    let db = &test.db;
    let msp = msp(db, 1).await;
    for (job, lane) in [(1, 7), (2, 8)] {
        enqueue(db, &msp, job, lane).await;
    }
    let mut tx = db.write(&msp).await.unwrap();
    jobs::enqueue(&mut tx, NewJob::drop_bundles(JobId::from(Uuid::from_u128(3)), at(900))).await.unwrap();
    tx.commit().await.unwrap();
    let first = claim(db, msp.msp(), 1).await.unwrap();

    let mut tx = db.read(&msp).await.unwrap();
    let standing = work::count(&mut tx, at(10)).await.unwrap();

    assert_eq!((standing.ready, standing.running, standing.dead), (1, 1, 0));
    assert_eq!((standing.planned, standing.next_planned), (1, Some(at(900))));
    assert_eq!(standing.oldest_due, Some(at(0)));
    drop(tx);
    finish(db, &first).await.unwrap();
    let mut tx = db.read(&msp).await.unwrap();
    assert_eq!(work::count(&mut tx, at(900)).await.unwrap().ready, 2, "its time has come");
}
