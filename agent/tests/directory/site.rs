//! One customer's side in one process: a scripted directory, a spool, and a stand-in for the cloud that checks every
//! batch as the cloud must and keeps what it was told.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::ops::{Deref, DerefMut};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use rollcall_agent::clock::{Chance, Clock};
use rollcall_agent::cycle::{Cycle, CycleError, Extent, Purpose, Summary, Wish};
use rollcall_agent::directory::access::Access;
use rollcall_agent::directory::ceiling::NeverRead;
use rollcall_agent::directory::connect::{Target, Timeouts};
use rollcall_agent::directory::controllers::Controllers;
use rollcall_agent::directory::method::{Credentials, Method, Tls};
use rollcall_agent::directory::people::AttributeList;
use rollcall_agent::signer::Signer;
use rollcall_agent::spool::Spool;
use rollcall_lab::directory::{Directory, Plan, Setup};
use rollcall_protocol::batch::{BatchClaims, CycleKind, Trigger};
use rollcall_protocol::body::Reader;
use rollcall_protocol::chain::{self, ChainHead, Epoch};
use rollcall_protocol::desired::{DesiredImport, DesiredState, Nesting, Role, Selection, SelectionKind};
use rollcall_protocol::digest::SetDigester;
use rollcall_protocol::evidence::{Departure, Evidence, Stance};
use rollcall_protocol::hash::{BodyDigest, Hash};
use rollcall_protocol::item::Item;
use rollcall_protocol::jws::{Kind, Unverified};
use rollcall_protocol::key::PrivateKey;
use rollcall_protocol::loss::Accepted;
use rollcall_protocol::person::Person;
use rollcall_protocol::structure::{Group, OrgUnit};
use tempfile::TempDir;
use uuid::Uuid;

/// A scripted directory and the agent that reads it.
pub struct Site {
    pub directory: Directory,
    agent: Installation,
}

impl Deref for Site {
    type Target = Installation;

    fn deref(&self) -> &Installation {
        &self.agent
    }
}

impl DerefMut for Site {
    fn deref_mut(&mut self) -> &mut Installation {
        &mut self.agent
    }
}

/// One agent with its spool, whatever it reads.
pub struct Installation {
    pub desired: DesiredState,
    pub access: Access,
    pub spool: Spool,
    pub cloud: StandIn,
    pub clock: Clock,
    pub second_reading_after: TimeDelta,
    /// Attributes whose disappearance a human accepts with the next cycle.
    pub accepted: Vec<Accepted>,
    pub signer: Signer,
    chance: Chance,
    pub folder: TempDir,
}

/// What a cloud would know.
#[derive(Clone, Default)]
pub struct StandIn {
    pub people: BTreeMap<Uuid, String>,
    pub departures: Vec<Departure>,
    pub ous: Vec<OrgUnit>,
    pub groups: Vec<Group>,
    pub last: Option<BatchClaims>,
    /// Believed present until the last full snapshot, which did not name them: the agent is asked about them.
    pub unconfirmed: BTreeSet<Uuid>,
    head: Option<ChainHead>,
    stored: BTreeMap<(u64, u64), Hash>,
}

pub const IMPORT: Uuid = Uuid::from_u128(0x1001);

impl Site {
    pub fn new(users: usize) -> Self {
        let directory = Directory::start(&Plan::new(users, 7), Setup::default()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let access = access(&directory, folder.path());
        Self { directory, agent: Installation::new(access, folder) }
    }

    /// A site whose import holds OUs by their path from the top, `Staff/Berlin`, and that has synchronised once.
    pub async fn synced(users: usize, ous: &[&str]) -> Self {
        let mut site = Self::new(users);
        site.select_ous(ous);
        site.sync().await.unwrap();
        site
    }

    pub fn ou(&self, path: &str) -> Uuid {
        let dn: Vec<_> = path.split('/').rev().map(|name| format!("OU={name}")).collect();
        self.directory.at(&dn.join(",")).unwrap()
    }

    pub fn select_ous(&mut self, paths: &[&str]) {
        let select = |path: &&str| Selection { guid: self.ou(path), kind: SelectionKind::Ou };
        self.desired.imports[0].include = paths.iter().map(select).collect();
        self.desired.version += 1;
    }

    /// From now on this controller is the one that is read.
    pub fn go_to(&mut self, controller: &Directory) {
        self.access.target.host = controller.host_name();
        self.access.target.address = Some(controller.ldaps().ip());
        self.access.controllers = Controllers::one(&controller.host_name());
        self.reach(Tls::Ldaps, controller.ldaps().port(), controller.password());
    }

    /// From now on this is the password that is sent.
    pub fn use_password(&mut self, password: &str) {
        self.reach(Tls::Ldaps, self.directory.ldaps().port(), password);
    }

    /// From now on this is the only way to the directory.
    pub fn reach(&mut self, tls: Tls, port: u16, password: &str) {
        let credentials = Credentials { user: self.directory.bind_name(), password: password.to_owned().into() };
        self.access.methods = vec![Method::PasswordOverTls { tls, port, credentials }];
    }

    /// Everybody in scope, as the lab reckons it: OUs with all below, groups with direct and primary members.
    pub fn expected(&self) -> BTreeMap<Uuid, String> {
        let include = &self.desired.imports[0].include;
        let is_in = |person: &rollcall_lab::directory::Person| {
            include.iter().any(|held| match held.kind {
                SelectionKind::Ou => person.containers.contains(&held.guid),
                SelectionKind::Group => person.groups.contains(&held.guid) || person.primary_group == Some(held.guid),
            })
        };
        let people = self.directory.people().into_iter();
        let people = people.filter(|person| person.standing == rollcall_lab::directory::Standing::Ordinary);
        people.filter(is_in).map(|person| (person.guid, person.account_name)).collect()
    }
}

impl Installation {
    pub fn new(access: Access, folder: TempDir) -> Self {
        let now = DateTime::from_timestamp(1_760_000_000, 0).unwrap();
        let (mut spool, _) = Spool::open(folder.path(), now).unwrap();
        let epoch = Epoch { number: 1, start: Hash::of(b"start") };
        spool.begin_epoch(epoch).unwrap();
        let signer =
            Signer { key: PrivateKey::from_seed(&[3; 32]), agent: Uuid::from_u128(2), cloud: Uuid::from_u128(1) };
        Self {
            access,
            desired: desired(),
            spool,
            cloud: StandIn { head: Some(epoch.head()), ..StandIn::default() },
            clock: Clock::fixed(now),
            second_reading_after: TimeDelta::minutes(1),
            accepted: Vec::new(),
            signer,
            chance: Chance::seeded(1),
            folder,
        }
    }

    pub fn select_group(&mut self, guid: Uuid) {
        self.desired.imports[0].include = vec![Selection { guid, kind: SelectionKind::Group }];
        self.desired.version += 1;
    }

    /// Later, by this much.
    pub fn pass(&mut self, time: TimeDelta) {
        self.clock = Clock::fixed(self.clock.now() + time);
    }

    /// One cycle and everything it sends.
    pub async fn sync(&mut self) -> Result<Summary, CycleError> {
        self.sync_with(Extent::AsNeeded, &[]).await
    }

    pub async fn sync_with(&mut self, extent: Extent, confirm: &[Uuid]) -> Result<Summary, CycleError> {
        let summary = self.cycle(extent, confirm, Purpose::Publish).await?;
        self.deliver();
        Ok(summary)
    }

    pub async fn cycle(&mut self, extent: Extent, confirm: &[Uuid], purpose: Purpose) -> Result<Summary, CycleError> {
        self.pass(TimeDelta::minutes(1));
        let cycle = Cycle {
            spool: &mut self.spool,
            access: &self.access,
            desired: &self.desired,
            signer: &self.signer,
            clock: &self.clock,
            chance: &self.chance,
            second_reading_after: self.second_reading_after,
            pace: None,
            progress: &|_| {},
        };
        let wish = Wish {
            trigger: Trigger::SyncNow,
            extent,
            confirm: confirm.to_vec(),
            accepted: std::mem::take(&mut self.accepted),
            purpose,
        };
        cycle.run(&wish).await
    }

    /// The cloud's picture, by account name.
    pub fn seen(&self) -> BTreeMap<Uuid, String> {
        let name = |json: &String| serde_json::from_str::<Person>(json).unwrap().account_name;
        self.cloud.people.iter().map(|(guid, json)| (*guid, name(json))).collect()
    }

    pub fn seen_person(&self, guid: Uuid) -> Option<Person> {
        self.cloud.people.get(&guid).map(|json| serde_json::from_str(json).unwrap())
    }

    /// Delivers what waits, as a cloud that checks everything and takes it.
    pub fn deliver(&mut self) {
        let mut delivered = false;
        while let Some(batch) = self.spool.next_batch().unwrap() {
            self.cloud.take(&batch.jws, &batch.body, &self.signer.key);
            self.spool.acknowledge(&batch, self.clock.now()).unwrap();
            delivered = true;
        }
        if delivered {
            self.cloud.check_set();
        }
    }

    /// What was said of somebody in the last cycle.
    pub fn evidence_for(&self, guid: Uuid) -> Option<Evidence> {
        self.cloud
            .departures
            .iter()
            .find(|departure| departure.guid == guid)
            .map(|departure| departure.evidence.clone())
    }
}

impl StandIn {
    fn take(&mut self, jws: &str, body: &[u8], key: &PrivateKey) {
        assert_eq!(self.offer(jws, body, key), chain::Verdict::Next);
    }

    /// A new epoch, as after a lost spool.
    pub fn begin_epoch(&mut self, known: u64) -> Epoch {
        let number = self.head.map_or(0, |head| head.epoch).max(known) + 1;
        let epoch = Epoch { number, start: Hash::of(&number.to_be_bytes()) };
        self.head = Some(epoch.head());
        epoch
    }

    /// Verifies a batch, judges its place, and takes it if it is the next one.
    pub fn offer(&mut self, jws: &str, body: &[u8], key: &PrivateKey) -> chain::Verdict {
        let claims: BatchClaims = Unverified::parse(jws).unwrap().verify(Kind::Batch, &key.public()).unwrap();
        claims.check_body(&BodyDigest::of(body)).unwrap();
        let head = self.head.unwrap();
        let (link, hash) = (claims.link.chain, Hash::of(jws.as_bytes()));
        let verdict = chain::judge(&head, self.stored.get(&(link.epoch, link.seq)), &link, &hash);
        if verdict != chain::Verdict::Next {
            return verdict;
        }
        self.stored.insert((link.epoch, link.seq), hash);
        self.head = Some(head.then(hash));
        self.store(claims, body);
        verdict
    }

    fn store(&mut self, claims: BatchClaims, body: &[u8]) {
        let cycle = &claims.link.cycle;
        if cycle.part == 1 {
            self.departures.clear();
            if cycle.kind == CycleKind::Full {
                self.unconfirmed.extend(self.people.keys());
                self.people.clear();
            }
            if cycle.structure == rollcall_protocol::batch::StructurePart::Included {
                self.ous.clear();
                self.groups.clear();
            }
        }
        let mut items = Reader::new(body).unwrap();
        let mut count = 0;
        while let Some(item) = items.next_item().unwrap() {
            count += 1;
            self.apply(item.unwrap());
        }
        assert_eq!(count, cycle.items);
        self.last = Some(claims);
    }

    fn apply(&mut self, item: Item) {
        match item {
            Item::Present(json) => {
                let person: Person = serde_json::from_str(json.get()).unwrap();
                assert!(!person.imports.is_empty());
                self.unconfirmed.remove(&person.guid);
                self.people.insert(person.guid, json.get().to_owned());
            }
            Item::Departed(departure) => {
                self.unconfirmed.remove(&departure.guid);
                self.departures.push(departure);
            }
            Item::Ou(unit) => self.ous.push(unit),
            Item::Group(group) => self.groups.push(group),
        }
    }

    /// People without a membership left leave the set; then count and digest must agree.
    pub fn check_set(&mut self) {
        for departure in &self.departures {
            let Some(json) = self.people.get(&departure.guid) else { continue };
            let person: Person = serde_json::from_str(json).unwrap();
            if person.imports.iter().all(|held| held.import == departure.import) {
                self.people.remove(&departure.guid);
            }
        }
        let mut digest = SetDigester::default();
        for (guid, json) in &self.people {
            digest.push(*guid, &Hash::of(json.as_bytes())).unwrap();
        }
        assert_eq!(digest.finish(), self.last.as_ref().unwrap().link.cycle.set);
    }

    pub fn stances(&self) -> Vec<Stance> {
        self.departures.iter().map(|departure| departure.stance).collect()
    }
}

fn access(directory: &Directory, folder: &std::path::Path) -> Access {
    let ca_file = folder.join("ca.pem");
    directory.authority().write_pem(&ca_file).unwrap();
    let address: IpAddr = directory.ldaps().ip();
    Access {
        controllers: Controllers::one(&directory.host_name()),
        target: Target {
            host: directory.host_name(),
            address: Some(address),
            ca_file: Some(ca_file),
            timeouts: Timeouts {
                connect: Duration::from_secs(3),
                message: Duration::from_secs(2),
                entry: Duration::from_secs(2),
            },
        },
        methods: vec![Method::PasswordOverTls {
            tls: Tls::Ldaps,
            port: directory.ldaps().port(),
            credentials: Credentials { user: directory.bind_name(), password: directory.password().to_owned().into() },
        }],
        attributes: AttributeList::without(&[]).unwrap(),
        never_read: NeverRead::default(),
    }
}

fn desired() -> DesiredState {
    DesiredState {
        cloud: Uuid::from_u128(1),
        agent: Uuid::from_u128(2),
        version: 1,
        issued_at: DateTime::<Utc>::UNIX_EPOCH,
        role: Role::Active,
        domain: None,
        pause: None,
        imports: vec![DesiredImport {
            import: IMPORT,
            pause: None,
            include: Vec::new(),
            exclude: Vec::new(),
            interval_minutes: 180,
            nesting: Nesting::Direct,
        }],
        commands: Vec::new(),
        update: None,
    }
}
