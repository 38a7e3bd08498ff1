//! A stand-in for the cloud on loopback: it verifies every request as the protocol demands, keeps what it was told, and
//! refuses what a test tells it to.

mod books;
mod forgery;
mod request;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use rollcall_protocol::answer::Refusal;
use rollcall_protocol::checkin::{CheckinResponse, EpochWish};
use rollcall_protocol::desired::{Command, DesiredImport, DesiredState, Order};
use rollcall_protocol::enrol::EnrolToken;
use rollcall_protocol::path;
use serde::Serialize;
use tokio::io::{AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::{JoinHandle, JoinSet};
use uuid::Uuid;

pub use books::Books;
pub use forgery::Forgery;
use request::{Request, read_request};

pub const AGENT: Uuid = Uuid::from_u128(0xa9);
pub const CLOUD: Uuid = Uuid::from_u128(0xc1);

#[derive(Clone)]
pub struct Cloud {
    books: Arc<Mutex<Books>>,
    news: Arc<Notify>,
    serving: Arc<Mutex<Option<JoinHandle<()>>>>,
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
        let books = Books::open(listener.local_addr().unwrap());
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

#[expect(clippy::disallowed_methods, reason = "the stand-in is a program of its own and has the real time")]
pub fn now() -> DateTime<Utc> {
    Utc::now()
}
