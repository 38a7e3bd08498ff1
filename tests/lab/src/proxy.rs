//! An HTTP proxy that lets everybody through and counts, and the script (PAC) that names it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

/// The running proxy; it ends with the runtime it was started in.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    carried: Arc<AtomicUsize>,
}

impl Proxy {
    pub async fn start() -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let (address, carried) = (listener.local_addr()?, Arc::<AtomicUsize>::default());
        let counts = Arc::clone(&carried);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let counts = Arc::clone(&counts);
                tokio::spawn(async move { serve(stream, address, &counts).await });
            }
        });
        Ok(Self { address, carried })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Connections that went through so far.
    pub fn carried(&self) -> usize {
        self.carried.load(Ordering::SeqCst)
    }

    /// Where the script lies that names this proxy for everything.
    pub fn script(&self) -> String {
        format!("http://{}/proxy.pac", self.address)
    }
}

async fn serve(stream: TcpStream, own: SocketAddr, carried: &AtomicUsize) -> io::Result<()> {
    let mut client = BufReader::new(stream);
    let mut first = String::new();
    client.read_line(&mut first).await?;
    let mut words = first.split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    if target.starts_with('/') {
        return client.write_all(script(own).as_bytes()).await;
    }
    carried.fetch_add(1, Ordering::SeqCst);
    if method == "CONNECT" {
        let mut server = TcpStream::connect(target).await?;
        skip_headers(&mut client).await?;
        client.write_all(b"HTTP/1.1 200 connected\r\n\r\n").await?;
        return copy_bidirectional(&mut client, &mut server).await.map(drop);
    }
    // Servers take the whole address in place of the path (RFC 9112 3.2.2), so the request goes on as it came.
    let place = target.trim_start_matches("http://").split('/').next().unwrap_or_default();
    let mut server = TcpStream::connect(place).await?;
    server.write_all(first.as_bytes()).await?;
    copy_bidirectional(&mut client, &mut server).await.map(drop)
}

async fn skip_headers(client: &mut BufReader<TcpStream>) -> io::Result<()> {
    let mut line = String::new();
    while client.read_line(&mut line).await? > 2 {
        line.clear();
    }
    Ok(())
}

fn script(proxy: SocketAddr) -> String {
    let text = format!("function FindProxyForURL(url, host) {{ return \"PROXY {proxy}\"; }}\n");
    format!(
        "HTTP/1.1 200 x\r\ncontent-type: application/x-ns-proxy-autoconfig\r\ncontent-length: {}\r\n\
         connection: close\r\n\r\n{text}",
        text.len()
    )
}
