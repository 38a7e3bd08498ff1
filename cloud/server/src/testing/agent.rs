//! An agent that speaks the protocol, with a set of people in place of a directory.

use std::collections::BTreeMap;

use axum::{
    body::Body,
    http::{Request, header},
};
use chrono::{DateTime, Utc};
use rollcall_domain::ids::{AgentId, BundleId};
use rollcall_protocol::{
    PROTO,
    answer::{Answer, Receipt, classify},
    batch::{BatchClaims, BatchLink, CycleKind, CyclePart, StructurePart, Trigger},
    body,
    bundle::{BundleLink, BundleReceipt, Farewell},
    ceiling::Ceiling,
    chain::ChainHead,
    checkin::{AgentStatus, CheckinRequest, CheckinResponse, Clearing, EpochWish, Phase},
    desired::{DesiredState, Order, Reader},
    digest::SetDigester,
    directory::{DcIdentity, DomainPin},
    enrol::{EnrolLink, EnrolRequest, EnrolResponse, MachineFacts},
    evidence::{Departure, Evidence, Stance},
    hash::{BodyDigest, Hash},
    item::Item,
    jws::{self, Kind},
    key::PrivateKey,
    path,
    person::{Person, PersonRecord},
    request::RequestClaims,
    rotate::RotateRequest,
    update::metadata::Platform,
};
use serde::{Serialize, de::DeserializeOwned};
use uuid::Uuid;

use super::{TestCloud, people::present};
use crate::services::bundles;

pub struct TestAgent {
    pub key: PrivateKey,
    pub id: Uuid,
    pub cloud: Uuid,
    pub head: ChainHead,
    pub desired: u64,
    pub domain: DomainPin,
    /// What the agent's snapshot holds.
    pub people: BTreeMap<Uuid, PersonRecord>,
    pub snapshot: u64,
    /// What its batches say of values that vanished.
    pub lost: Vec<Clearing>,
    /// What its clock said when a reading began, if not the time.
    pub started_at: Option<DateTime<Utc>>,
    requests: u128,
}

/// A batch as it would stand in the spool.
#[derive(Clone)]
pub struct Sealed {
    pub jws: String,
    pub body: Vec<u8>,
}

impl TestAgent {
    /// Enrols with a fresh token and tells its domain.
    pub async fn enrol(cloud: &TestCloud, seed: u8) -> Self {
        Self::enrol_with(cloud, seed, &cloud.token().await).await
    }

    /// Enrols at the customer that this token is for, and tells its domain.
    pub async fn enrol_with(cloud: &TestCloud, seed: u8, token: &str) -> Self {
        let mut agent = Self::join(cloud, seed, token).await;
        agent.check_in(cloud).await;
        agent
    }

    /// Enrols, and has not checked in yet.
    pub async fn enrol_unheard(cloud: &TestCloud, seed: u8) -> Self {
        Self::join(cloud, seed, &cloud.token().await).await
    }

    async fn join(cloud: &TestCloud, seed: u8, token: &str) -> Self {
        let key = PrivateKey::from_seed(&[seed; 32]);
        let request = enrol_request(cloud, &key, token);
        let Answer::Accepted(response) = ask::<EnrolResponse>(cloud, request).await else {
            panic!("enrolment refused")
        };
        let domain =
            DomainPin { guid: Uuid::from_u128(0xd0), sid: "S-1-5-21-1-2-3".into(), dns_name: "contoso.example".into() };
        Self {
            key,
            id: response.agent,
            cloud: response.cloud,
            head: response.epoch.head(),
            desired: 0,
            domain,
            people: BTreeMap::new(),
            snapshot: 0,
            lost: vec![],
            started_at: None,
            requests: u128::from(seed) << 64,
        }
    }

    /// A request that introduces a key, signed by the present one.
    pub fn rotate_request(&mut self, cloud: &TestCloud, new: &PrivateKey) -> Request<Body> {
        let body = serde_json::to_vec(&RotateRequest::new(self.id, self.key.id(), new).unwrap()).unwrap();
        let claims = self.claims(cloud, path::ROTATE, &body, ());
        to_request(path::ROTATE, &jws::sign(Kind::Request, &self.key, &claims).unwrap(), body)
    }

    pub fn claims<L>(&mut self, cloud: &TestCloud, path: &str, body: &[u8], link: L) -> RequestClaims<L> {
        self.requests += 1;
        RequestClaims {
            proto: PROTO,
            iss: self.id,
            aud: self.cloud,
            iat: cloud.now().timestamp(),
            jti: Uuid::from_u128(self.requests),
            method: "POST".into(),
            path: path.into(),
            body: BodyDigest::of(body),
            link,
        }
    }

    pub fn checkin_request(
        &mut self,
        cloud: &TestCloud,
        wish: EpochWish,
        change: impl FnOnce(&mut CheckinRequest),
    ) -> Request<Body> {
        let mut request = CheckinRequest {
            kind: rollcall_protocol::checkin::Kind::Report,
            desired_version: self.desired,
            wait_seconds: 0,
            done: vec![],
            epoch: wish,
            last_epoch: match wish {
                EpochWish::Keep => 0,
                EpochWish::New => self.head.epoch,
            },
            status: status(cloud.now(), &self.domain),
        };
        change(&mut request);
        let body = serde_json::to_vec(&request).unwrap();
        let claims = self.claims(cloud, path::CHECKIN, &body, ());
        to_request(path::CHECKIN, &jws::sign(Kind::Request, &self.key, &claims).unwrap(), body)
    }

    /// A check-in that obeys what comes back.
    pub async fn check_in(&mut self, cloud: &TestCloud) -> Option<DesiredState> {
        self.check_in_saying(cloud, EpochWish::Keep, |_| {}).await
    }

    pub async fn check_in_saying(
        &mut self,
        cloud: &TestCloud,
        wish: EpochWish,
        change: impl FnOnce(&mut CheckinRequest),
    ) -> Option<DesiredState> {
        let request = self.checkin_request(cloud, wish, change);
        let answer = ask::<CheckinResponse>(cloud, request).await;
        let Answer::Accepted(response) = answer else { panic!("{answer:?}") };
        if let Some(epoch) = response.epoch {
            self.head = epoch.head();
            self.snapshot = 0;
        }
        let text = response.desired?;
        let key = cloud.state.cloud.public();
        let reader = Reader {
            agent: self.id,
            cloud: self.cloud,
            cloud_key: &key,
            version: self.desired,
            domain: Some(&self.domain),
        };
        let state = DesiredState::accept(&text, &reader).unwrap();
        self.desired = state.version;
        Some(state)
    }

    /// One reading that shows exactly these people; whoever is missing left with this evidence.
    pub async fn sync(&mut self, cloud: &TestCloud, people: Vec<Person>, evidence: &Evidence) -> Answer<Receipt> {
        let sealed = self.read(cloud, people, evidence);
        let answer = self.push(cloud, &sealed).await;
        cloud.work().await;
        answer
    }

    /// The batch of a reading, the first one full; the snapshot moves on.
    pub fn read(&mut self, cloud: &TestCloud, people: Vec<Person>, evidence: &Evidence) -> Sealed {
        let now: BTreeMap<Uuid, PersonRecord> =
            people.into_iter().map(|person| (person.guid, PersonRecord::write(person).unwrap())).collect();
        let mut items: Vec<Item> =
            now.values().filter(|record| self.people.get(&record.person.guid) != Some(*record)).map(present).collect();
        for gone in self.people.values().filter(|record| !now.contains_key(&record.person.guid)) {
            for within in &gone.person.imports {
                items.push(Item::Departed(Departure {
                    guid: gone.person.guid,
                    import: within.import,
                    evidence: evidence.clone(),
                    stance: Stance::Apply,
                }));
            }
        }
        self.people = now;
        let base = self.snapshot;
        self.snapshot += 1;
        let kind = if base == 0 { CycleKind::Full } else { CycleKind::Delta };
        self.seal(cloud, kind, base, &[items]).remove(0)
    }

    /// Everybody, in as many parts as asked for.
    pub fn read_full(&mut self, cloud: &TestCloud, people: Vec<Person>, parts: usize) -> Vec<Sealed> {
        self.people = people.into_iter().map(|person| (person.guid, PersonRecord::write(person).unwrap())).collect();
        self.snapshot += 1;
        let items: Vec<Item> = self.people.values().map(present).collect();
        let per_part = items.len().div_ceil(parts).max(1);
        let mut chunks: Vec<Vec<Item>> = items.chunks(per_part).map(<[Item]>::to_vec).collect();
        chunks.resize_with(parts, Vec::new);
        self.seal(cloud, CycleKind::Full, 0, &chunks)
    }

    /// Seals parts of one cycle, each signed once, chained to the one before.
    pub fn seal(&mut self, cloud: &TestCloud, kind: CycleKind, base: u64, parts: &[Vec<Item>]) -> Vec<Sealed> {
        let bodies = parts.iter().map(|items| {
            let mut writer = body::Writer::new().unwrap();
            for item in items {
                writer.push(&serde_json::to_string(item).unwrap()).unwrap();
            }
            writer.finish().unwrap()
        });
        self.seal_bodies(cloud, kind, base, bodies.collect())
    }

    pub fn seal_bodies(
        &mut self,
        cloud: &TestCloud,
        kind: CycleKind,
        base: u64,
        bodies: Vec<body::Body>,
    ) -> Vec<Sealed> {
        let parts = u32::try_from(bodies.len()).unwrap();
        let cycle = Uuid::from_u128(
            0xc000 + u128::from(self.head.seq) + (u128::from(self.head.epoch) << 64) + (Uuid::as_u128(&self.id) << 80),
        );
        let mut sealed = Vec::new();
        for (body, part) in bodies.into_iter().zip(1..) {
            let told = self.part(cloud, kind, base, cycle, (part, parts), body.items);
            sealed.push(self.seal_part(cloud, told, body.bytes));
        }
        sealed
    }

    /// One batch that says this of itself, chained to the one before.
    pub fn seal_part(&mut self, cloud: &TestCloud, told: CyclePart, body: Vec<u8>) -> Sealed {
        let link = BatchLink { chain: self.head, cycle: told };
        let claims: BatchClaims = self.claims(cloud, path::BATCHES, &body, link);
        let jws = jws::sign(Kind::Batch, &self.key, &claims).unwrap();
        self.head = self.head.then(Hash::of(jws.as_bytes()));
        Sealed { jws, body }
    }

    pub fn part(
        &self,
        cloud: &TestCloud,
        kind: CycleKind,
        base: u64,
        cycle: Uuid,
        (part, parts): (u32, u32),
        items: u32,
    ) -> CyclePart {
        let mut set = SetDigester::default();
        for (guid, record) in &self.people {
            set.push(*guid, &record.hash()).unwrap();
        }
        CyclePart {
            cycle,
            kind,
            trigger: Trigger::Schedule,
            snapshot: self.snapshot,
            base,
            part,
            parts,
            items,
            started_at: self.started_at.unwrap_or_else(|| cloud.now()),
            finished_at: cloud.now(),
            domain: self.domain.clone(),
            dc: dc(),
            set: set.finish(),
            people_seen: self.people.len() as u64,
            structure: StructurePart::Unchanged,
            awaiting_second_reading: 0,
            unavailable: vec![],
            unavailable_more: 0,
            clearings: self.lost.clone(),
            desired_version: self.desired,
        }
    }

    /// Somebody asks for a bundle, and the agent sends one.
    pub async fn bundle(&mut self, cloud: &TestCloud) -> BundleId {
        bundles::request(&cloud.state, &cloud.who, AgentId::from(self.id)).await.unwrap();
        let desired = self.check_in(cloud).await.unwrap();
        let order = desired.commands.iter().find(|command| command.order == Order::Bundle).unwrap().id;
        let request = self.bundle_request(cloud, order, b"PK\x03\x04 a bundle");
        let Answer::Accepted(receipt) = ask::<BundleReceipt>(cloud, request).await else { panic!("bundle refused") };
        self.check_in_saying(cloud, EpochWish::Keep, |said| said.done = vec![order]).await;
        receipt.bundle.into()
    }

    pub fn bundle_request(&mut self, cloud: &TestCloud, command: Uuid, zip: &[u8]) -> Request<Body> {
        let claims = self.claims(cloud, path::BUNDLES, zip, BundleLink { command });
        to_request(path::BUNDLES, &jws::sign(Kind::Bundle, &self.key, &claims).unwrap(), zip.to_vec())
    }

    pub fn leave_request(&mut self, cloud: &TestCloud, leaves: Uuid) -> Request<Body> {
        let body = serde_json::to_vec(&Farewell { leaves }).unwrap();
        let claims = self.claims(cloud, path::LEAVE, &body, ());
        to_request(path::LEAVE, &jws::sign(Kind::Request, &self.key, &claims).unwrap(), body)
    }

    pub async fn push(&self, cloud: &TestCloud, sealed: &Sealed) -> Answer<Receipt> {
        ask(cloud, to_request(path::BATCHES, &sealed.jws, sealed.body.clone())).await
    }
}

fn dc() -> DcIdentity {
    DcIdentity {
        dns_name: "dc1.contoso.example".into(),
        ntds_guid: Uuid::from_u128(0xdc),
        invocation_id: Uuid::from_u128(0xdd),
        usn: 4711,
    }
}

fn status(now: DateTime<Utc>, domain: &DomainPin) -> AgentStatus {
    AgentStatus {
        version: "0.1.0".into(),
        host: "SRV1".into(),
        os: "Windows Server 2022".into(),
        started_at: now,
        phase: Phase::Idle,
        domain: Some(domain.clone()),
        dc: Some(dc()),
        transport: Some("LDAPS".into()),
        spool_batches: 0,
        spool_bytes: 0,
        clock_offset_ms: 0,
        last_cycle: None,
        ceiling: Some(Ceiling::default()),
        problems: vec![],
        platform: Some(Platform::new("x86_64-windows")),
        update: None,
        clearings: vec![],
    }
}

pub fn enrol_request(cloud: &TestCloud, key: &PrivateKey, token: &str) -> Request<Body> {
    let machine = MachineFacts {
        host: "SRV1".into(),
        os: "Windows Server 2022".into(),
        agent_version: "0.1.0".into(),
        machine_id: None,
    };
    let request = EnrolRequest { token: token.to_owned(), public_key: key.public(), machine };
    let body = serde_json::to_vec(&request).unwrap();
    let claims = RequestClaims {
        proto: PROTO,
        iss: Uuid::nil(),
        aud: cloud.state.cloud.id,
        iat: cloud.now().timestamp(),
        jti: Uuid::from_u128(1),
        method: "POST".into(),
        path: path::ENROL.into(),
        body: BodyDigest::of(&body),
        link: EnrolLink { token_sha256: Hash::of(token.as_bytes()) },
    };
    to_request(path::ENROL, &jws::sign(Kind::Enrol, key, &claims).unwrap(), body)
}

pub fn to_request(path: &str, jws: &str, body: Vec<u8>) -> Request<Body> {
    Request::post(path).header(header::AUTHORIZATION, format!("Bearer {jws}")).body(Body::from(body)).unwrap()
}

pub async fn ask<T: DeserializeOwned + Serialize>(cloud: &TestCloud, request: Request<Body>) -> Answer<T> {
    let response = cloud.ask(request).await;
    let status = response.status().as_u16();
    let body = axum::body::to_bytes(response.into_body(), 16 << 20).await.unwrap();
    classify(status, None, &body)
}
