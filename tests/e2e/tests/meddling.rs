//! Somebody on the way between an agent and the real cloud who writes into answers what nobody has signed.

#![expect(clippy::unwrap_used, reason = "a test fails loudly")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rollcall_e2e::{Customer, ScriptedScope};
use rollcall_lab::directory::{Directory, Plan, Setup};
use rollcall_lab::world::{AgentSetup, Binding, Cloud, CloudSetup};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// Hands requests on and puts an epoch into each answer to a check-in: this number, one more each time; 0 for none.
#[derive(Clone)]
struct Meddler {
    address: SocketAddr,
    next_epoch: Arc<AtomicU64>,
}

impl Meddler {
    async fn before(cloud: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let meddler = Self { address: listener.local_addr().unwrap(), next_epoch: Arc::default() };
        let serving = meddler.clone();
        tokio::spawn(async move {
            while let Ok((agent, _)) = listener.accept().await {
                let serving = serving.clone();
                tokio::spawn(async move { drop(serving.relay(agent, cloud).await) });
            }
        });
        meddler
    }

    async fn relay(&self, agent: TcpStream, cloud: SocketAddr) -> std::io::Result<()> {
        let (mut agent, mut cloud) = (BufReader::new(agent), BufReader::new(TcpStream::connect(cloud).await?));
        loop {
            let (head, body) = read(&mut agent).await?;
            let is_checkin = head.starts_with("POST /agent/v1/checkin ");
            write(&mut cloud, &head, &body).await?;
            let (head, body) = read(&mut cloud).await?;
            let body = if is_checkin { self.meddle(body) } else { body };
            write(&mut agent, &head, &body).await?;
        }
    }

    fn meddle(&self, body: Vec<u8>) -> Vec<u8> {
        let mut answer: Value = serde_json::from_slice(&body).unwrap_or_default();
        let next = self.next_epoch.load(Ordering::Relaxed);
        if next == 0 || !answer.is_object() {
            return body;
        }
        self.next_epoch.store(next + 1, Ordering::Relaxed);
        answer["epoch"] = json!({ "number": next, "start": "A".repeat(43) });
        serde_json::to_vec(&answer).unwrap()
    }

    /// Begins with this number; ready when it was told this often.
    async fn invent(&self, first: u64, times: u64, customer: &Customer) {
        self.next_epoch.store(first, Ordering::Relaxed);
        while self.next_epoch.load(Ordering::Relaxed) < first + times {
            // Each is a reason to answer a check-in.
            for act in ["pause", "resume"] {
                let body = json!({"reason": "moving offices"});
                customer.api.post(&format!("/customers/{}/{act}", customer.id), &body).await.unwrap();
                tokio::time::sleep(Duration::from_millis(400)).await;
            }
        }
        self.next_epoch.store(0, Ordering::Relaxed);
    }
}

/// The head without its length, and the body.
async fn read(from: &mut BufReader<TcpStream>) -> std::io::Result<(String, Vec<u8>)> {
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if from.read_line(&mut line).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        match line.to_ascii_lowercase().strip_prefix("content-length:") {
            Some(told) => length = told.trim().parse().unwrap(),
            None if line.trim().is_empty() => break,
            None => head.push_str(&line),
        }
    }
    let mut body = vec![0; length];
    from.read_exact(&mut body).await?;
    Ok((head, body))
}

async fn write(to: &mut BufReader<TcpStream>, head: &str, body: &[u8]) -> std::io::Result<()> {
    to.write_all(format!("{head}content-length: {}\r\n\r\n", body.len()).as_bytes()).await?;
    to.write_all(body).await?;
    to.flush().await
}

#[tokio::test(flavor = "multi_thread")]
async fn epochs_that_somebody_on_the_way_invents_make_nobody_read_and_no_agent_a_copy_of_itself() {
    let directory = Directory::start(&Plan::new(60, 5), Setup::default()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let binding = Binding::to_directory(&directory, &folder.path().join("ca.pem")).unwrap();
    let cloud = Cloud::start(&CloudSetup::default()).await.unwrap();
    let mut customer = Customer::install(&cloud, "Harbour Dental", &AgentSetup::new(binding)).await.unwrap();
    customer.sync().await.unwrap();
    let scope = ScriptedScope { ous: vec![directory.at("OU=Staff").unwrap()], groups: Vec::new() };
    customer.import("Staff", &[("ou", scope.ous[0])], &[]).await.unwrap();
    // A lost spool: from here on the agent works in the second epoch.
    std::fs::remove_file(customer.agent.folder().join("data/spool.sqlite")).unwrap();
    customer.sync().await.unwrap();

    // given: somebody sits on the way.
    let meddler = Meddler::before(cloud.url.trim_start_matches("http://").parse().unwrap()).await;
    let identity = customer.agent.folder().join("data/identity.json");
    let moved = std::fs::read_to_string(&identity).unwrap().replace(&cloud.url, &format!("http://{}", meddler.address));
    std::fs::write(&identity, moved).unwrap();
    customer.agent.run().unwrap();

    // when: twenty epochs in a row are invented, and one that is over.
    let before = directory.tally();
    meddler.invent(3, 20, &customer).await;
    meddler.invent(1, 1, &customer).await;

    // then: nobody was read for them, and what is ordered is read and taken.
    assert_eq!(directory.tally().connections, before.connections, "{}", customer.agent.said());
    let runs = customer.runs().await.unwrap().len();
    customer.api.post(&format!("/customers/{}/sync", customer.id), &json!({})).await.unwrap();
    let ran = async || Ok((customer.runs().await?.len() > runs).then_some(()));
    customer.until("the ordered run", ran).await.unwrap();
    let agents = customer.api.list(&format!("/customers/{}/agents", customer.id)).await.unwrap();
    assert_eq!(agents[0]["state"], "active");
    let differences = customer.picture().await.unwrap().differences(&scope.people(&directory));
    assert_eq!(differences, Vec::<String>::new());
    customer.agent.stop(Duration::from_secs(5)).await.unwrap();
}
