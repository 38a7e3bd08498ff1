//! A version goes out ring by ring, stops when it does harm, and obeys what people say about it.

mod rings;
mod stops;
mod decisions;
mod publication;
mod delay;

use chrono::TimeDelta;
use rollcall_domain::rollout::{Ring, RolloutState, Wait, place};
use rollcall_protocol::{
    checkin::{EpochWish, Problem},
    hash::Hash,
    key::PrivateKey,
    update::{
        Version,
        metadata::{Platform, Release},
        name,
        publish::{self, Lives, Signers},
        report::{UpdateOutcome, UpdateReport},
    },
};
use rollcall_store::updates::rollouts::{self, Rollout};

use crate::testing::{TestAgent, TestCloud};

const PROGRAM: &[u8] = b"the program of the new version";

fn makers() -> Signers {
    let key = |seed| vec![PrivateKey::from_seed(&[seed; 32])];
    Signers { root: key(1), targets: key(2), snapshot: key(3), timestamp: key(4) }
}

const WINDOWS: &str = "x86_64-windows";

const LINUX: &str = "x86_64-linux";

fn publish(cloud: &TestCloud, number: u64, versions: &[&str]) {
    let of_windows: Vec<(&str, &str)> = versions.iter().map(|version| (*version, WINDOWS)).collect();
    publish_for(cloud, number, &of_windows);
}

fn publish_for(cloud: &TestCloud, number: u64, versions: &[(&str, &str)]) {
    let release = |(version, platform): &(&str, &str)| Release {
        version: version.parse().unwrap(),
        platform: Platform::new(*platform),
        length: PROGRAM.len() as u64,
        sha256: Hash::of(PROGRAM),
        published_at: Some(cloud.now()),
    };
    put(cloud, number, versions.iter().map(release).collect());
}

fn put(cloud: &TestCloud, number: u64, list: Vec<Release>) {
    let now = cloud.now();
    let mut files = vec![publish::root(1, &makers(), &[], now + TimeDelta::days(900)).unwrap()];
    files.extend(publish::releases(number, list, &makers(), now, Lives::default()).unwrap());
    for (name, text) in files {
        std::fs::write(cloud.releases.path().join(name), text).unwrap();
    }
    std::fs::write(cloud.releases.path().join(name::file(&Hash::of(PROGRAM))), PROGRAM).unwrap();
    // What was read before is forgotten by then.
    cloud.pass(TimeDelta::minutes(1));
}

/// Checks in as this version; answers which version is wanted, if it was told anything.
async fn as_version(cloud: &TestCloud, agent: &mut TestAgent, version: &str) -> Option<String> {
    as_version_on(cloud, agent, version, WINDOWS).await
}

async fn as_version_on(cloud: &TestCloud, agent: &mut TestAgent, version: &str, platform: &str) -> Option<String> {
    let told = agent.check_in_saying(cloud, EpochWish::Keep, |request| {
        request.status.version = version.into();
        request.status.platform = Some(Platform::new(platform));
    });
    told.await.and_then(|desired| desired.update).map(|wanted| wanted.version.to_string())
}

/// Time passes while these agents check in as their versions, often enough to be heard and for the cloud to listen.
async fn listen(cloud: &TestCloud, minutes: i64, agents: &mut [(&mut TestAgent, &str)]) {
    for _ in 0..minutes.div_euclid(4).max(1) {
        cloud.pass(TimeDelta::minutes(4));
        for (agent, version) in agents.iter_mut() {
            as_version(cloud, agent, version).await;
        }
    }
}

/// A day and a bit in which nobody is heard, and then a while in which these are.
async fn a_day_later(cloud: &TestCloud, agents: &mut [(&mut TestAgent, &str)]) {
    cloud.pass(TimeDelta::hours(25));
    listen(cloud, 20, agents).await;
}

async fn as_refusing(cloud: &TestCloud, agent: &mut TestAgent, version: &str) {
    let told = agent.check_in_saying(cloud, EpochWish::Keep, |request| {
        let version: Version = version.parse().unwrap();
        request.status.update = Some(UpdateReport { version, outcome: UpdateOutcome::Refused });
    });
    told.await;
}

async fn as_taken_back(cloud: &TestCloud, agent: &mut TestAgent, from: &str) -> Option<String> {
    let now = cloud.now();
    let told = agent.check_in_saying(cloud, EpochWish::Keep, |request| {
        let version: Version = from.parse().unwrap();
        request.status.update = Some(UpdateReport { version, outcome: UpdateOutcome::TakenBack });
        let detail = format!("version {from}: it ended by itself each time it was started");
        request.status.problems.push(Problem { code: "RC-1050".into(), detail, since: now });
    });
    told.await.and_then(|desired| desired.update).map(|wanted| wanted.version.to_string())
}

async fn rollout(cloud: &TestCloud, version: &str) -> Rollout {
    let mut tx = cloud.db().read(&cloud.who.scope).await.unwrap();
    rollouts::find(&mut tx, version, WINDOWS).await.unwrap().unwrap()
}

async fn state(cloud: &TestCloud, version: &str) -> (Ring, RolloutState, Option<Wait>) {
    let rollout = rollout(cloud, version).await;
    (rollout.ring, rollout.state, rollout.wait())
}

async fn lines_of(cloud: &TestCloud, action: &str) -> usize {
    let mut tx = cloud.db().read(&cloud.who.scope).await.unwrap();
    let lines = rollcall_store::audit::list(&mut tx, &cloud.who.scope, None, 100).await.unwrap();
    lines.iter().filter(|line| line.action == action).count()
}

/// Agents of one customer, and the one that comes first for this version.
async fn agents(cloud: &TestCloud, number: u8) -> Vec<TestAgent> {
    let mut agents = Vec::new();
    for seed in 1..=number {
        agents.push(TestAgent::enrol(cloud, seed).await);
    }
    agents.sort_by_key(|agent| place(agent.id, "0.2.0"));
    agents
}
