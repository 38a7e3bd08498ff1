//! A tenant with one of everything, an operator and a key of every role, and a stranger from another tenant.

use std::collections::BTreeMap;

use axum::{
    body::Body,
    http::{Request, header},
};
use rollcall_domain::{
    ids::{ApiKeyId, CustomerId, OperatorId},
    role::{Reach, Role},
};
use rollcall_lab::postgres::Postgres;
use rollcall_protocol::evidence::Evidence;
use rollcall_store::{
    MspScope, api_keys, audit, enrol_tokens, keyring::SecretHash, operators, sessions, updates::rollouts,
};
use uuid::Uuid;

use super::table::{Door, Route};
use crate::{
    services::tokens,
    testing::{TestAgent, TestCloud, found, person},
};

/// What an answer said, without what differs between any two answers.
#[derive(PartialEq, Eq)]
pub struct Told {
    pub status: u16,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

impl std::fmt::Debug for Told {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {:?} {}", self.status, self.headers, self.text())
    }
}

impl Told {
    pub fn contains(&self, text: &str) -> bool {
        self.text().contains(text)
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn header(&self, name: &str) -> String {
        self.headers.get(name).cloned().unwrap_or_default()
    }
}

/// Something of each kind that a path can name.
pub struct Ids(BTreeMap<&'static str, String>);

impl Ids {
    /// Well-formed, but there is nothing behind any of them.
    pub fn of_nothing() -> Self {
        let id = |prefix: &str| format!("{prefix}_{}", Uuid::from_u128(0x0191_0000_0000_7000_8000_0000_0000_0001));
        Self(BTreeMap::from([
            ("{slug}", "no-such-customer".to_owned()),
            ("{customers}", id("cus")),
            ("{agents}", id("agt")),
            ("{directories}", id("dir")),
            ("{imports}", id("imp")),
            ("{accounts}", id("acc")),
            ("{runs}", id("run")),
            ("{token}", id("tok")),
            ("{key}", id("key")),
            ("{operator}", id("opr")),
            ("{session}", "ab".repeat(32)),
            ("{job}", id("job")),
            ("{bundle}", id("bun")),
            ("{version}", "0.0.1".to_owned()),
            ("{link}", "nothing".to_owned()),
            ("{*path}", "portal.css".to_owned()),
        ]))
    }

    /// The path with everything filled in. The API calls every id `{id}`; the word before it says of what.
    fn fill(&self, path: &str) -> String {
        let mut parts: Vec<String> = Vec::new();
        for part in path.split('/') {
            let name = match part {
                "{id}" => format!("{{{}}}", parts.last().cloned().unwrap_or_default()),
                "{import}" => "{imports}".to_owned(),
                "{account}" => "{accounts}".to_owned(),
                "{run}" => "{runs}".to_owned(),
                "{agent}" => "{agents}".to_owned(),
                other => other.to_owned(),
            };
            parts.push(self.0.get(name.as_str()).cloned().unwrap_or(name));
        }
        parts.join("/")
    }
}

pub struct World {
    cloud: TestCloud,
    _postgres: Option<Postgres>,
    pub own: Ids,
    sessions: BTreeMap<Role, String>,
    keys: BTreeMap<Role, String>,
    pub revoked_session: String,
    pub revoked_key: String,
    pub strangers_session: String,
    pub strangers_key: String,
    lines: i64,
}

impl World {
    pub async fn build(cloud: TestCloud, postgres: Option<Postgres>) -> Self {
        let mut agent = TestAgent::enrol(&cloud, 1).await;
        let import = cloud.import(Uuid::from_u128(0x0f)).await;
        let crowd: Vec<_> = (1..=40).map(|number| person(number, &format!("Person {number:03}"), import)).collect();
        agent.sync(&cloud, crowd.clone(), &Evidence::Deleted).await;
        agent.sync(&cloud, crowd[..20].to_vec(), &Evidence::Deleted).await;
        let token = tokens::issue(&cloud.state, &cloud.who, cloud.customer, None).await.unwrap();
        let bundle = agent.bundle(&cloud).await;
        let own = ids_of(&cloud, import.to_string(), token.id.to_string(), bundle.to_string()).await;
        let scope = cloud.who.scope.clone();
        let stranger = found(cloud.db(), &cloud.state, "Southwind").await;
        let mut world = Self {
            sessions: BTreeMap::new(),
            keys: BTreeMap::new(),
            revoked_session: String::new(),
            revoked_key: String::new(),
            strangers_session: session(&cloud, &stranger.scope, Role::Owner, "stranger@southwind.example").await.0,
            strangers_key: key(&cloud, &stranger.scope, Role::Owner, "stranger").await.0,
            cloud,
            _postgres: postgres,
            own,
            lines: 0,
        };
        for role in Role::ALL.iter().copied() {
            let (secret, _) = session(&world.cloud, &scope, role, &format!("{role}@northwind.example")).await;
            world.sessions.insert(role, secret);
            world.keys.insert(role, key(&world.cloud, &scope, role, role.as_str()).await.0);
        }
        world.add_revoked(&scope).await;
        world.lines = world.count_lines().await;
        world
    }

    async fn add_revoked(&mut self, scope: &MspScope) {
        let (secret, operator) = session(&self.cloud, scope, Role::Owner, "gone@northwind.example").await;
        let (key_secret, key_id) = key(&self.cloud, scope, Role::Owner, "gone").await;
        let now = self.cloud.now();
        let mut tx = self.cloud.db().write(scope).await.unwrap();
        assert!(operators::disable(&mut tx, scope, operator, now).await.unwrap());
        assert!(api_keys::revoke(&mut tx, scope, key_id, now).await.unwrap());
        tx.commit().await.unwrap();
        (self.revoked_session, self.revoked_key) = (secret, key_secret);
    }

    pub fn session(&self, role: Role) -> String {
        self.sessions[&role].clone()
    }

    pub fn key(&self, role: Role) -> String {
        self.keys[&role].clone()
    }

    pub fn secret_for(&self, route: &Route, role: Role) -> String {
        if matches!(route.door, Door::Api(_)) { self.key(role) } else { self.session(role) }
    }

    pub async fn ask(&self, route: &Route, secret: Option<&str>, ids: &Ids) -> Told {
        self.send(route, secret, ids, "same-origin").await
    }

    pub async fn ask_from_elsewhere(&self, route: &Route, secret: &str, ids: &Ids) -> Told {
        self.send(route, Some(secret), ids, "cross-site").await
    }

    async fn send(&self, route: &Route, secret: Option<&str>, ids: &Ids, site: &str) -> Told {
        let is_api = matches!(route.door, Door::Api(_));
        let mut request =
            Request::builder().method(route.method).uri(ids.fill(route.path)).header("sec-fetch-site", site);
        if let Some(secret) = secret {
            request = if is_api {
                request.header(header::AUTHORIZATION, format!("Bearer {secret}"))
            } else {
                request.header(header::COOKIE, format!("rollcall={secret}"))
            };
        }
        let kind = if is_api { "application/json" } else { "application/x-www-form-urlencoded" };
        let request = request.header(header::CONTENT_TYPE, kind).body(Body::from(route.body)).unwrap();
        let response = self.cloud.ask(request).await;
        let (parts, body) = response.into_parts();
        let headers: BTreeMap<String, String> = parts
            .headers
            .iter()
            .filter(|(name, _)| *name != header::DATE)
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap_or_default().to_owned()))
            .collect();
        // A stream of events does not end.
        let is_endless = headers.get("content-type").is_some_and(|kind| kind.starts_with("text/event-stream"));
        let body = if is_endless { Vec::new() } else { axum::body::to_bytes(body, 4 << 20).await.unwrap().to_vec() };
        Told { status: parts.status.as_u16(), headers, body }
    }

    /// Everything that changes anything leaves a line in the audit log.
    pub async fn assert_untouched(&self) {
        assert_eq!(self.count_lines().await, self.lines, "something was changed by somebody who may not");
    }

    async fn count_lines(&self) -> i64 {
        let mut tx = self.cloud.db().read(&self.cloud.who.scope).await.unwrap();
        match audit::verify(&mut tx, &self.cloud.who.scope).await.unwrap() {
            audit::ChainState::Whole { lines } => lines,
            audit::ChainState::Broken { at } => panic!("the audit chain is broken at {at}"),
        }
    }
}

async fn ids_of(cloud: &TestCloud, import: String, token: String, bundle: String) -> Ids {
    let scope = &cloud.who.scope;
    let mut tx = cloud.db().read(&cloud.scope).await.unwrap();
    let customer = rollcall_store::customers::get(&mut tx, &cloud.scope).await.unwrap();
    let agent = rollcall_store::agents::list(&mut tx, &cloud.scope).await.unwrap()[0].id;
    assert_eq!(enrol_tokens::list(&mut tx, &cloud.scope, 10).await.unwrap().len(), 2);
    drop(tx);
    let account = cloud.list(None).await[0].id;
    let run = cloud.runs().await[0].id;
    let (_, key_id) = key(cloud, scope, Role::Helpdesk, "named in a path").await;
    let (secret, operator) = session(cloud, scope, Role::Helpdesk, "named@northwind.example").await;
    let hash = SecretHash::of(secret.as_bytes());
    let session = crate::portal::view::hex::hex(hash.as_bytes());
    let mut ids = Ids::of_nothing();
    ids.0.extend([
        ("{slug}", customer.slug),
        ("{customers}", CustomerId::to_string(&cloud.customer)),
        ("{agents}", agent.to_string()),
        ("{directories}", cloud.directory().await.to_string()),
        ("{imports}", import),
        ("{accounts}", account.to_string()),
        ("{runs}", run.to_string()),
        ("{token}", token),
        ("{bundle}", bundle),
        ("{key}", key_id.to_string()),
        ("{operator}", operator.to_string()),
        ("{session}", session),
        ("{version}", begin_rollout(cloud, "9.9.9").await),
    ]);
    ids
}

async fn begin_rollout(cloud: &TestCloud, version: &str) -> String {
    let now = cloud.now();
    let rollout = rollouts::Rollout::begin(version, "x86_64-windows", 0, now);
    let mut tx = cloud.db().write(&cloud.who.scope).await.unwrap();
    assert!(rollouts::insert(&mut tx, &rollout).await.unwrap());
    tx.commit().await.unwrap();
    version.to_owned()
}

/// A signed-in operator: the secret of the session, and who it is.
async fn session(cloud: &TestCloud, scope: &MspScope, role: Role, email: &str) -> (String, OperatorId) {
    let now = cloud.now();
    let id = cloud.state.mint(OperatorId::mint);
    let secret = Uuid::from_bytes(cloud.state.entropy.bytes()).to_string();
    let mut tx = cloud.db().write(scope).await.unwrap();
    let operator = operators::NewOperator { id, email, name: "Olga Owner", role, reach: &Reach::All, created_at: now };
    operators::insert(&mut tx, scope, operator).await.unwrap();
    let new =
        sessions::NewSession { hash: SecretHash::of(secret.as_bytes()), operator: id, ip: None, user_agent: None, now };
    sessions::insert(&mut tx, new).await.unwrap();
    tx.commit().await.unwrap();
    (secret, id)
}

async fn key(cloud: &TestCloud, scope: &MspScope, role: Role, name: &str) -> (String, ApiKeyId) {
    let secret = format!("rck_{}", Uuid::from_bytes(cloud.state.entropy.bytes()));
    let id = cloud.state.mint(ApiKeyId::mint);
    let new = api_keys::NewKey {
        id,
        hash: SecretHash::of(secret.as_bytes()),
        name,
        prefix: &secret[..8],
        role,
        customer: None,
        created_by: "Olga Owner",
        created_at: cloud.now(),
        expires_at: None,
    };
    let mut tx = cloud.db().write(scope).await.unwrap();
    api_keys::insert(&mut tx, scope, new).await.unwrap();
    tx.commit().await.unwrap();
    (secret, id)
}
