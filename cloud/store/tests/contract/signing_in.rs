//! How operators and scripts become known: sessions, one-time links, API keys, and the limit on attempts.

use chrono::{DateTime, TimeDelta, Utc};
use rollcall_domain::{
    ids::{ApiKeyId, OperatorId},
    role::{Reach, Role},
};
use rollcall_store::{
    Db, MspScope, api_keys,
    idempotency::{self, Known},
    keyring::SecretHash,
    login_attempts::{self, Gate},
    operators::{self, NewOperator},
    sessions::{self, NewSession},
    signin_links::{self, NewLink},
    testing::TestDb,
};
use uuid::Uuid;

use crate::cast::{at, customer, msp};

fn hash(text: &str) -> SecretHash {
    SecretHash::of(text.as_bytes())
}

async fn operator(db: &Db, msp: &MspScope, number: u128, email: &str, reach: &Reach) -> OperatorId {
    let id = OperatorId::from(Uuid::from_u128(number));
    let mut tx = db.write(msp).await.unwrap();
    let new = NewOperator { id, email, name: "Olga Owner", role: Role::Owner, reach, created_at: at(0) };
    operators::insert(&mut tx, msp, new).await.unwrap();
    tx.commit().await.unwrap();
    id
}

async fn sign_in(db: &Db, msp: &MspScope, operator: OperatorId, secret: &str, now: DateTime<Utc>) {
    let mut tx = db.write(msp).await.unwrap();
    let new = NewSession { hash: hash(secret), operator, ip: None, user_agent: None, now };
    sessions::insert(&mut tx, new).await.unwrap();
    tx.commit().await.unwrap();
}

pub async fn a_session_ends_by_idleness_and_at_last_by_age(test: TestDb) {
    let db = &test.db;
    let msp = msp(db, 1).await;
    let olga = operator(db, &msp, 10, "olga@northwind.example", &Reach::All).await;
    sign_in(db, &msp, olga, "idle", at(0)).await;
    sign_in(db, &msp, olga, "busy", at(0)).await;

    let mut now = at(0);
    while now < at(0) + sessions::LONGEST - TimeDelta::hours(6) {
        now += TimeDelta::hours(6);
        look_until_noted(db, &msp, olga, now).await;
    }

    assert!(sessions::find(db, hash("idle"), at(0) + TimeDelta::hours(13)).await.unwrap().is_none());
    assert!(
        sessions::find(db, hash("busy"), at(0) + sessions::LONGEST + TimeDelta::seconds(1)).await.unwrap().is_none()
    );
    assert!(sessions::find(db, hash("never"), at(0)).await.unwrap().is_none());
}

/// A look that finds the database busy leaves the note to the next one.
async fn look_until_noted(db: &Db, msp: &MspScope, olga: OperatorId, now: DateTime<Utc>) {
    for _ in 0..1_000 {
        assert!(sessions::find(db, hash("busy"), now).await.unwrap().is_some(), "{now}");
        let mut tx = db.read(msp).await.unwrap();
        let held = sessions::list(&mut tx, olga, at(0)).await.unwrap();
        if held.iter().any(|session| session.seen_at == now) {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    panic!("nobody noted that the session was used at {now}");
}

pub async fn a_disabled_operator_is_out_at_once(test: TestDb) {
    let db = &test.db;
    let msp = msp(db, 1).await;
    let olga = operator(db, &msp, 10, "Olga@Northwind.example ", &Reach::All).await;
    sign_in(db, &msp, olga, "secret", at(0)).await;
    assert_eq!(
        operators::list_claimed(db, operators::signin_name("olga@northwind.EXAMPLE"), at(1)).await.unwrap().len(),
        1
    );

    let mut tx = db.write(&msp).await.unwrap();
    assert!(operators::disable(&mut tx, &msp, olga, at(1)).await.unwrap());
    tx.commit().await.unwrap();

    assert!(sessions::find(db, hash("secret"), at(2)).await.unwrap().is_none());
    assert!(
        operators::list_claimed(db, operators::signin_name("olga@northwind.example"), at(2)).await.unwrap().is_empty()
    );
}

pub async fn one_name_may_serve_two_tenants_and_each_keeps_its_own(test: TestDb) {
    let db = &test.db;
    let (ours, theirs) = (msp(db, 1).await, msp(db, 2).await);
    operator(db, &ours, 10, "olga@northwind.example", &Reach::All).await;
    let there = operator(db, &theirs, 11, "olga@northwind.example", &Reach::All).await;
    sign_in(db, &theirs, there, "secret", at(0)).await;

    let claimed = operators::list_claimed(db, operators::signin_name("olga@northwind.example"), at(1)).await.unwrap();
    let (known, _) = sessions::find(db, hash("secret"), at(1)).await.unwrap().unwrap();

    assert_eq!(claimed.len(), 2);
    assert_eq!(known.scope, theirs);
}

pub async fn an_operator_reaches_the_chosen_customers_only(test: TestDb) {
    let db = &test.db;
    let msp = msp(db, 1).await;
    let chosen = customer(db, &msp, 100, "Contoso").await.customer();
    let olga = operator(db, &msp, 10, "olga@northwind.example", &Reach::Chosen(vec![chosen])).await;
    sign_in(db, &msp, olga, "secret", at(0)).await;

    let (known, _) = sessions::find(db, hash("secret"), at(1)).await.unwrap().unwrap();

    assert_eq!(known.scope.reach(), &Reach::Chosen(vec![chosen]));
}

pub async fn a_link_works_once_and_the_newest_only(test: TestDb) {
    let db = &test.db;
    let msp = msp(db, 1).await;
    let olga = operator(db, &msp, 10, "olga@northwind.example", &Reach::All).await;
    for link in ["first", "second"] {
        let mut tx = db.write(&msp).await.unwrap();
        let new = NewLink { hash: hash(link), operator: olga, created_at: at(0), expires_at: at(100) };
        signin_links::insert(&mut tx, &msp, new).await.unwrap();
        tx.commit().await.unwrap();
    }

    assert!(signin_links::find(db, hash("first"), at(1)).await.unwrap().is_none());
    assert!(signin_links::find(db, hash("second"), at(101)).await.unwrap().is_none());
    assert!(signin_links::find(db, hash("second"), at(1)).await.unwrap().is_some());
    for is_granted in [true, false] {
        let mut tx = db.write(&msp).await.unwrap();
        assert_eq!(signin_links::use_up(&mut tx, hash("second"), at(2)).await.unwrap(), is_granted);
        tx.commit().await.unwrap();
    }
    assert!(signin_links::find(db, hash("second"), at(3)).await.unwrap().is_none());
}

pub async fn a_key_opens_its_own_customer_until_it_is_revoked(test: TestDb) {
    let db = &test.db;
    let msp = msp(db, 1).await;
    let contoso = customer(db, &msp, 100, "Contoso").await.customer();
    let id = ApiKeyId::from(Uuid::from_u128(7));
    let mut tx = db.write(&msp).await.unwrap();
    let new = api_keys::NewKey {
        id,
        hash: hash("rck_x"),
        name: "script",
        prefix: "rck_x",
        role: Role::Engineer,
        customer: Some(contoso),
        created_by: "Olga",
        created_at: at(0),
        expires_at: Some(at(1_000)),
    };
    api_keys::insert(&mut tx, &msp, new).await.unwrap();
    tx.commit().await.unwrap();

    let holder = api_keys::find_holder(db, hash("rck_x"), at(1)).await.unwrap().unwrap();
    assert_eq!((holder.key.role, holder.scope.reach()), (Role::Engineer, &Reach::Chosen(vec![contoso])));
    assert!(api_keys::find_holder(db, hash("rck_x"), at(1_001)).await.unwrap().is_none());

    let mut tx = db.write(&msp).await.unwrap();
    assert!(api_keys::revoke(&mut tx, &msp, id, at(2)).await.unwrap());
    tx.commit().await.unwrap();
    assert!(api_keys::find_holder(db, hash("rck_x"), at(3)).await.unwrap().is_none());
}

/// All at once, as from several instances: no more places are given than there are.
pub async fn attempts_are_limited_however_many_come_at_once(test: TestDb) {
    let name = hash("olga");
    let tries = (0..60).map(|_| {
        let db = test.db.clone();
        tokio::spawn(async move { login_attempts::take_place(&db, name, 20, at(0)).await.unwrap() })
    });
    let mut open = 0;
    for attempt in tries.collect::<Vec<_>>() {
        open += usize::from(attempt.await.unwrap() == Gate::Open);
    }
    assert_eq!(open, 20);

    assert_eq!(login_attempts::take_place(&test.db, hash("ben"), 20, at(0)).await.unwrap(), Gate::Open);
    assert_eq!(login_attempts::take_place(&test.db, name, 20, at(3_600)).await.unwrap(), Gate::Open);
    login_attempts::forget(&test.db, name, at(0)).await.unwrap();
    assert_eq!(login_attempts::take_place(&test.db, name, 20, at(0)).await.unwrap(), Gate::Open);
}

/// A stranger who tries ever new names fills nothing: what is over goes when the next place is taken.
pub async fn attempts_that_are_over_are_not_kept(test: TestDb) {
    let msp = msp(&test.db, 1).await;
    for second in 0..5 {
        login_attempts::take_place(&test.db, hash(&format!("name {second}")), 20, at(second)).await.unwrap();
    }

    login_attempts::take_place(&test.db, hash("olga"), 20, at(3_602)).await.unwrap();

    let kept = test.run_sql(&msp, "update login_attempts set outcome = outcome").await.unwrap();
    assert_eq!(kept, 4, "two are older than the window, one is new");
}

pub async fn one_idempotency_key_stands_for_one_request_for_a_day(test: TestDb) {
    let db = &test.db;
    let msp = msp(db, 1).await;
    let begin = async |request: &str, now| idempotency::begin(db, &msp, hash("key"), hash(request), now).await.unwrap();

    assert_eq!(begin("pause", at(0)).await, Known::New);
    assert_eq!(begin("pause", at(1)).await, Known::Running);
    assert_eq!(begin("resume", at(1)).await, Known::Other);
    idempotency::finish(db, &msp, hash("key"), 204, Some(b"")).await.unwrap();
    assert_eq!(begin("pause", at(2)).await, Known::Answered { status: 204, body: Some(vec![]) });
    assert_eq!(begin("pause", at(86_401)).await, Known::New);
    idempotency::forget(db, &msp, hash("key")).await.unwrap();
    assert_eq!(begin("resume", at(86_402)).await, Known::New);
    // Its instance died; after a while the request may be made again.
    assert_eq!(begin("resume", at(86_402 + 121)).await, Known::New);
}
