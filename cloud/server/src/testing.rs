//! A cloud in the process of the test, and agents that speak the protocol to it without a network.

pub mod agent;
pub mod people;
mod stories;

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    http::{Request, Response},
};
use chrono::{DateTime, TimeDelta, Utc};
use rollcall_domain::{
    ids::{CustomerId, DirectoryId, ImportId, MspId},
    import::{ImportSettings, Nesting, RemovalPolicy, Schedule, Selection, SelectionKind},
    role::Role,
};
use rollcall_protocol::key::PrivateKey;
use rollcall_store::{
    CustomerScope, Db,
    accounts::{self, Listed},
    audit::{Actor, Source},
    customers, directories, history, memberships, msps,
    runs::{self, Run},
    testing::TestDb,
};
use tower::ServiceExt as _;
use uuid::Uuid;

pub use agent::TestAgent;
pub use people::{ana, crowd, person};
pub(crate) use stories::stories;

use crate::{
    admission::{Pace, Room, Stopwatch},
    clock::{Clock, Entropy},
    installer::{self, Shelf},
    jobs,
    keys::CloudIdentity,
    live::Hub,
    mail::Postman,
    releases::{Looks, Releases},
    services::{Who, imports, tokens},
    state::{AppState, Shutdown, ShutdownSwitch},
};

const BEGUN: i64 = 1_800_000_000;

/// One MSP with one customer.
pub struct TestCloud {
    pub state: AppState,
    pub who: Who,
    pub customer: CustomerId,
    pub scope: CustomerScope,
    app: Router,
    seconds: Arc<AtomicI64>,
    /// The folder of published releases; empty at first.
    pub releases: tempfile::TempDir,
    _switch: ShutdownSwitch,
    _installers: tempfile::TempDir,
    test: TestDb,
}

impl TestCloud {
    pub async fn on_sqlite() -> Self {
        Self::on(TestDb::sqlite().await.unwrap()).await
    }

    pub async fn on(test: TestDb) -> Self {
        let seconds = Arc::new(AtomicI64::new(BEGUN));
        let (tell, elapsed) = (Arc::clone(&seconds), Arc::clone(&seconds));
        let (switch, shutdown) = Shutdown::new();
        let installers = tempfile::tempdir().unwrap();
        std::fs::write(installers.path().join(installer::NAME), "an installer").unwrap();
        let releases = tempfile::tempdir().unwrap();
        let state = AppState {
            db: test.db.clone(),
            clock: Clock::of(move || DateTime::from_timestamp(tell.load(Ordering::SeqCst), 0).unwrap_or_default()),
            entropy: Entropy::seeded(7),
            cloud: Arc::new(CloudIdentity { id: Uuid::from_u128(0xc10d), key: PrivateKey::from_seed(&[9; 32]) }),
            hub: Hub::default(),
            releases: Releases::of(Some(releases.path().to_path_buf())),
            looks: Looks::default(),
            pace: Pace::by(Stopwatch::of(move || {
                let seconds = elapsed.load(Ordering::SeqCst) - BEGUN;
                Duration::from_secs(seconds.try_into().unwrap_or_default())
            })),
            room: Room::default(),
            public_url: "http://127.0.0.1:8080".into(),
            settings: Arc::from([]),
            installer: Shelf::new(installers.path()),
            shutdown,
            readiness: Arc::default(),
            postman: Postman::default(),
        };
        tokio::spawn(state.hub.clone().run(test.db.live().subscribe()));
        let relayed = test.db.clone();
        tokio::spawn(async move { relayed.relay_events().await });
        let who = found(&test.db, &state, "Northwind IT").await;
        seconds.fetch_add(1, Ordering::SeqCst);
        let made = crate::services::customers::create(&state, &who, "Contoso GmbH").await.unwrap();
        let mut tx = state.db.read(&who.scope).await.unwrap();
        let (scope, _) = customers::find(&mut tx, &who.scope, made.id).await.unwrap().unwrap();
        drop(tx);
        let app = crate::http::app(state.clone());
        Self {
            state,
            who,
            customer: made.id,
            scope,
            app,
            seconds,
            releases,
            _switch: switch,
            _installers: installers,
            test,
        }
    }

    /// Any statement as this tenant: what no function of the store would do.
    pub async fn run_sql(&self, sql: &str) {
        self.test.run_sql(&self.who.scope, sql).await.unwrap();
    }

    /// Hands out what lies on this shelf from now on.
    pub fn put_installers(&mut self, shelf: Shelf) {
        self.state.installer = shelf;
        self.app = crate::http::app(self.state.clone());
    }

    pub fn db(&self) -> &Db {
        &self.state.db
    }

    /// From now on mail goes this way, also out of requests.
    pub fn set_postman(&mut self, postman: Postman) {
        self.state.postman = postman;
        self.app = crate::http::app(self.state.clone());
    }

    pub const fn test(&self) -> &TestDb {
        &self.test
    }

    pub fn pass(&self, time: TimeDelta) {
        self.seconds.fetch_add(time.num_seconds(), Ordering::SeqCst);
    }

    pub fn now(&self) -> DateTime<Utc> {
        self.state.now()
    }

    pub async fn ask(&self, request: Request<Body>) -> Response<Body> {
        self.app.clone().oneshot(request).await.unwrap()
    }

    pub async fn token(&self) -> String {
        tokens::issue(&self.state, &self.who, self.customer, None).await.unwrap().token
    }

    /// Does all work that is due; a job that failed and waits for its next try is a failure of the test.
    pub async fn work(&self) {
        // Time goes on, so that what came later sorts later.
        self.pass(TimeDelta::seconds(1));
        jobs::run_due(&self.state).await.unwrap();
        self.pass(TimeDelta::seconds(1));
        assert_eq!(rollcall_store::jobs::count_all(self.db()).await.unwrap(), [], "jobs left in the queue");
    }

    pub async fn directory(&self) -> DirectoryId {
        let mut tx = self.db().read(&self.scope).await.unwrap();
        directories::list(&mut tx, &self.scope).await.unwrap()[0].id
    }

    /// An import of one OU.
    pub async fn import(&self, ou: Uuid) -> ImportId {
        self.import_with(ou, RemovalPolicy::Deactivate).await
    }

    pub async fn import_with(&self, ou: Uuid, removal_policy: RemovalPolicy) -> ImportId {
        let settings = ImportSettings {
            name: "Everybody".into(),
            selections: vec![Selection { guid: ou, kind: SelectionKind::Ou }],
            excludes: vec![],
            schedule: Schedule::DEFAULT,
            removal_policy,
            grace_days: 30,
            nesting: Nesting::Direct,
        };
        let directory = self.directory().await;
        imports::create(&self.state, &self.who, self.customer, directory, &settings).await.unwrap()
    }

    /// Name and state of everybody, the departed too.
    pub async fn people(&self) -> Vec<(String, &'static str)> {
        let mut all = Vec::new();
        for state in [None, Some(rollcall_domain::account::AccountState::Departed)] {
            all.extend(self.list(state).await.into_iter().map(|listed| (listed.display_name, listed.state.as_str())));
        }
        all
    }

    pub async fn list(&self, state: Option<rollcall_domain::account::AccountState>) -> Vec<Listed> {
        let page = accounts::Page { state, limit: 10_000, ..accounts::Page::default() };
        let mut tx = self.db().read(&self.scope).await.unwrap();
        accounts::list(&mut tx, &self.scope, &page).await.unwrap()
    }

    /// Newest first.
    pub async fn runs(&self) -> Vec<Run> {
        let mut tx = self.db().read(&self.scope).await.unwrap();
        runs::list(&mut tx, &self.scope, None, 100).await.unwrap()
    }

    /// The words of a person's history, oldest first.
    pub async fn changes_of(&self, name: &str) -> Vec<&'static str> {
        self.history_of(name).await.iter().rev().map(|line| line.change.as_str()).collect()
    }

    /// Newest first.
    pub async fn history_of(&self, name: &str) -> Vec<history::Line> {
        let everybody =
            [self.list(None).await, self.list(Some(rollcall_domain::account::AccountState::Departed)).await];
        let account = everybody.concat().into_iter().find(|listed| listed.display_name == name).unwrap();
        let mut tx = self.db().read(&self.scope).await.unwrap();
        history::list(&mut tx, &self.scope, account.id, 100).await.unwrap()
    }

    pub async fn held(&self, import: ImportId) -> Vec<String> {
        let mut tx = self.db().read(&self.scope).await.unwrap();
        let held = memberships::list_held(&mut tx, &self.scope, import).await.unwrap();
        held.into_iter().map(|held| held.display_name).collect()
    }
}

/// Another tenant, to test walls with.
pub async fn found(db: &Db, state: &AppState, name: &str) -> Who {
    let (scope, tx) = msps::found(db, state.mint(MspId::mint), name, state.now()).await.unwrap();
    tx.commit().await.unwrap();
    Who { scope, role: Role::Owner, actor: Actor { name: "Olga Owner".into(), source: Source::Portal, ip: None } }
}
