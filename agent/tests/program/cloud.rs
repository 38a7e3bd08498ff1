//! A stand-in for the cloud on loopback: it verifies every request as the protocol demands, keeps what it was told, and
//! refuses what a test tells it to.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use rollcall_protocol::answer::{Receipt, Refusal, TokenFault};
use rollcall_protocol::batch::{BatchClaims, CycleKind};
use rollcall_protocol::body::Reader;
use rollcall_protocol::bundle::{BundleLink, BundleReceipt, Farewell};
use rollcall_protocol::chain::{self, ChainHead, Epoch};
use rollcall_protocol::checkin::{self, CheckinRequest, CheckinResponse, EpochWish};
use rollcall_protocol::desired::{Command, DesiredImport, DesiredState, Order, Role};
use rollcall_protocol::digest::{SetDigester, SetSummary};
use rollcall_protocol::directory::DomainPin;
use rollcall_protocol::enrol::{EnrolLink, EnrolRequest, EnrolResponse, EnrolToken};
use rollcall_protocol::hash::{BodyDigest, Hash};
use rollcall_protocol::item::Item;
use rollcall_protocol::jws::{Kind, Unverified};
use rollcall_protocol::key::{KeyId, PrivateKey, PublicKey};
use rollcall_protocol::path;
use rollcall_protocol::person::Person;
use rollcall_protocol::request::RequestClaims;
use rollcall_protocol::revocation::Revocation;
use rollcall_protocol::rotate::{RotateRequest, RotateResponse};
use serde::Serialize;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::{JoinHandle, JoinSet};
use uuid::Uuid;

pub const AGENT: Uuid = Uuid::from_u128(0xa9);
pub const CLOUD: Uuid = Uuid::from_u128(0xc1);

#[derive(Clone)]
pub struct Cloud {
    books: Arc<Mutex<Books>>,
    news: Arc<Notify>,
    serving: Arc<Mutex<Option<JoinHandle<()>>>>,
}

/// Everything the stand-in knows and was told to do.
pub struct Books {
    key: PrivateKey,
    listens_at: SocketAddr,
    url: String,
    agent_key: Option<PublicKey>,
    /// Introduced by a rotation and not used for a batch yet.
    next_key: Option<PublicKey>,
    pub rotations: u32,
    spent: Vec<Hash>,
    desired: DesiredState,
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

/// When the connection breaks under a rotation or an enrolment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HangUp {
    Before,
    /// The key is taken, and nobody hears so.
    After,
}

impl Cloud {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let listens_at = listener.local_addr().unwrap();
        let url = format!("http://{listens_at}");
        let epoch = Epoch { number: 1, start: Hash::of(b"first") };
        let books = Books {
            key: PrivateKey::from_seed(&[9; 32]),
            listens_at,
            url,
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
        };
        let cloud = Self { books: Arc::new(Mutex::new(books)), news: Arc::default(), serving: Arc::default() };
        cloud.serve_on(listener);
        cloud
    }

    fn serve_on(&self, listener: TcpListener) {
        let cloud = self.clone();
        let serving = tokio::spawn(async move {
            // Dropped with the task: whoever is connected is cut off.
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let cloud = cloud.clone();
                connections.spawn(async move { drop(cloud.serve(stream).await) });
            }
        });
        *self.serving.lock().unwrap() = Some(serving);
    }

    /// Nobody listens any more, and whoever is connected is cut off.
    pub async fn go_away(&self) {
        let serving = self.serving.lock().unwrap().take();
        if let Some(serving) = serving {
            serving.abort();
            let _ = serving.await;
        }
    }

    /// At the same address as before.
    pub async fn come_back(&self) {
        let address = self.books(|books| books.listens_at);
        for _ in 0..100 {
            if let Ok(listener) = TcpListener::bind(address).await {
                return self.serve_on(listener);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the cloud's port is taken");
    }

    pub fn books<T>(&self, look: impl FnOnce(&mut Books) -> T) -> T {
        look(&mut self.books.lock().unwrap())
    }

    pub fn token(&self) -> String {
        self.token_until(now() + TimeDelta::hours(1))
    }

    pub fn token_until(&self, end: DateTime<Utc>) -> String {
        self.books(|books| {
            let token = EnrolToken {
                iss: CLOUD,
                url: books.url.clone(),
                customer: Uuid::from_u128(5),
                jti: format!("token-number-{:08}", books.spent.len() + books.checkins.len()),
                exp: end.timestamp(),
            };
            let token = token.sign(&books.key).unwrap();
            rollcall_lab::witness::secret("an enrolment token", &token);
            rollcall_lab::witness::secret("a token's signature", token.rsplit('.').next().unwrap());
            token
        })
    }

    /// Changes what the agent should do, and wakes a waiting check-in.
    pub fn want(&self, change: impl FnOnce(&mut DesiredState)) {
        self.books(|books| {
            books.desired.version += 1;
            change(&mut books.desired);
        });
        self.news.notify_waiters();
    }

    pub fn select(&self, import: DesiredImport) {
        self.want(|desired| desired.imports = vec![import]);
    }

    pub fn order(&self, order: Order) -> Uuid {
        let id = Uuid::from_u128(0xc0_0000 + u128::from(self.books(|books| books.desired.version)));
        self.want(|desired| desired.commands.push(Command { id, order }));
        id
    }

    /// Waits until something is so, or fails after half a minute.
    pub async fn until(&self, what: &str, mut is_so: impl FnMut(&mut Books) -> bool) {
        for _ in 0..600 {
            if self.books(&mut is_so) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{what} did not happen");
    }

    async fn serve(&self, stream: TcpStream) -> std::io::Result<()> {
        let mut stream = BufReader::new(stream);
        while let Some(request) = read_request(&mut stream).await? {
            let Some((status, body)) = self.answer(&request).await else { return Ok(()) };
            let head = format!("HTTP/1.1 {status} x\r\ncontent-length: {}\r\n\r\n", body.len());
            stream.write_all(head.as_bytes()).await?;
            stream.write_all(&body).await?;
            stream.flush().await?;
        }
        Ok(())
    }

    async fn answer(&self, request: &Request) -> Option<(u16, Vec<u8>)> {
        Some(match request.path.as_str() {
            "/agent/v1/enroll" => {
                let hang_up = self.books(|books| books.hang_up_on_enrolment.take());
                if hang_up == Some(HangUp::Before) {
                    return None;
                }
                let enrolled = self.books(|books| books.enrol(request));
                if hang_up == Some(HangUp::After) {
                    return None;
                }
                reply(enrolled)
            }
            "/agent/v1/checkin" => reply(self.check_in(request).await),
            "/agent/v1/rotate" => {
                let hang_up = self.books(|books| books.hang_up_on_rotation.take());
                if hang_up == Some(HangUp::Before) {
                    return None;
                }
                let rotated = self.books(|books| books.rotate(request));
                if hang_up == Some(HangUp::After) {
                    return None;
                }
                reply(rotated)
            }
            "/agent/v1/batches" => {
                let taken = self.books(|books| books.take(request));
                if taken.is_ok() && self.books(Books::swallows) {
                    return None;
                }
                reply(taken)
            }
            path::BUNDLES => reply(self.books(|books| books.take_bundle(request))),
            path::LEAVE => reply(self.books(|books| books.take_leave(request))),
            _ => (404, Vec::new()),
        })
    }

    async fn check_in(&self, request: &Request) -> Result<CheckinResponse, Refusal> {
        let said = self.books(|books| books.hear(request))?;
        let is_news = |books: &mut Books| books.desired.version > said.desired_version;
        if said.epoch == EpochWish::Keep && !self.books(is_news) {
            let wait = Duration::from_secs(u64::from(said.wait_seconds));
            let _ = tokio::time::timeout(wait, self.news.notified()).await;
        }
        Ok(self.books(|books| books.tell(&said)))
    }
}

fn reply<T: Serialize>(result: Result<T, Refusal>) -> (u16, Vec<u8>) {
    match result {
        Ok(answer) => (200, serde_json::to_vec(&answer).unwrap()),
        Err(refusal) => (refusal.status(), serde_json::to_vec(&refusal).unwrap()),
    }
}

impl Books {
    fn swallows(&mut self) -> bool {
        let swallows = self.swallow_receipts > 0;
        self.swallow_receipts = self.swallow_receipts.saturating_sub(1);
        swallows
    }

    fn time(&self) -> DateTime<Utc> {
        now() + self.ahead
    }

    fn enrol(&mut self, request: &Request) -> Result<EnrolResponse, Refusal> {
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

    fn rotate(&mut self, request: &Request) -> Result<RotateResponse, Refusal> {
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

    fn hear(&mut self, request: &Request) -> Result<CheckinRequest, Refusal> {
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

    fn tell(&mut self, said: &CheckinRequest) -> CheckinResponse {
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

    fn take(&mut self, request: &Request) -> Result<Receipt, Refusal> {
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

    fn take_bundle(&mut self, request: &Request) -> Result<BundleReceipt, Refusal> {
        if let Some(refusal) = self.refuse_bundles.pop_front() {
            return Err(refusal);
        }
        let claims: RequestClaims<BundleLink> = self.verify(request, Kind::Bundle)?;
        self.check_fresh(&claims)?;
        claims.check_body(&BodyDigest::of(&request.body)).map_err(|_| Refusal::Unauthorized)?;
        self.bundles.push((claims.link.command, request.body.clone()));
        Ok(BundleReceipt { bundle: Uuid::from_u128(0xb0 + self.bundles.len() as u128) })
    }

    fn take_leave(&mut self, request: &Request) -> Result<serde_json::Value, Refusal> {
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

#[expect(clippy::disallowed_methods, reason = "the stand-in is a program of its own and has the real time")]
pub fn now() -> DateTime<Utc> {
    Utc::now()
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

/// Instructions that must not be obeyed.
#[derive(Debug, Clone, Copy)]
pub enum Forgery {
    OtherKey,
    Older,
    OtherAgent,
    OtherDomain,
}

impl Forgery {
    /// With an empty list of imports, so that obeying would be seen.
    fn make(self, desired: &DesiredState, key: &PrivateKey) -> String {
        let mut forged = DesiredState { imports: Vec::new(), version: desired.version + 1, ..desired.clone() };
        match self {
            Self::OtherKey => return forged.sign(&PrivateKey::from_seed(&[66; 32])).unwrap(),
            Self::Older => forged.version = 1,
            Self::OtherAgent => forged.agent = Uuid::from_u128(0xbad),
            Self::OtherDomain => {
                let pin =
                    DomainPin { guid: Uuid::from_u128(0xbad), sid: "S-1-5-21-6-6-6".into(), dns_name: "bad".into() };
                forged.domain = Some(pin);
            }
        }
        forged.sign(key).unwrap()
    }
}

struct Request {
    path: String,
    jws: String,
    body: Vec<u8>,
}

async fn read_request(stream: &mut BufReader<TcpStream>) -> std::io::Result<Option<Request>> {
    let mut line = String::new();
    if stream.read_line(&mut line).await? == 0 {
        return Ok(None);
    }
    let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
    let (mut jws, mut length) = (String::new(), 0);
    loop {
        let mut header = String::new();
        stream.read_line(&mut header).await?;
        let header = header.trim_end();
        if header.is_empty() {
            break;
        }
        let (name, value) = header.split_once(": ").unwrap_or_default();
        match name.to_ascii_lowercase().as_str() {
            "authorization" => value.trim_start_matches("Bearer ").clone_into(&mut jws),
            "content-length" => length = value.parse().unwrap(),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    Ok(Some(Request { path, jws, body }))
}
