//! Decides how a connection to one domain controller comes to be: TCP with deadlines, protection, one sign-in. Of the
//! configured ways the first that works is taken.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use rollcall_protocol::hash::Hash;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::client::TlsStream;

use super::ber::{self, element};
use super::bind::{self, BindRefused};
use super::channel_binding;
use super::gate::{ConnectionEnd, MessageReader};
use super::method::{self, Method, Next, Tls};
use super::sasl::{self, SignedIn};
use super::sealed::Sealed;
use super::tls::{self, TlsRefused};
use crate::platform::kerberos::{Identity, KerberosFault, Purpose, Request, Service};

/// Where the domain controller is and how it is trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Full DNS name, which its certificate must carry.
    pub host: String,
    /// Connect here instead of asking DNS; the certificate must still carry `host`.
    pub address: Option<IpAddr>,
    /// PEM file of the issuing CA; without it the machine's own trust store decides.
    pub ca_file: Option<PathBuf>,
    pub timeouts: Timeouts,
}

/// Every wait has an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// Each stage of a connection: its name, TCP, TLS, the sign-in.
    pub connect: Duration,
    /// From the first byte of a message to its last.
    pub message: Duration,
    /// From one entry of a search to the next.
    pub entry: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { connect: Duration::from_secs(10), message: Duration::from_secs(30), entry: Duration::from_mins(1) }
    }
}

/// Why there is no connection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    #[error("the name {host} cannot be resolved")]
    NameUnknown { host: String },
    /// DNS or the system's locator named it, and neither can be believed.
    #[error("{host} is named as a domain controller of {domain} and lies outside it")]
    ForeignController { host: String, domain: String },
    #[error("{host} port {port} is not reachable: {why}")]
    Unreachable { host: String, port: u16, why: String },
    #[error("{host} did not answer within {seconds} s while {stage}")]
    TimedOut { host: String, stage: &'static str, seconds: u64 },
    #[error("{0}")]
    Tls(#[from] TlsRefused),
    #[error("the domain controller refuses StartTLS (result {0})")]
    StartTlsRefused(u32),
    #[error("{0}")]
    Bind(#[from] BindRefused),
    #[error("{0}")]
    Kerberos(#[from] KerberosFault),
    #[error("the connection ended while signing in: {0}")]
    Ended(#[from] ConnectionEnd),
    #[error("no way to sign in is configured")]
    NoMethod,
    /// Several ways failed; `decisive` is the one to mend first.
    #[error("{}", told(tried))]
    EveryMethod { decisive: Box<ConnectError>, tried: Vec<Tried> },
}

impl ConnectError {
    /// What went wrong, way by way; the way's name where several were tried.
    pub fn each(&self) -> Vec<(Option<&str>, &Self)> {
        match self {
            Self::EveryMethod { tried, .. } => {
                tried.iter().map(|one| (Some(one.method.as_str()), &one.error)).collect()
            }
            Self::NameUnknown { .. }
            | Self::ForeignController { .. }
            | Self::Unreachable { .. }
            | Self::TimedOut { .. }
            | Self::Tls(_)
            | Self::StartTlsRefused(_)
            | Self::Bind(_)
            | Self::Kerberos(_)
            | Self::Ended(_)
            | Self::NoMethod => vec![(None, self)],
        }
    }
}

/// One way that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    pub method: String,
    pub error: ConnectError,
}

impl fmt::Display for Tried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.method, self.error)
    }
}

fn told(tried: &[Tried]) -> String {
    tried.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// What carries the bytes of a bound connection.
pub(super) trait Wire: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> Wire for S {}

/// A connection that is bound and ready to carry searches.
pub(super) struct Connected {
    pub wire: Box<dyn Wire>,
    pub how: How,
}

/// How a connection came to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct How {
    /// The way that worked, for people to read.
    pub used: String,
    /// Who signed in: equal for the same account, whatever way it took.
    pub account: Hash,
    /// What keeps others from reading along, for people to read.
    pub protection: &'static str,
    /// The better ways that failed before.
    pub tried: Vec<Tried>,
}

/// Tries the ways in their order until one works, or until somebody refuses us. Every stage of each way is over within
/// `timeouts.connect`.
pub(super) async fn connect(target: &Target, methods: &[Method]) -> Result<Connected, ConnectError> {
    let mut tried: Vec<Tried> = Vec::new();
    let mut without_kerberos = Next::GoOn;
    for method in methods {
        if !without_kerberos.allows(method) {
            continue;
        }
        match Box::pin(attempt(target, method)).await {
            Ok(wire) => {
                let how =
                    How { used: method.to_string(), account: method.account(), protection: method.protection(), tried };
                return Ok(Connected { wire, how });
            }
            Err(error) => {
                let next = method::after(&error);
                tried.push(Tried { method: method.to_string(), error });
                match next {
                    Next::GoOn => {}
                    Next::WithoutKerberos => without_kerberos = next,
                    Next::Stop => break,
                }
            }
        }
    }
    Err(all_failed(tried))
}

/// A refusal is what must be mended; without one, the way that was preferred.
fn all_failed(mut tried: Vec<Tried>) -> ConnectError {
    let refusal = tried.iter().rposition(|one| method::after(&one.error) == Next::Stop);
    match (tried.len(), tried.get(refusal.unwrap_or(0))) {
        (_, None) => ConnectError::NoMethod,
        (1, Some(_)) => tried.swap_remove(0).error,
        (_, Some(decisive)) => ConnectError::EveryMethod { decisive: Box::new(decisive.error.clone()), tried },
    }
}

async fn attempt(target: &Target, method: &Method) -> Result<Box<dyn Wire>, ConnectError> {
    match method {
        Method::KerberosSealed { port, identity } => seal(target, *port, identity).await,
        Method::KerberosOverTls { tls, port, identity } => prove_inside_tls(target, *tls, *port, identity).await,
        Method::PasswordOverTls { tls, port, credentials } => {
            let mut secured = open_secured(target, *tls, *port).await?;
            let bind = bind::simple(&mut secured, credentials, target.timeouts.message);
            within(target, "signing in", bind).await??;
            Ok(Box::new(secured))
        }
    }
}

async fn seal(target: &Target, port: u16, identity: &Identity) -> Result<Box<dyn Wire>, ConnectError> {
    let mut tcp = open_tcp(target, port).await?;
    let signed_in = kerberos(target, &mut tcp, identity, Purpose::Sealing).await?;
    let deadline = target.timeouts.message;
    Ok(Box::new(Sealed::new(tcp, signed_in.context, signed_in.largest_frame, deadline)?))
}

async fn prove_inside_tls(
    target: &Target,
    tls: Tls,
    port: u16,
    identity: &Identity,
) -> Result<Box<dyn Wire>, ConnectError> {
    let mut secured = open_secured(target, tls, port).await?;
    let certificate = secured.get_ref().1.peer_certificates().and_then(<[_]>::first);
    let binding = certificate.and_then(|certificate| channel_binding::of(certificate));
    kerberos(target, &mut secured, identity, Purpose::InsideTls { binding }).await?;
    Ok(Box::new(secured))
}

async fn kerberos<S: AsyncRead + AsyncWrite + Unpin>(
    target: &Target,
    stream: &mut S,
    identity: &Identity,
    purpose: Purpose,
) -> Result<SignedIn, ConnectError> {
    let service = Service::ldap(&target.host, identity.realm.as_deref());
    let request = Request { service, identity: identity.clone(), purpose };
    let sign_in = async {
        let context = sasl::open(request.clone()).await?;
        sasl::sign_in(stream, context, &request.purpose, target.timeouts.message).await
    };
    within(target, "signing in with Kerberos", sign_in).await?
}

/// Connects and secures without signing in.
pub async fn open_secured(target: &Target, tls: Tls, port: u16) -> Result<TlsStream<TcpStream>, ConnectError> {
    let config = tls::client_config(target.ca_file.as_deref())?;
    let mut tcp = open_tcp(target, port).await?;
    match tls {
        Tls::Ldaps => {}
        Tls::StartTls => within(target, "asking for StartTLS", start_tls(&mut tcp, target.timeouts)).await??,
    }
    let handshake = tls::handshake(config, &target.host, tcp);
    Ok(within(target, "securing the connection", handshake).await??)
}

/// Opens the TCP connection alone.
pub async fn open_tcp(target: &Target, port: u16) -> Result<TcpStream, ConnectError> {
    let addresses = within(target, "resolving its name", addresses(target, port)).await??;
    let stream = within(target, "connecting", first_reachable(&addresses)).await?;
    let stream = stream.map_err(|error| unreachable(target, port, &error))?;
    keep_alive(&stream).map_err(|error| unreachable(target, port, &error))?;
    Ok(stream)
}

fn unreachable(target: &Target, port: u16, error: &io::Error) -> ConnectError {
    ConnectError::Unreachable { host: target.host.clone(), port, why: error.kind().to_string() }
}

async fn within<T>(target: &Target, stage: &'static str, work: impl Future<Output = T>) -> Result<T, ConnectError> {
    let limit = target.timeouts.connect;
    let timed_out = || ConnectError::TimedOut { host: target.host.clone(), stage, seconds: limit.as_secs() };
    tokio::time::timeout(limit, work).await.map_err(|_| timed_out())
}

async fn addresses(target: &Target, port: u16) -> Result<Vec<SocketAddr>, ConnectError> {
    if let Some(address) = target.address {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    let unknown = || ConnectError::NameUnknown { host: target.host.clone() };
    let found = tokio::net::lookup_host((target.host.as_str(), port)).await.map_err(|_| unknown())?;
    let found: Vec<_> = found.collect();
    if found.is_empty() { Err(unknown()) } else { Ok(found) }
}

/// Before the next address is tried beside those that have not answered (RFC 8305 5): a dead one must not use up the
/// time of those behind it.
const HEAD_START: Duration = Duration::from_millis(250);

/// The first connection that comes to be; the others are given up.
async fn first_reachable(addresses: &[SocketAddr]) -> io::Result<TcpStream> {
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    let mut waiting = addresses.iter().copied();
    let mut tries = JoinSet::new();
    loop {
        match waiting.next() {
            Some(address) => drop(tries.spawn(TcpStream::connect(address))),
            None if tries.is_empty() => return Err(last),
            None => {}
        }
        let next = async {
            match waiting.len() {
                0 => std::future::pending().await,
                _ => tokio::time::sleep(HEAD_START).await,
            }
        };
        tokio::select! {
            Some(Ok(tried)) = tries.join_next() => match tried {
                Ok(stream) => return Ok(stream),
                Err(error) => last = error,
            },
            () = next => {}
        }
    }
}

/// A domain controller that vanishes without a farewell is noticed while we wait for the next page.
fn keep_alive(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let every = socket2::TcpKeepalive::new().with_time(Duration::from_secs(30)).with_interval(Duration::from_secs(10));
    socket2::SockRef::from(stream).set_tcp_keepalive(&every)
}

const START_TLS_OID: &[u8] = b"1.3.6.1.4.1.1466.20037";

/// Asks for TLS (RFC 4511 4.14). The reply is read byte-exactly, so nothing sent in clear can leak into the TLS session.
async fn start_tls<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S, timeouts: Timeouts) -> Result<(), ConnectError> {
    let extended = element(0x77, &element(0x80, START_TLS_OID));
    let request = element(0x30, &[element(0x02, &[1]), extended].concat());
    stream.write_all(&request).await.map_err(|error| ConnectionEnd::Broken(error.kind().to_string()))?;
    let mut reader = MessageReader::new(OneByteAhead(stream), ber::HANDSHAKE, timeouts.message);
    let reply = reader.next_message().await?.ok_or(ConnectionEnd::Closed)?;
    let result = ber::result_of(&reply).map_err(ConnectionEnd::Malformed)?;
    if result.code == 0 { Ok(()) } else { Err(ConnectError::StartTlsRefused(result.code)) }
}

/// Hands out one byte per read, so that a buffered reader never takes bytes past the message it waits for.
struct OneByteAhead<'a, S>(&'a mut S);

impl<S: AsyncRead + Unpin> AsyncRead for OneByteAhead<'_, S> {
    fn poll_read(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
        buf: &mut tokio::io::ReadBuf<'_>,
    ) -> std::task::Poll<io::Result<()>> {
        let mut byte = [0];
        let mut one = tokio::io::ReadBuf::new(&mut byte);
        let polled = std::pin::Pin::new(&mut *self.0).poll_read(cx, &mut one);
        if let std::task::Poll::Ready(Ok(())) = polled {
            buf.put_slice(one.filled());
        }
        polled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_start_tls_reply_takes_no_byte_that_follows_it() {
        use tokio::io::AsyncReadExt;
        let (mut ours, mut theirs) = tokio::io::duplex(1024);
        let result = [element(0x0a, &[0]), element(0x04, b""), element(0x04, b"")].concat();
        let reply = element(0x30, &[element(0x02, &[1]), element(0x78, &result)].concat());
        theirs.write_all(&[reply, b"next".to_vec()].concat()).await.unwrap();

        start_tls(&mut ours, Timeouts::default()).await.unwrap();

        let mut rest = [0; 4];
        ours.read_exact(&mut rest).await.unwrap();
        assert_eq!(&rest, b"next");
    }

    #[tokio::test]
    async fn a_refused_start_tls_is_told_by_its_result() {
        let (mut ours, mut theirs) = tokio::io::duplex(1024);
        let result = [element(0x0a, &[52]), element(0x04, b""), element(0x04, b"no")].concat();
        let reply = element(0x30, &[element(0x02, &[1]), element(0x78, &result)].concat());
        theirs.write_all(&reply).await.unwrap();

        assert_eq!(start_tls(&mut ours, Timeouts::default()).await, Err(ConnectError::StartTlsRefused(52)));
    }

    #[tokio::test]
    async fn an_address_that_never_answers_does_not_keep_the_next_one_from_its_turn() {
        // A queue that is full lets further knocking go unanswered, as a machine does that is not there.
        let full = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        full.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
        full.listen(0).unwrap();
        let dead = full.local_addr().unwrap().as_socket().unwrap();
        let _first = TcpStream::connect(dead).await.unwrap();
        let _second = tokio::time::timeout(Duration::from_millis(50), TcpStream::connect(dead)).await;
        let alive = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let alive = alive.local_addr().map(|address| (address, alive)).unwrap();

        let reached = tokio::time::timeout(Duration::from_mins(1), first_reachable(&[dead, alive.0])).await;

        assert_eq!(reached.unwrap().unwrap().peer_addr().unwrap(), alive.0);
    }

    #[tokio::test]
    async fn when_no_address_answers_the_last_reason_is_told() {
        let closed = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap().local_addr().unwrap();

        assert_eq!(first_reachable(&[closed, closed]).await.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
        assert_eq!(first_reachable(&[]).await.unwrap_err().kind(), io::ErrorKind::AddrNotAvailable);
    }

    #[tokio::test]
    async fn a_name_that_does_not_resolve_is_told_as_such() {
        let target =
            Target { host: "dc1.rollcall.invalid".into(), address: None, ca_file: None, timeouts: Timeouts::default() };

        let seen = open_tcp(&target, 636).await.unwrap_err();

        assert!(matches!(seen, ConnectError::NameUnknown { .. } | ConnectError::TimedOut { .. }), "{seen:?}");
    }
}
