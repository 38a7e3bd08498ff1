//! The log says what was done, and cannot be made to say something else.

use rollcall_store::{
    Db, MspScope,
    audit::{self, Actor, ChainState, Entry},
    testing::TestDb,
};

use crate::cast::{at, msp};

async fn act(db: &Db, msp: &MspScope, action: &'static str) {
    let mut tx = db.write(msp).await.unwrap();
    let actor = Actor::system();
    let after = Some(serde_json::json!({ "name": "Müller & Söhne", "count": 3 }));
    let entry = Entry { at: at(1), actor: &actor, action, customer: None, object: None, before: None, after };
    audit::append(&mut tx, entry);
    tx.commit().await.unwrap();
}

pub async fn every_line_hangs_on_the_one_before(test: TestDb) {
    let db = &test.db;
    let msp = msp(db, 1).await;
    let mut tx = db.read(&msp).await.unwrap();
    assert_eq!(audit::verify(&mut tx, &msp).await.unwrap(), ChainState::Whole { lines: 0 });
    drop(tx);

    // Twenty at once: each finds its own place.
    let acts = (0..20).map(|_| act(db, &msp, "customer.create"));
    futures_lite::join_all(acts).await;

    let mut tx = db.read(&msp).await.unwrap();
    assert_eq!(audit::verify(&mut tx, &msp).await.unwrap(), ChainState::Whole { lines: 20 });
    let newest = audit::list(&mut tx, &msp, None, 5).await.unwrap();
    assert_eq!(newest.iter().map(|line| line.seq).collect::<Vec<_>>(), [20, 19, 18, 17, 16]);
}

pub async fn the_log_cannot_be_rewritten(test: TestDb) {
    let db = &test.db;
    let msp = msp(db, 1).await;
    act(db, &msp, "customer.create").await;
    for statement in ["update audit set actor = 'nobody' where seq = 1", "delete from audit where seq = 1"] {
        assert!(test.run_sql(&msp, statement).await.is_err(), "{statement}");
    }
    let mut tx = db.read(&msp).await.unwrap();
    assert_eq!(audit::verify(&mut tx, &msp).await.unwrap(), ChainState::Whole { lines: 1 });
}

mod futures_lite {
    /// All at once, each in its own task's place.
    pub async fn join_all(works: impl Iterator<Item = impl Future<Output = ()>>) {
        let mut works: Vec<_> = works.map(Box::pin).collect();
        std::future::poll_fn(|context| {
            works.retain_mut(|work| work.as_mut().poll(context).is_pending());
            if works.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
        })
        .await;
    }
}
