//! What the stand-in knows, what it was told to do, and what it answers to a request.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::SocketAddr;

use chrono::{DateTime, TimeDelta, Utc};
use rollcall_protocol::answer::{Receipt, Refusal, TokenFault};
use rollcall_protocol::batch::{BatchClaims, CycleKind};
use rollcall_protocol::body::Reader;
use rollcall_protocol::bundle::{BundleLink, BundleReceipt, Farewell};
use rollcall_protocol::chain::{self, ChainHead, Epoch};
use rollcall_protocol::checkin::{self, CheckinRequest, CheckinResponse, EpochWish};
use rollcall_protocol::desired::{DesiredState, Role};
use rollcall_protocol::digest::{SetDigester, SetSummary};
use rollcall_protocol::enrol::{EnrolLink, EnrolRequest, EnrolResponse, EnrolToken};
use rollcall_protocol::hash::{BodyDigest, Hash};
use rollcall_protocol::item::Item;
use rollcall_protocol::jws::{Kind, Unverified};
use rollcall_protocol::key::{KeyId, PrivateKey, PublicKey};
use rollcall_protocol::person::Person;
use rollcall_protocol::request::RequestClaims;
use rollcall_protocol::revocation::Revocation;
use rollcall_protocol::rotate::{RotateRequest, RotateResponse};
use uuid::Uuid;

use super::forgery::Forgery;
use super::request::Request;
use super::{AGENT, CLOUD, HangUp, now};

/// Everything the stand-in knows and was told to do.
pub struct Books {
    pub(super) key: PrivateKey,
    pub(super) listens_at: SocketAddr,
    pub(super) url: String,
    agent_key: Option<PublicKey>,
    /// Introduced by a rotation and not used for a batch yet.
    next_key: Option<PublicKey>,
    pub rotations: u32,
    pub(super) spent: Vec<Hash>,
    pub(super) desired: DesiredState,
    epoch: Epoch,
    head: ChainHead,
    stored: HashMap<(u64, u64), Hash>,
    pub people: BTreeMap<Uuid, String>,
    /// Parts of a cycle whose last one is not there yet.
    parts: Vec<(BatchClaims, Vec<u8>)>,
    pub cycles: Vec<BatchClaims>,
    pub set: Option<SetSummary>,
    pub departed: Vec<Uuid>,
    pub checkins: Vec<CheckinRequest>,
    /// Asked by a check beside the service.
    pub questions: u32,
    pub batches: u32,
    /// Received in bodies.
    pub bytes: usize,
    /// Answered in this order before anything is looked at.
    pub refuse_batches: VecDeque<Refusal>,
    /// The same answer to every batch, for as long as it stands here.
    pub refuse_every_batch: Option<Refusal>,
    pub refuse_checkins: VecDeque<Refusal>,
    pub refuse_bundles: VecDeque<Refusal>,
    /// The order each answers, and the zip.
    pub bundles: Vec<(Uuid, Vec<u8>)>,
    pub farewells: u32,
    /// What an inspecting proxy would try with the instructions.
    pub forge: Option<Forgery>,
    /// The cloud's clock minus this machine's.
    pub ahead: TimeDelta,
    /// Stores the batch and then hangs up, as a lost acknowledgement.
    pub swallow_receipts: u32,
    pub hang_up_on_rotation: Option<HangUp>,
    pub hang_up_on_enrolment: Option<HangUp>,
    /// Made, not asked for again.
    pub enrolments: u32,
}

impl Books {
    pub(super) fn open(listens_at: SocketAddr) -> Self {
        let epoch = Epoch { number: 1, start: Hash::of(b"first") };
        Self {
            key: PrivateKey::from_seed(&[9; 32]),
            listens_at,
            url: format!("http://{listens_at}"),
            agent_key: None,
            next_key: None,
            rotations: 0,
            spent: Vec::new(),
            desired: no_imports(),
            epoch,
            head: epoch.head(),
            stored: HashMap::new(),
            people: BTreeMap::new(),
            parts: Vec::new(),
            cycles: Vec::new(),
            set: None,
            departed: Vec::new(),
            checkins: Vec::new(),
            questions: 0,
            batches: 0,
            bytes: 0,
            refuse_batches: VecDeque::new(),
            refuse_every_batch: None,
            refuse_checkins: VecDeque::new(),
            refuse_bundles: VecDeque::new(),
            bundles: Vec::new(),
            farewells: 0,
            forge: None,
            ahead: TimeDelta::zero(),
            swallow_receipts: 0,
            hang_up_on_rotation: None,
            hang_up_on_enrolment: None,
            enrolments: 0,
        }
    }

    pub(super) fn swallows(&mut self) -> bool {
        let swallows = self.swallow_receipts > 0;
        self.swallow_receipts = self.swallow_receipts.saturating_sub(1);
        swallows
    }

    fn time(&self) -> DateTime<Utc> {
        now() + self.ahead
    }

    pub(super) fn enrol(&mut self, request: &Request) -> Result<EnrolResponse, Refusal> {
        let body: EnrolRequest = serde_json::from_slice(&request.body).map_err(|_| Refusal::Malformed)?;
        let claims: RequestClaims<EnrolLink> = Unverified::parse(&request.jws)
            .and_then(|jws| jws.verify(Kind::Enrol, &body.public_key))
            .map_err(|_| Refusal::Unauthorized)?;
        self.check_fresh(&claims)?;
        let fault = |reason| Refusal::Token { reason };
        let token = EnrolToken::verify(&body.token, &self.key.public()).map_err(|_| fault(TokenFault::Unknown))?;
        let hash = Hash::of(body.token.as_bytes());
        let is_spent = self.spent.contains(&hash);
        let is_repeated = is_spent && self.agent_key.as_ref() == Some(&body.public_key) && self.checkins.is_empty();
        if claims.link.token_sha256 != hash || (is_spent && !is_repeated) {
            return Err(fault(TokenFault::Used));
        }
        if token.is_expired(self.time()) {
            return Err(fault(TokenFault::Expired));
        }
        if !is_repeated {
            self.enrolments += 1;
            self.spent.push(hash);
            self.agent_key = Some(body.public_key);
        }
        Ok(EnrolResponse {
            agent: AGENT,
            cloud: CLOUD,
            cloud_key: self.key.public(),
            msp: "Northwind IT".into(),
            customer: "Lab".into(),
            epoch: self.epoch,
            server_time: self.time(),
        })
    }

    pub(super) fn rotate(&mut self, request: &Request) -> Result<RotateResponse, Refusal> {
        let claims: RequestClaims = self.verify(request, Kind::Request)?;
        claims.check_body(&BodyDigest::of(&request.body)).map_err(|_| Refusal::Unauthorized)?;
        let asked: RotateRequest = serde_json::from_slice(&request.body).map_err(|_| Refusal::Malformed)?;
        let old = *Unverified::parse(&request.jws).map_err(|_| Refusal::Unauthorized)?.kid();
        asked.check(AGENT, old).map_err(|_| Refusal::Malformed)?;
        self.rotations += 1;
        let key = asked.new_key.id();
        self.next_key = Some(asked.new_key);
        Ok(RotateResponse { key })
    }

    pub fn address(&self) -> SocketAddr {
        self.listens_at
    }

    /// Tokens name this address from now on.
    pub fn call_it(&mut self, url: &str) {
        url.clone_into(&mut self.url);
    }

    pub fn known_key(&self) -> PublicKey {
        self.agent_key.clone().unwrap()
    }

    /// As after a restore from a backup: this key is the agent's, and nothing newer was ever heard of.
    pub fn restore_key(&mut self, key: PublicKey) {
        self.agent_key = Some(key);
        self.next_key = None;
    }

    /// The key that batches are signed with.
    pub fn key(&self) -> KeyId {
        self.agent_key.as_ref().unwrap().id()
    }

    pub fn revocation(&self) -> Refusal {
        let proof = Revocation { cloud: CLOUD, agent: AGENT }.sign(&self.key).unwrap();
        Refusal::Revoked { proof: Some(proof) }
    }

    fn check_fresh<L>(&self, claims: &RequestClaims<L>) -> Result<(), Refusal> {
        claims.check_fresh(self.time()).map_err(|_| Refusal::Skew { server_time: self.time() })
    }

    pub(super) fn hear(&mut self, request: &Request) -> Result<CheckinRequest, Refusal> {
        if let Some(refusal) = self.refuse_checkins.pop_front() {
            return Err(refusal);
        }
        let claims: RequestClaims = self.verify(request, Kind::Request)?;
        self.check_fresh(&claims)?;
        claims.check_body(&BodyDigest::of(&request.body)).map_err(|_| Refusal::Unauthorized)?;
        let said: CheckinRequest = serde_json::from_slice(&request.body).map_err(|_| Refusal::Malformed)?;
        if said.kind == checkin::Kind::Question {
            self.questions += 1;
            return Ok(said);
        }
        if !said.done.is_empty() {
            self.desired.commands.retain(|command| !said.done.contains(&command.id));
            self.desired.version += 1;
        }
        if said.epoch == EpochWish::New {
            // As the cloud does with somebody who knows an older epoch than the one that has batches.
            if said.last_epoch != 0 && said.last_epoch < self.epoch.number && self.head.seq > 1 {
                return Err(Refusal::Fork);
            }
            self.epoch = Epoch {
                number: self.epoch.number.max(said.last_epoch) + 1,
                start: Hash::of(&self.epoch.number.to_be_bytes()),
            };
            self.head = self.epoch.head();
            self.parts.clear();
        }
        self.checkins.push(said.clone());
        Ok(said)
    }

    pub(super) fn tell(&mut self, said: &CheckinRequest) -> CheckinResponse {
        let is_newer = self.desired.version > said.desired_version;
        self.desired.issued_at = now();
        let desired = match &self.forge {
            None => is_newer.then(|| self.desired.sign(&self.key).unwrap()),
            Some(forgery) => Some(forgery.make(&self.desired, &self.key)),
        };
        CheckinResponse {
            server_time: self.time(),
            desired,
            epoch: (said.epoch == EpochWish::New).then_some(self.epoch),
        }
    }

    fn verify<L: serde::de::DeserializeOwned>(
        &self,
        request: &Request,
        kind: Kind,
    ) -> Result<RequestClaims<L>, Refusal> {
        let jws = Unverified::parse(&request.jws).map_err(|_| Refusal::Unauthorized)?;
        let mut keys = self.agent_key.iter().chain(&self.next_key);
        let key = keys.find(|key| key.id() == *jws.kid()).ok_or(Refusal::Unauthorized)?;
        let claims: RequestClaims<L> = jws.verify(kind, key).map_err(|_| Refusal::Unauthorized)?;
        let is_ours = claims.iss == AGENT && claims.aud == CLOUD && claims.path == request.path;
        if is_ours { Ok(claims) } else { Err(Refusal::Unauthorized) }
    }

    pub(super) fn take(&mut self, request: &Request) -> Result<Receipt, Refusal> {
        if let Some(refusal) = self.refuse_batches.pop_front().or_else(|| self.refuse_every_batch.clone()) {
            return Err(refusal);
        }
        let claims: BatchClaims = self.verify(request, Kind::Batch)?;
        claims.check_body(&BodyDigest::of(&request.body)).map_err(|_| Refusal::Unauthorized)?;
        let link = claims.link.chain;
        let hash = Hash::of(request.jws.as_bytes());
        let stored = self.stored.get(&(link.epoch, link.seq));
        match chain::judge(&self.head, stored, &link, &hash) {
            chain::Verdict::Next => {}
            chain::Verdict::Duplicate => return Ok(Receipt { head: self.head }),
            chain::Verdict::Fork => return Err(Refusal::Fork),
            chain::Verdict::Gap { expected } => return Err(Refusal::Gap { expected }),
            chain::Verdict::WrongEpoch => return Err(Refusal::Epoch),
        }
        let kid = *Unverified::parse(&request.jws).unwrap().kid();
        if let Some(next) = self.next_key.take_if(|next| next.id() == kid) {
            self.agent_key = Some(next);
        }
        self.stored.insert((link.epoch, link.seq), hash);
        self.head = link.then(hash);
        self.batches += 1;
        self.bytes += request.body.len();
        let is_last = claims.link.cycle.is_last();
        self.parts.push((claims, request.body.clone()));
        if is_last {
            self.apply();
        }
        Ok(Receipt { head: self.head })
    }

    pub(super) fn take_bundle(&mut self, request: &Request) -> Result<BundleReceipt, Refusal> {
        if let Some(refusal) = self.refuse_bundles.pop_front() {
            return Err(refusal);
        }
        let claims: RequestClaims<BundleLink> = self.verify(request, Kind::Bundle)?;
        self.check_fresh(&claims)?;
        claims.check_body(&BodyDigest::of(&request.body)).map_err(|_| Refusal::Unauthorized)?;
        self.bundles.push((claims.link.command, request.body.clone()));
        Ok(BundleReceipt { bundle: Uuid::from_u128(0xb0 + self.bundles.len() as u128) })
    }

    pub(super) fn take_leave(&mut self, request: &Request) -> Result<serde_json::Value, Refusal> {
        let claims: RequestClaims = self.verify(request, Kind::Request)?;
        claims.check_body(&BodyDigest::of(&request.body)).map_err(|_| Refusal::Unauthorized)?;
        let said: Farewell = serde_json::from_slice(&request.body).map_err(|_| Refusal::Malformed)?;
        assert_eq!(said.leaves, AGENT);
        self.farewells += 1;
        Ok(serde_json::json!({}))
    }

    /// Forgets everything after a number, as a database restored from a backup.
    pub fn restore(&mut self, seq: u64, prev: Hash) {
        self.stored.retain(|(_, stored), _| *stored < seq);
        self.head = ChainHead { seq, prev, ..self.head };
    }

    pub fn head(&self) -> ChainHead {
        self.head
    }

    fn apply(&mut self) {
        let parts = std::mem::take(&mut self.parts);
        let last = parts.last().unwrap().0.clone();
        if last.link.cycle.kind == CycleKind::Full {
            self.people.clear();
        }
        for (_, body) in &parts {
            let mut items = Reader::new(body).unwrap();
            while let Some(item) = items.next_item().unwrap() {
                match item.unwrap() {
                    Item::Present(json) => {
                        let person: Person = serde_json::from_str(json.get()).unwrap();
                        self.people.insert(person.guid, json.get().to_owned());
                    }
                    Item::Departed(departure) => {
                        self.people.remove(&departure.guid);
                        self.departed.push(departure.guid);
                    }
                    Item::Ou(_) | Item::Group(_) => {}
                }
            }
        }
        let mut digest = SetDigester::default();
        for (guid, json) in &self.people {
            digest.push(*guid, &Hash::of(json.as_bytes())).unwrap();
        }
        let summary = digest.finish();
        assert_eq!(summary, last.link.cycle.set, "the cloud's set differs from the agent's");
        self.set = Some(summary);
        self.cycles.push(last);
    }
}

fn no_imports() -> DesiredState {
    DesiredState {
        cloud: CLOUD,
        agent: AGENT,
        version: 1,
        issued_at: DateTime::UNIX_EPOCH,
        role: Role::Active,
        domain: None,
        pause: None,
        imports: Vec::new(),
        commands: Vec::new(),
        update: None,
    }
}
