//! A server that sends anything at all: a reading ends, in time and in little memory, and never with fewer people.
//!
//! Between the agent and the scripted directory stands a server that damages one message of a reading. Each case is made
//! from its number alone. `cargo xtask soak ldap` runs thousands, the suite three hundred.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rollcall_agent::cycle::{Extent, Purpose};
use rollcall_agent::directory::method::Tls;
use rollcall_agent::service::guarded::guarded;
use rollcall_lab::authority::{Flavour, ServerNames};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};
use uuid::Uuid;

use crate::site::Site;

const SEED: u64 = 20_261_122;

/// What is done to one message of the server, and to which.
#[derive(Debug, Clone, Copy)]
struct Harm {
    at_message: u32,
    kind: Kind,
    seed: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Bits of its first bytes: tags, lengths, the number of the request.
    Frame,
    /// Bits anywhere: the server may say what it likes, and is still only a server.
    Anywhere,
    Truncated,
    Dropped,
    Doubled,
    GarbageBefore,
    /// Arrays in arrays, a thousand deep.
    Nested,
    /// A length of gigabytes.
    Huge,
    Closed,
}

const KINDS: [Kind; 9] = [
    Kind::Frame,
    Kind::Anywhere,
    Kind::Truncated,
    Kind::Dropped,
    Kind::Doubled,
    Kind::GarbageBefore,
    Kind::Nested,
    Kind::Huge,
    Kind::Closed,
];

impl Harm {
    fn of(case: u64, messages: u32) -> Self {
        let mut chance = StdRng::seed_from_u64(SEED ^ case);
        let kind = KINDS[chance.random_range(0..KINDS.len())];
        Self { at_message: chance.random_range(0..messages.max(1)), kind, seed: chance.random() }
    }

    /// The bytes to send in place of this message; `None` to hang up.
    fn apply(self, message: &[u8]) -> Option<Vec<u8>> {
        let mut chance = StdRng::seed_from_u64(self.seed);
        let mut bytes = message.to_vec();
        let flips = |bytes: &mut Vec<u8>, reach: usize, chance: &mut StdRng| {
            for _ in 0..chance.random_range(1..4) {
                let at = chance.random_range(0..reach.min(bytes.len()));
                bytes[at] ^= 1 << chance.random_range(0..8);
            }
        };
        match self.kind {
            Kind::Frame => flips(&mut bytes, 12, &mut chance),
            Kind::Anywhere => flips(&mut bytes, usize::MAX, &mut chance),
            Kind::Truncated => bytes.truncate(chance.random_range(0..bytes.len())),
            Kind::Dropped => bytes.clear(),
            Kind::Doubled => bytes.extend_from_slice(message),
            Kind::GarbageBefore => {
                let mut garbage: Vec<u8> = (0..chance.random_range(1..64)).map(|_| chance.random()).collect();
                garbage.append(&mut bytes);
                bytes = garbage;
            }
            Kind::Nested => bytes = nested(1000),
            Kind::Huge => bytes = [&[0x30, 0x84, 0x7f, 0xff, 0xff, 0xff], message].concat(),
            Kind::Closed => return None,
        }
        Some(bytes)
    }
}

fn nested(depth: usize) -> Vec<u8> {
    let mut bytes = vec![0x05, 0x00];
    for _ in 0..depth {
        let length = u16::try_from(bytes.len()).unwrap().to_be_bytes();
        bytes = [&[0x30, 0x82, length[0], length[1]], bytes.as_slice()].concat();
    }
    bytes
}

/// Stands between agent and directory, with a certificate of the same authority.
struct Mangler {
    address: SocketAddr,
    harm: Arc<Mutex<Option<Harm>>>,
    /// Messages of the server on the last connection.
    seen: Arc<Mutex<u32>>,
}

impl Mangler {
    async fn start(site: &Site) -> Self {
        let directory = &site.directory;
        let names = ServerNames { dns: vec![directory.host_name()], addresses: Vec::new() };
        let shown = directory.authority().issue(&names, Flavour::Good).unwrap().server_config().unwrap();
        let trusted = rollcall_agent::directory::tls::client_config(site.access.target.ca_file.as_deref()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mangler = Self { address: listener.local_addr().unwrap(), harm: Arc::default(), seen: Arc::default() };
        let (harm, seen, upstream) = (mangler.harm.clone(), mangler.seen.clone(), directory.ldaps());
        let name = ServerName::try_from(directory.host_name()).unwrap();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, connector) = (TlsAcceptor::from(shown.clone()), TlsConnector::from(trusted.clone()));
                let (harm, seen, name) = (harm.clone(), seen.clone(), name.clone());
                tokio::spawn(async move {
                    let agent = acceptor.accept(stream).await?;
                    let server = connector.connect(name, TcpStream::connect(upstream).await?).await?;
                    let harm = *harm.lock().unwrap();
                    relay(agent, server, harm, &seen).await
                });
            }
        });
        mangler
    }
}

async fn relay<A, S>(agent: A, server: S, harm: Option<Harm>, seen: &Mutex<u32>) -> std::io::Result<()>
where
    A: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let (mut agent_reads, mut agent_writes) = tokio::io::split(agent);
    let (mut server_reads, mut server_writes) = tokio::io::split(server);
    let up = tokio::io::copy(&mut agent_reads, &mut server_writes);
    let down = async {
        let mut number = 0;
        while let Some(message) = next_message(&mut server_reads).await {
            match harm.filter(|harm| harm.at_message == number) {
                None => agent_writes.write_all(&message).await?,
                Some(harm) => match harm.apply(&message) {
                    Some(bytes) => agent_writes.write_all(&bytes).await?,
                    None => break,
                },
            }
            agent_writes.flush().await?;
            number += 1;
            *seen.lock().unwrap() = number;
        }
        agent_writes.shutdown().await
    };
    tokio::select! {
        _ = up => {}
        _ = down => {}
    }
    Ok(())
}

/// One whole message of the scripted directory, which always writes definite lengths.
async fn next_message(from: &mut (impl tokio::io::AsyncRead + Unpin)) -> Option<Vec<u8>> {
    let mut message = vec![0; 2];
    from.read_exact(&mut message).await.ok()?;
    let length = match message[1] {
        short @ 0..=0x7f => usize::from(short),
        long => {
            let mut octets = vec![0; usize::from(long & 0x7f)];
            from.read_exact(&mut octets).await.ok()?;
            message.extend_from_slice(&octets);
            octets.iter().fold(0, |length, octet| (length << 8) | usize::from(*octet))
        }
    };
    let head = message.len();
    message.resize(head + length, 0);
    from.read_exact(&mut message[head..]).await.ok()?;
    Some(message)
}

struct Range {
    site: Site,
    mangler: Mangler,
    people: BTreeSet<Uuid>,
    messages: u32,
}

impl Range {
    async fn build() -> Self {
        let mut site = Site::synced(40, &["Staff"]).await;
        let mangler = Mangler::start(&site).await;
        let password = site.directory.password().to_owned();
        site.access.target.address = Some(mangler.address.ip());
        site.access.target.timeouts.message = Duration::from_millis(500);
        site.access.target.timeouts.entry = Duration::from_millis(500);
        site.reach(Tls::Ldaps, mangler.address.port(), &password);
        site.cycle(Extent::AsNeeded, &[], Purpose::DryRun).await.unwrap();
        let messages = *mangler.seen.lock().unwrap();
        let people = site.expected().into_keys().collect();
        Self { site, mangler, people, messages }
    }

    /// One reading of everybody with one message damaged. Answers whether it came to an end as complete.
    async fn case(&mut self, number: u64) -> Result<bool, String> {
        let harm = Harm::of(number, self.messages);
        *self.mangler.harm.lock().unwrap() = Some(harm);
        let told = |why: String| format!("case {number} ({harm:?}): {why}");
        let started = Instant::now();
        let read = guarded(self.site.cycle(Extent::Everybody, &[], Purpose::DryRun)).await;
        self.site.spool.drop_reading();
        if started.elapsed() > Duration::from_secs(20) {
            return Err(told(format!("it took {:?}", started.elapsed())));
        }
        match read {
            Err(_) => Err(told("a panic".to_owned())),
            Ok(Err(_)) => Ok(false),
            // Whatever a well-formed lie says about one person, it is about one person, and it is evidence.
            Ok(Ok(summary)) if harm.kind == Kind::Anywhere || harm.kind == Kind::Frame => {
                let most = self.people.len() as u64;
                if summary.people + summary.counts.departed >= most {
                    Ok(true)
                } else {
                    Err(told(format!("{summary:?}")))
                }
            }
            Ok(Ok(summary)) => {
                let is_whole = summary.people == self.people.len() as u64 && summary.counts.departed == 0;
                if is_whole { Ok(true) } else { Err(told(format!("{summary:?}"))) }
            }
        }
    }
}

/// The most memory this process has had, in KiB.
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    peak.trim().trim_end_matches(" kB").parse().unwrap()
}

#[expect(clippy::print_stdout, reason = "a campaign tells its seed, size and bound")]
async fn campaign(cases: u64) {
    let started = Instant::now();
    let mut range = Range::build().await;
    let memory = peak_kib();
    let (mut failures, mut complete) = (Vec::new(), 0);
    for number in 0..cases {
        match range.case(number).await {
            Ok(is_complete) => complete += u64::from(is_complete),
            Err(failure) => {
                println!("{failure}");
                failures.push(failure);
            }
        }
    }
    let grown = peak_kib().saturating_sub(memory) / 1024;
    #[expect(clippy::cast_precision_loss, reason = "a few thousand")]
    let bound = 3.0 / cases as f64;
    println!(
        "ldap: seed {SEED}, {cases} cases of {} messages, {complete} complete, {} failures, below {bound:.5} at 95 %, \
         peak memory grew by {grown} MiB, {:.0?}",
        range.messages,
        failures.len(),
        started.elapsed()
    );
    assert_eq!(failures, Vec::<String>::new());
    assert!(grown < 64, "{grown} MiB");
}

#[tokio::test]
async fn three_hundred_mangled_readings_end_and_lose_nobody() {
    campaign(300).await;
}

#[tokio::test]
#[ignore = "cargo xtask soak ldap"]
async fn soak_ldap() {
    campaign(10_000).await;
}
