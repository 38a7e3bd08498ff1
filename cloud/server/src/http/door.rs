//! One listening address, plain or TLS. A TLS handshake never keeps the next caller waiting.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::Sleep;
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use crate::config::TlsFiles;

/// Longer than a parked check-in and the pulse of a live page, so that only dead or slow-dripping callers meet it.
const IDLE: Duration = Duration::from_mins(2);
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Handshakes that may be under way at once; more callers wait in the kernel's queue.
const HANDSHAKES: usize = 512;

#[derive(Debug)]
pub enum OpenError {
    Address(io::Error),
    Tls(String),
}

#[derive(Debug)]
pub struct Door {
    address: SocketAddr,
    callers: Callers,
}

#[derive(Debug)]
enum Callers {
    Plain(TcpListener),
    Tls(mpsc::Receiver<(Stream, SocketAddr)>),
}

impl Door {
    pub async fn open(address: SocketAddr, tls: Option<&TlsFiles>) -> Result<Self, OpenError> {
        let acceptor = tls.map(load_tls).transpose().map_err(OpenError::Tls)?;
        let listener = TcpListener::bind(address).await.map_err(OpenError::Address)?;
        let address = listener.local_addr().map_err(OpenError::Address)?;
        let callers = match acceptor {
            None => Callers::Plain(listener),
            Some(acceptor) => {
                let (sender, receiver) = mpsc::channel(HANDSHAKES);
                tokio::spawn(shake_hands(listener, acceptor, sender));
                Callers::Tls(receiver)
            }
        };
        Ok(Self { address, callers })
    }

    /// The address it really has, also when port 0 was asked for.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }
}

async fn shake_hands(mut listener: TcpListener, acceptor: TlsAcceptor, sender: mpsc::Sender<(Stream, SocketAddr)>) {
    loop {
        let Ok(permit) = sender.clone().reserve_owned().await else { return };
        let (tcp, peer) = Listener::accept(&mut listener).await;
        let acceptor = acceptor.clone();
        tokio::spawn(async move {
            // A failed or slow handshake is the caller's affair; the place is free again.
            if let Ok(Ok(tls)) = tokio::time::timeout(HANDSHAKE, acceptor.accept(tcp)).await {
                permit.send((Stream::over(Wire::Tls(Box::new(tls)), IDLE), peer));
            }
        });
    }
}

fn load_tls(files: &TlsFiles) -> Result<TlsAcceptor, String> {
    let unreadable = |file: &std::path::Path, error: String| format!("{}: {error}", file.display());
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(&files.certificate)
        .and_then(Iterator::collect)
        .map_err(|error| unreadable(&files.certificate, error.to_string()))?;
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|error| unreadable(&files.key, error.to_string()))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|error| error.to_string())?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

impl Listener for Door {
    type Io = Stream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Stream, SocketAddr) {
        match &mut self.callers {
            Callers::Plain(listener) => {
                let (tcp, peer) = Listener::accept(listener).await;
                // Answers are small and awaited; an error only means it stays as it was.
                let _ = tcp.set_nodelay(true);
                (Stream::over(Wire::Plain(tcp), IDLE), peer)
            }
            Callers::Tls(callers) => match callers.recv().await {
                Some(caller) => caller,
                None => std::future::pending().await,
            },
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}

/// Who called, for rate limits and the audit log.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub SocketAddr);

impl Connected<IncomingStream<'_, Door>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Door>) -> Self {
        Self(*stream.remote_addr())
    }
}

/// A connection that ends when nothing moves on it: one that was begun and never used holds no place for ever.
#[derive(Debug)]
pub struct Stream {
    wire: Wire,
    limit: Duration,
    idle: Pin<Box<Sleep>>,
}

#[derive(Debug)]
enum Wire {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Stream {
    fn over(wire: Wire, limit: Duration) -> Self {
        Self { wire, limit, idle: Box::pin(tokio::time::sleep(limit)) }
    }

    fn moved<T>(&mut self, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            self.idle.set(tokio::time::sleep(self.limit));
        }
        polled
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let stream = self.get_mut();
        let polled = match &mut stream.wire {
            Wire::Plain(tcp) => Pin::new(tcp).poll_read(context, buffer),
            Wire::Tls(tls) => Pin::new(tls).poll_read(context, buffer),
        };
        if polled.is_pending() && stream.idle.as_mut().poll(context).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        stream.moved(polled)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let stream = self.get_mut();
        let polled = match &mut stream.wire {
            Wire::Plain(tcp) => Pin::new(tcp).poll_write(context, bytes),
            Wire::Tls(tls) => Pin::new(tls).poll_write(context, bytes),
        };
        stream.moved(polled)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().wire {
            Wire::Plain(tcp) => Pin::new(tcp).poll_flush(context),
            Wire::Tls(tls) => Pin::new(tls).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().wire {
            Wire::Plain(tcp) => Pin::new(tcp).poll_shutdown(context),
            Wire::Tls(tls) => Pin::new(tls).poll_shutdown(context),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt as _;

    #[tokio::test]
    async fn a_caller_who_says_nothing_is_let_go() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let _caller = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (tcp, _) = listener.accept().await.unwrap();
        let mut stream = Stream::over(Wire::Plain(tcp), Duration::from_millis(50));

        let ended = stream.read(&mut [0; 16]).await;

        assert_eq!(ended.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }
}
