//! A proxy that inspects: it asks for a sign-in, ends TLS with a certificate of its own authority, and changes what it
//! pleases on the way back.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use rollcall_lab::authority::{Authority, Flavour, ServerNames};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// The name under which the agent knows the cloud. No resolver knows it: the proxy does.
pub const CLOUD_NAME: &str = "cloud.rollcall.test";

/// Path, request body, status and body of the answer; what the agent is to see instead.
pub type Tamper = Box<dyn FnMut(&str, u16, Vec<u8>) -> (u16, Vec<u8>) + Send>;

#[derive(Clone)]
pub struct Inspector {
    pub address: SocketAddr,
    pub authority: Arc<Authority>,
    tamper: Arc<Mutex<Tamper>>,
    /// Answers 407 without it: base64 of `name:password`.
    credentials: Option<&'static str>,
    cloud: SocketAddr,
}

impl Inspector {
    pub async fn start(cloud: SocketAddr, credentials: Option<&'static str>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let inspector = Self {
            address: listener.local_addr().unwrap(),
            authority: Arc::new(Authority::new().unwrap()),
            tamper: Arc::new(Mutex::new(Box::new(|_, status, body| (status, body)))),
            credentials,
            cloud,
        };
        let serving = inspector.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let serving = serving.clone();
                tokio::spawn(async move { drop(serving.serve(stream).await) });
            }
        });
        inspector
    }

    /// The same proxy behind TLS of its own, as `https://localhost:` and this port.
    pub async fn secured(&self) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let names = ServerNames { dns: vec!["localhost".to_owned()], addresses: Vec::new() };
        let acceptor = TlsAcceptor::from(self.authority.issue(&names, Flavour::Good).unwrap().server_config().unwrap());
        let plain = self.address;
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let mut inside = acceptor.accept(stream).await?;
                    let mut behind = TcpStream::connect(plain).await?;
                    tokio::io::copy_bidirectional(&mut inside, &mut behind).await
                });
            }
        });
        port
    }

    /// From now on answers are changed like this.
    pub fn tamper(&self, tamper: impl FnMut(&str, u16, Vec<u8>) -> (u16, Vec<u8>) + Send + 'static) {
        *self.tamper.lock().unwrap() = Box::new(tamper);
    }

    async fn serve(&self, stream: TcpStream) -> std::io::Result<()> {
        let mut stream = BufReader::new(stream);
        let Some(request) = Message::read(&mut stream).await? else { return Ok(()) };
        let wanted = self.credentials.map(|credentials| format!("Basic {credentials}"));
        if wanted.is_some() && request.header("proxy-authorization") != wanted.as_deref() {
            let refusal = "HTTP/1.1 407 x\r\nproxy-authenticate: Basic realm=\"lab\"\r\ncontent-length: 0\r\n\r\n";
            return stream.write_all(refusal.as_bytes()).await;
        }
        assert!(request.first.starts_with(&format!("CONNECT {CLOUD_NAME}:443 ")), "{}", request.first);
        stream.write_all(b"HTTP/1.1 200 x\r\n\r\n").await?;
        let names = ServerNames { dns: vec![CLOUD_NAME.to_owned()], addresses: Vec::new() };
        let shown = self.authority.issue(&names, Flavour::Good).unwrap().server_config().unwrap();
        let tls = TlsAcceptor::from(shown).accept(stream.into_inner()).await?;
        self.relay(BufReader::new(tls)).await
    }

    async fn relay<S: AsyncRead + AsyncWrite + Unpin>(&self, mut agent: BufReader<S>) -> std::io::Result<()> {
        let mut cloud = BufReader::new(TcpStream::connect(self.cloud).await?);
        while let Some(request) = Message::read(&mut agent).await? {
            cloud.write_all(&request.bytes()).await?;
            let Some(answer) = Message::read(&mut cloud).await? else { return Ok(()) };
            let path = request.first.split(' ').nth(1).unwrap_or_default();
            let status = answer.first.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default();
            let (status, body) = (self.tamper.lock().unwrap())(path, status, answer.body);
            let head = format!("HTTP/1.1 {status} x\r\ncontent-length: {}\r\n\r\n", body.len());
            agent.write_all(head.as_bytes()).await?;
            agent.write_all(&body).await?;
            agent.flush().await?;
        }
        Ok(())
    }
}

/// A request or an answer of HTTP/1.1 with a length.
struct Message {
    first: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Message {
    async fn read<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut BufReader<S>) -> std::io::Result<Option<Self>> {
        let mut first = String::new();
        if stream.read_line(&mut first).await? == 0 {
            return Ok(None);
        }
        let mut headers = Vec::new();
        loop {
            let mut line = String::new();
            stream.read_line(&mut line).await?;
            let Some((name, value)) = line.trim_end().split_once(": ") else { break };
            headers.push((name.to_ascii_lowercase(), value.to_owned()));
        }
        let mut message = Self { first: first.trim_end().to_owned(), headers, body: Vec::new() };
        let length = message.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        message.body = vec![0; length];
        stream.read_exact(&mut message.body).await?;
        Ok(Some(message))
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    fn bytes(&self) -> Vec<u8> {
        let mut lines = vec![self.first.clone()];
        lines.extend(self.headers.iter().map(|(name, value)| format!("{name}: {value}")));
        [lines.join("\r\n").as_bytes(), b"\r\n\r\n", &self.body].concat()
    }
}
