//! Decides how one signed request travels to the cloud, and what may be believed of what comes back.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use rollcall_protocol::answer::{self, Answer, Refusal};
use rollcall_protocol::jws::JwsError;
use rollcall_protocol::key::PublicKey;
use rollcall_protocol::limits;
use rollcall_protocol::revocation::Revocation;
use serde::de::DeserializeOwned;

use super::http::{self, CONNECT_TIMEOUT};
use super::way_out::Router;
use crate::clock::{Chance, Clock};
use crate::config::{Cloud, Config};
use crate::diagnostic::Diagnostic;
use crate::directory::tls::{self, TlsRefused};
use crate::identity::Identity;
use crate::signer::{Keyholder, Signer, Stamp};

/// Why a request had no usable answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    #[error("the name {host} cannot be resolved")]
    NameUnknown { host: String },
    #[error("TLS to {host}: {why}")]
    Tls { host: String, why: String },
    #[error("the proxy {proxy} {why}")]
    Proxy { proxy: String, why: String },
    #[error("{host} cannot be reached: {why}")]
    Unreachable { host: String, why: String },
    #[error("the connection to {host} broke: {why}")]
    Broken { host: String, why: String },
    #[error("{host} did not answer in time")]
    TimedOut { host: String },
    #[error("the answer is longer than the cloud would send")]
    TooLong,
    #[error("status {status} with something the cloud would not say")]
    Odd { status: u16 },
    #[error("refused: {0:?}")]
    Refused(Refusal),
    #[error("{0}")]
    Setup(String),
    #[error("{0}")]
    Signing(#[from] JwsError),
}

impl LinkError {
    /// Whether it is certain that the cloud has seen nothing of the request: no connection to it came about.
    pub fn is_before_sending(&self) -> bool {
        match self {
            Self::NameUnknown { .. }
            | Self::Tls { .. }
            | Self::Proxy { .. }
            | Self::Unreachable { .. }
            | Self::Setup(_)
            | Self::Signing(_) => true,
            Self::Broken { .. } | Self::TimedOut { .. } | Self::TooLong | Self::Odd { .. } | Self::Refused(_) => false,
        }
    }
}

const CLOSED: &str = "did not let us through";

/// Where the cloud is and who asks.
#[derive(Debug, Clone)]
pub struct Link {
    http: reqwest::Client,
    url: String,
    router: Arc<Router>,
    pub keys: Keyholder,
    /// Pinned at enrolment; `None` until then.
    cloud_key: Option<PublicKey>,
    pub clock: Clock,
    pub chance: Chance,
}

/// For everything that is no long poll: a batch of 4 MiB passes a slow line in this time.
pub const REQUEST_TIMEOUT: Duration = Duration::from_mins(2);

impl Link {
    /// Prepares a client for `url`. Clear text is only possible to this machine itself.
    pub fn new(
        url: &str,
        settings: &Cloud,
        signer: Signer,
        cloud_key: Option<PublicKey>,
        clock: Clock,
        chance: Chance,
    ) -> Result<Self, LinkError> {
        check_url(url)?;
        let router = Arc::new(Router::new(url, settings));
        let http = http::client(settings, &router)?;
        let url = url.trim_end_matches('/').to_owned();
        Ok(Self { http, url, router, keys: Keyholder::new(signer), cloud_key, clock, chance })
    }

    /// The link of an enrolled agent.
    pub fn open(config: &Config, identity: &Identity, clock: &Clock, chance: &Chance) -> Result<Self, Diagnostic> {
        let signer = identity.signer()?;
        let key = Some(identity.cloud_key.clone());
        Self::new(&identity.url, &config.cloud, signer, key, clock.clone(), chance.clone())
            .map_err(|error| Diagnostic::from(&error))
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// For people to read; a password never stands in it.
    fn proxy(&self) -> Option<String> {
        self.router.way_out().proxy()
    }

    /// A stamp for one request, by the cloud's clock as far as we know it.
    pub fn stamp(&self) -> Stamp {
        let at = self.clock.cloud_now();
        Stamp { at, jti: self.chance.id(at) }
    }

    /// Sends one body under one signature.
    pub async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        jws: &str,
        body: Vec<u8>,
        timeout: Duration,
    ) -> Result<Answer<T>, LinkError> {
        // The client itself cannot wait for a proxy's name without keeping everything else waiting.
        self.router.look().await;
        let request = self.http.post(format!("{}{path}", self.url)).bearer_auth(jws).timeout(timeout).body(body);
        let response = request.send().await.map_err(|error| self.classify(&error))?;
        let status = response.status().as_u16();
        if status == 407 {
            return Err(self.asked_to_sign_in());
        }
        let retry_after = response.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
        let body = self.read_body(response).await?;
        Ok(self.believe(answer::classify(status, retry_after, &body)))
    }

    /// Every refusal but one only costs time. That this agent has ended must be proved, or a proxy could make it wipe
    /// itself.
    fn believe<T>(&self, answer: Answer<T>) -> Answer<T> {
        let Answer::Refused(refusal @ Refusal::Revoked { .. }) = &answer else { return answer };
        let signer = self.keys.signer();
        let revocation = Revocation { cloud: signer.cloud, agent: signer.agent };
        let is_proved = match (refusal, &self.cloud_key) {
            (Refusal::Revoked { proof: Some(proof) }, Some(key)) => revocation.is_proved_by(proof, key),
            (_, _) => false,
        };
        if is_proved { answer } else { Answer::Unintelligible { status: refusal.status() } }
    }

    /// Signs and sends a request without a sequence number. When our clock is off, the difference is learned and the
    /// request is sent once more.
    pub async fn ask<T: DeserializeOwned>(&self, path: &str, body: &[u8], timeout: Duration) -> Result<T, LinkError> {
        for _ in 0..3 {
            let signer = self.keys.signer();
            let jws = signer.sign_request(path, body, self.stamp())?;
            match self.post(path, &jws, body.to_vec(), timeout).await? {
                Answer::Accepted(answer) => return Ok(answer),
                Answer::Refused(Refusal::Skew { server_time }) => self.clock.learn(server_time),
                // The key changed while the request was under way; the new one is asked with at once.
                Answer::Refused(Refusal::Unauthorized) if signer.key.id() != self.keys.signer().key.id() => {}
                Answer::Refused(refusal) => return Err(LinkError::Refused(refusal)),
                Answer::Unintelligible { status } => return Err(LinkError::Odd { status }),
            }
        }
        Err(LinkError::Refused(Refusal::Skew { server_time: self.clock.cloud_now() }))
    }

    /// Begins to fetch a file; `None` when there is none of that name. Each piece may take `idle` at most.
    pub async fn download(&self, path: &str, idle: Duration) -> Result<Option<Download>, LinkError> {
        for _ in 0..3 {
            let signer = self.keys.signer();
            let jws = signer.sign_fetch(path, self.stamp())?;
            self.router.look().await;
            let request = self.http.get(format!("{}{path}", self.url)).bearer_auth(jws).send();
            let host = self.url.clone();
            let response = tokio::time::timeout(idle, request).await.map_err(|_| LinkError::TimedOut { host })?;
            let response = response.map_err(|error| self.classify(&error))?;
            match response.status().as_u16() {
                200 => return Ok(Some(Download { response, idle, link: self.clone() })),
                404 => return Ok(None),
                407 => return Err(self.asked_to_sign_in()),
                status => match self.believe(answer::classify::<()>(status, None, &self.read_body(response).await?)) {
                    Answer::Refused(Refusal::Skew { server_time }) => self.clock.learn(server_time),
                    Answer::Refused(Refusal::Unauthorized) if signer.key.id() != self.keys.signer().key.id() => {}
                    Answer::Refused(refusal) => return Err(LinkError::Refused(refusal)),
                    Answer::Accepted(()) | Answer::Unintelligible { .. } => return Err(LinkError::Odd { status }),
                },
            }
        }
        Err(LinkError::Refused(Refusal::Skew { server_time: self.clock.cloud_now() }))
    }

    /// What the status 407 says. Over TLS the proxy that asks us to sign in does so before the tunnel stands; one that says
    /// so inside it inspects, and may have handed the request on first.
    fn asked_to_sign_in(&self) -> LinkError {
        if self.url.starts_with("https:") {
            return LinkError::Odd { status: 407 };
        }
        LinkError::Proxy { proxy: self.proxy().unwrap_or_default(), why: CLOSED.to_owned() }
    }

    async fn read_body(&self, mut response: reqwest::Response) -> Result<Vec<u8>, LinkError> {
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.classify(&error))? {
            if body.len() + chunk.len() > limits::DESIRED + limits::MESSAGE {
                return Err(LinkError::TooLong);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    /// Whatever happened once a connection stood, the request may have arrived.
    fn classify(&self, error: &reqwest::Error) -> LinkError {
        let host = self.url.clone();
        match (error.is_connect(), self.cause(error)) {
            (true, LinkError::TimedOut { .. }) => {
                LinkError::Unreachable { host, why: format!("no connection within {} s", CONNECT_TIMEOUT.as_secs()) }
            }
            (false, LinkError::Unreachable { why, .. } | LinkError::Tls { why, .. }) => LinkError::Broken { host, why },
            (false, LinkError::NameUnknown { .. } | LinkError::Proxy { .. }) => {
                LinkError::Broken { host, why: "the connection broke".to_owned() }
            }
            (_, cause) => cause,
        }
    }

    /// Tells the common mistakes apart by what lies at the bottom of the error; no library's text reaches a person.
    fn cause(&self, error: &reqwest::Error) -> LinkError {
        let host = self.url.clone();
        if error.is_timeout() {
            return LinkError::TimedOut { host };
        }
        let mut source = error.source();
        while let Some(inner) = source {
            if let Some(why) = tls_reason(inner, &host) {
                return LinkError::Tls { host, why };
            }
            let text = inner.to_string();
            if text.contains("dns error") || text.contains("failed to lookup address") {
                return LinkError::NameUnknown { host };
            }
            let is_about_a_proxy = text.contains("tunnel") || text.contains("proxy");
            if let Some(proxy) = is_about_a_proxy.then(|| self.proxy()).flatten() {
                let why = tls_reason_below(inner, &proxy).map(|why| format!("cannot be used: {why}"));
                return LinkError::Proxy { proxy, why: why.unwrap_or_else(|| CLOSED.to_owned()) };
            }
            if let Some(io) = inner.downcast_ref::<std::io::Error>()
                && io.get_ref().is_none()
            {
                return LinkError::Unreachable { host, why: io.kind().to_string() };
            }
            source = inner.source();
        }
        LinkError::Unreachable { host, why: "the connection broke".to_owned() }
    }
}

/// A file that comes piece by piece, from wherever.
pub trait Pieces: Send {
    /// The next bytes; `None` at the end.
    fn next(&mut self) -> impl Future<Output = Result<Option<Vec<u8>>, LinkError>> + Send;
}

/// One that comes from the cloud.
#[derive(Debug)]
pub struct Download {
    response: reqwest::Response,
    idle: Duration,
    link: Link,
}

impl Pieces for Download {
    async fn next(&mut self) -> Result<Option<Vec<u8>>, LinkError> {
        let host = self.link.url.clone();
        let chunk = tokio::time::timeout(self.idle, self.response.chunk()).await;
        let chunk = chunk.map_err(|_| LinkError::TimedOut { host })?.map_err(|error| self.link.classify(&error))?;
        Ok(chunk.map(Vec::from))
    }
}

/// What is below an error of the way to the proxy is about the proxy.
fn tls_reason_below(error: &(dyn Error + 'static), host: &str) -> Option<String> {
    std::iter::successors(Some(error), |&error| error.source()).find_map(|error| tls_reason(error, host))
}

/// An error of the system may wrap another.
fn tls_reason(error: &(dyn Error + 'static), host: &str) -> Option<String> {
    if let Some(reason) = error.downcast_ref::<rustls::Error>() {
        return Some(TlsRefused::to_string(&tls::classify(host, &std::io::Error::other(reason.clone()))));
    }
    tls_reason(error.downcast_ref::<std::io::Error>()?.get_ref()?, host)
}

fn check_url(url: &str) -> Result<(), LinkError> {
    let parsed = reqwest::Url::parse(url).map_err(|_| LinkError::Setup("the cloud's address is no URL".to_owned()))?;
    let host = parsed.host_str().unwrap_or_default();
    let is_here = matches!(host, "localhost" | "127.0.0.1" | "[::1]");
    match parsed.scheme() {
        "https" => Ok(()),
        "http" if is_here => Ok(()),
        _ => Err(LinkError::Setup(format!("{host} is not reached by https"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clear_text_goes_to_this_machine_alone() {
        assert_eq!(check_url("https://rollcall.example"), Ok(()));
        assert_eq!(check_url("http://127.0.0.1:8080"), Ok(()));
        assert!(check_url("http://rollcall.example").is_err());
        assert!(check_url("http://127.0.0.1.rollcall.example").is_err());
        assert!(check_url("ftp://rollcall.example").is_err());
    }
}
