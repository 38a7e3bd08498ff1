//! Every route of the agent's side × every signer who must not use it. A route that is not in the table fails the first test.

use axum::{
    body::Body,
    http::{Request, header},
};
use rollcall_domain::ids::{AgentId, CustomerId};
use rollcall_protocol::{
    checkin::EpochWish,
    desired::Order,
    evidence::Evidence,
    hash::BodyDigest,
    jws::{self, Kind, Unverified},
    key::PrivateKey,
    path,
    request::RequestClaims,
};
use rollcall_store::{agent_keys, agents as rows, audit, bundles as stored, commands, inbox};
use serde_json::Value;
use uuid::Uuid;

use super::tests::{introduce, key};
use crate::{
    services::{Who, agents, bundles, customers, tokens},
    testing::{TestAgent, TestCloud, ana, found, stories},
};

/// Who a route is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Door {
    /// Whoever shows a token that could be spent.
    Token,
    Signed(Answers),
}

/// What three requests are answered that are all well signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Answers {
    /// The agent's own.
    own: u16,
    /// The very same once more.
    again: u16,
    /// Another customer's agent in its own name, with everything else as the agent said it.
    of_another: u16,
}

const fn signed(own: u16, again: u16, of_another: u16) -> Door {
    Door::Signed(Answers { own, again, of_another })
}

/// In the order in which they are taken from the agent itself; the last one ends it.
const ROUTES: &[(&str, &str, Door)] = &[
    ("POST", path::ENROL, Door::Token),
    ("GET", path::INSTALLER, Door::Token),
    ("POST", path::BUNDLES, signed(200, 401, 400)),
    // It says that the order of the bundle is done.
    ("POST", path::CHECKIN, signed(200, 401, 200)),
    // A batch that comes again has the same receipt.
    ("POST", path::BATCHES, signed(200, 200, 409)),
    // Nothing is published here; a file is no secret among agents, and fetching it changes nothing.
    ("GET", "/agent/v1/updates/{name}", signed(404, 404, 404)),
    ("POST", path::ROTATE, signed(200, 401, 400)),
    ("POST", path::LEAVE, signed(200, 410, 400)),
];

#[test]
fn every_route_for_agents_stands_in_the_table_and_nothing_else_does() {
    let mut served: Vec<(String, String)> =
        super::routes().into_iter().map(|(method, path, _)| (method.to_string(), path)).collect();
    let mut listed: Vec<(String, String)> =
        ROUTES.iter().map(|(method, path, _)| ((*method).to_owned(), (*path).to_owned())).collect();
    served.sort();
    listed.sort();
    assert_eq!(served, listed);
}

stories! { no_signer_gets_further_on_postgres: [
    no_signature_opens_a_route_but_the_agents_own,
    what_needs_a_token_opens_to_nothing_else,
] }

/// A request that would be taken, to be spoiled in one place.
#[derive(Clone)]
struct Draft {
    method: &'static str,
    path: String,
    kind: Kind,
    claims: RequestClaims<Value>,
    body: Vec<u8>,
}

impl Draft {
    fn by(&self, key: &PrivateKey) -> Request<Body> {
        self.with(Some(&jws::sign(self.kind, key, &self.claims).unwrap()))
    }

    fn with(&self, bearer: Option<&str>) -> Request<Body> {
        let request = Request::builder().method(self.method).uri(&self.path);
        let request = match bearer {
            Some(jws) => request.header(header::AUTHORIZATION, format!("Bearer {jws}")),
            None => request,
        };
        request.body(Body::from(self.body.clone())).unwrap()
    }

    fn saying(&self, change: impl FnOnce(&mut RequestClaims<Value>)) -> Self {
        let mut changed = self.clone();
        change(&mut changed.claims);
        changed
    }
}

/// An agent with an import, a person, an order and a past, and all who might want to be it.
struct World<'a> {
    cloud: &'a TestCloud,
    agent: TestAgent,
    order: Uuid,
    of_another_customer: TestAgent,
    of_another_msp: TestAgent,
    revoked: TestAgent,
    quarantined: TestAgent,
}

impl<'a> World<'a> {
    async fn build(cloud: &'a TestCloud) -> Self {
        let mut agent = TestAgent::enrol(cloud, 1).await;
        let import = cloud.import(Uuid::from_u128(0x0f)).await;
        agent.sync(cloud, vec![ana(import)], &Evidence::Deleted).await;
        // Key 1 was replaced by 42; 43 was introduced and then left for 44, which waits.
        introduce(cloud, &mut agent, &key(42)).await;
        agent.key = key(42);
        agent.check_in(cloud).await;
        introduce(cloud, &mut agent, &key(43)).await;
        introduce(cloud, &mut agent, &key(44)).await;
        bundles::request(&cloud.state, &cloud.who, AgentId::from(agent.id)).await.unwrap();
        let desired = agent.check_in(cloud).await.unwrap();
        let order = desired.commands.iter().find(|command| command.order == Order::Bundle).unwrap().id;
        let stranger = found(cloud.db(), &cloud.state, "Southwind").await;
        let revoked = TestAgent::enrol(cloud, 4).await;
        agents::revoke(&cloud.state, &cloud.who, AgentId::from(revoked.id)).await.unwrap();
        Self {
            of_another_customer: enrol_elsewhere(cloud, &cloud.who, 2).await,
            of_another_msp: enrol_elsewhere(cloud, &stranger, 3).await,
            quarantined: fork(cloud, 5).await,
            cloud,
            agent,
            order,
            revoked,
        }
    }

    /// What this agent would send there.
    async fn draft(&mut self, path: &str, whose: Whose) -> Draft {
        let (cloud, order) = (self.cloud, self.order);
        let agent = match whose {
            Whose::Own => &mut self.agent,
            Whose::Revoked => &mut self.revoked,
            Whose::Quarantined => &mut self.quarantined,
        };
        let request = match path {
            path::CHECKIN => agent.checkin_request(cloud, EpochWish::Keep, |said| said.done = vec![order]),
            path::BUNDLES => agent.bundle_request(cloud, order, b"PK\x03\x04 a bundle"),
            path::ROTATE => agent.rotate_request(cloud, &key(45)),
            path::LEAVE => agent.leave_request(cloud, agent.id),
            path::BATCHES => {
                // Written and not sent: the next one is at the same place.
                let before = (agent.head, agent.people.clone(), agent.snapshot);
                let sealed = agent.read(cloud, vec![], &Evidence::Deleted);
                (agent.head, agent.people, agent.snapshot) = before;
                crate::testing::agent::to_request(path, &sealed.jws, sealed.body)
            }
            _ => fetch_request(cloud, agent),
        };
        dissect(request).await
    }

    /// Everything a request of an agent could change.
    async fn picture(&self) -> String {
        let cloud = self.cloud;
        let mut tx = cloud.db().read(&cloud.who.scope).await.unwrap();
        let (scope, agent) =
            rows::find(&mut tx, &cloud.who.scope, AgentId::from(self.agent.id)).await.unwrap().unwrap();
        // What another agent says in its own name is told of that one.
        let other = AgentId::from(self.of_another_customer.id).to_string();
        let is_of_another =
            |line: &&audit::Line| line.object_id.as_ref() == Some(&other) || line.actor == format!("agent {other}");
        let of_agent = format!(
            "{agent:?} {:?} {:?} {:?} {:?} {:?}",
            agent_keys::list(&mut tx, &scope).await.unwrap(),
            inbox::count_waiting(&mut tx, &scope, Uuid::nil()).await.unwrap(),
            commands::list_open(&mut tx, scope.agent()).await.unwrap(),
            stored::list(&mut tx, &scope, cloud.now()).await.unwrap(),
            audit::list(&mut tx, &cloud.who.scope, None, 100)
                .await
                .unwrap()
                .iter()
                .filter(|line| !is_of_another(line))
                .count(),
        );
        drop(tx);
        let jobs = rollcall_store::jobs::count_all(cloud.db()).await.unwrap();
        format!("{of_agent} {:?} {:?} {jobs:?}", cloud.people().await, cloud.runs().await)
    }
}

#[derive(Clone, Copy)]
enum Whose {
    Own,
    Revoked,
    Quarantined,
}

fn fetch_request(cloud: &TestCloud, agent: &mut TestAgent) -> Request<Body> {
    let path = format!("{}/timestamp.json", path::UPDATES);
    let claims = RequestClaims { method: "GET".into(), ..agent.claims(cloud, &path, b"", ()) };
    let jws = jws::sign(Kind::Request, &agent.key, &claims).unwrap();
    Request::get(path).header(header::AUTHORIZATION, format!("Bearer {jws}")).body(Body::empty()).unwrap()
}

async fn dissect(request: Request<Body>) -> Draft {
    let (parts, body) = request.into_parts();
    let jws = parts.headers[header::AUTHORIZATION].to_str().unwrap().trim_start_matches("Bearer ").to_owned();
    let statement = Unverified::parse(&jws).unwrap();
    Draft {
        method: if parts.method == axum::http::Method::GET { "GET" } else { "POST" },
        path: parts.uri.path().to_owned(),
        kind: statement.kind(),
        claims: statement.peek().unwrap(),
        body: axum::body::to_bytes(body, 8 << 20).await.unwrap().to_vec(),
    }
}

/// At a customer of its own.
async fn enrol_elsewhere(cloud: &TestCloud, who: &Who, seed: u8) -> TestAgent {
    let customer: CustomerId = customers::create(&cloud.state, who, "Fabrikam").await.unwrap().id;
    let token = tokens::issue(&cloud.state, who, customer, None).await.unwrap().token;
    TestAgent::enrol_with(cloud, seed, &token).await
}

/// An agent that was found to be two.
async fn fork(cloud: &TestCloud, seed: u8) -> TestAgent {
    let mut agent = TestAgent::enrol(cloud, seed).await;
    let start = agent.head;
    let first = agent.read(cloud, vec![], &Evidence::Deleted);
    agent.push(cloud, &first).await;
    agent.head = start;
    let second = agent.read(cloud, vec![], &Evidence::Deleted);
    agent.push(cloud, &second).await;
    cloud.work().await;
    agent
}

// proves: R-13
async fn no_signature_opens_a_route_but_the_agents_own(cloud: TestCloud) {
    let mut world = World::build(&cloud).await;
    let before = world.picture().await;
    for (path, answers) in signed_routes() {
        let own = world.draft(path, Whose::Own).await;
        let own_key = &world.agent.key;
        let elsewhere = if path == path::CHECKIN { path::BATCHES } else { path::CHECKIN };
        let mut other_body = own.clone();
        other_body.body.push(b' ');
        let other_kind = Draft { kind: Kind::NewKey, ..own.clone() };
        let attempts = [
            ("nobody", own.with(None), 401),
            ("rubbish", own.with(Some("rubbish")), 401),
            ("an unknown key", own.by(&key(99)), 401),
            ("the key of another customer's agent", own.by(&world.of_another_customer.key), 401),
            ("the key of another MSP's agent", own.by(&world.of_another_msp.key), 401),
            ("a revoked agent's key", own.by(&world.revoked.key), 410),
            ("a quarantined agent's key", own.by(&world.quarantined.key), 403),
            ("the key that was replaced", own.by(&key(1)), 401),
            ("a key that was introduced and left", own.by(&key(43)), 401),
            (
                "a key that waits, for another agent",
                own.saying(|claims| claims.iss = world.revoked.id).by(&key(44)),
                401,
            ),
            ("another cloud's", own.saying(|claims| claims.aud = Uuid::from_u128(7)).by(own_key), 401),
            ("another path's", own.saying(|claims| claims.path = elsewhere.into()).by(own_key), 401),
            ("another method's", own.saying(|claims| claims.method = "PUT".into()).by(own_key), 401),
            ("another body's", own.saying(|claims| claims.body = BodyDigest::of(b"other")).by(own_key), 401),
            ("another kind's", other_kind.by(own_key), 401),
        ];
        for (whose, request, status) in attempts {
            assert_eq!(cloud.ask(request).await.status(), status, "{path} by {whose}");
        }
        if own.method == "POST" {
            assert_eq!(cloud.ask(other_body.by(own_key)).await.status(), 401, "{path} with more behind it");
        }
        for (whose, status) in [(Whose::Revoked, 410), (Whose::Quarantined, 403)] {
            let key = match whose {
                Whose::Own | Whose::Revoked => key(4),
                Whose::Quarantined => key(5),
            };
            let request = world.draft(path, whose).await.by(&key);
            assert_eq!(cloud.ask(request).await.status(), status, "{path} in its own name");
        }
        for other in [&world.of_another_customer, &world.of_another_msp] {
            let request = own.saying(|claims| claims.iss = other.id).by(&other.key);
            assert_eq!(cloud.ask(request).await.status(), answers.of_another, "{path} by another agent as itself");
        }
        assert_eq!(world.picture().await, before, "{path} changed something");
    }

    each_is_taken_from_the_agent_itself_once(&mut world).await;
}

async fn each_is_taken_from_the_agent_itself_once(world: &mut World<'_>) {
    let cloud = world.cloud;
    for (path, answers) in signed_routes() {
        let own = world.draft(path, Whose::Own).await;
        assert_eq!(cloud.ask(own.by(&world.agent.key)).await.status(), answers.own, "{path}");
        let taken = world.picture().await;
        assert_eq!(cloud.ask(own.by(&world.agent.key)).await.status(), answers.again, "{path} again");
        assert_eq!(world.picture().await, taken, "{path} was taken twice");
    }
}

fn signed_routes() -> impl Iterator<Item = (&'static str, Answers)> {
    ROUTES.iter().filter_map(|(_, path, door)| match door {
        Door::Token => None,
        Door::Signed(answers) => Some((*path, *answers)),
    })
}

async fn what_needs_a_token_opens_to_nothing_else(cloud: TestCloud) {
    let mut world = World::build(&cloud).await;
    let mut own = world.draft(path::CHECKIN, Whose::Own).await;
    let signed = jws::sign(own.kind, &world.agent.key, &own.claims).unwrap();
    let before = world.picture().await;
    for (method, path, _) in ROUTES.iter().filter(|(_, _, door)| *door == Door::Token) {
        (own.method, own.path) = (method, (*path).to_owned());
        for bearer in [None, Some("rubbish"), Some(signed.as_str())] {
            let status = cloud.ask(own.with(bearer)).await.status().as_u16();
            assert!(matches!(status, 400 | 401 | 410), "{path}: {status} for {bearer:?}");
        }
    }
    assert_eq!(world.picture().await, before);
}
