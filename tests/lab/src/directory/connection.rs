//! One connection: takes TLS, reads messages, performs the acts the session decided on.

use super::{
    Shared,
    fault::Fault,
    session::{Act, Channel, Session},
    wire::{ber, request::Message},
};
use std::{io, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
};

/// Requests are small; a longer one is no honest client.
const MAX_REQUEST: usize = 1 << 20;

/// The port a client came in by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entrance {
    /// TLS from the first byte.
    Ldaps,
    /// In the clear, until the client asks for TLS.
    Ldap,
}

/// How a conversation ended.
enum Ended {
    Gone,
    WantsTls,
}

pub async fn serve(shared: Arc<Shared>, mut socket: TcpStream, entrance: Entrance) -> io::Result<()> {
    socket.set_nodelay(true)?;
    let number = shared.next_connection();
    shared.ledger.note(|tally| tally.connections += 1);
    if shared.rules().faults.has(&Fault::Silence) {
        return hang().await;
    }
    if entrance == Entrance::Ldap {
        let mut session = Session::new(Channel::Clear, number);
        match converse(&shared, &mut socket, &mut session).await? {
            Ended::Gone => return Ok(()),
            Ended::WantsTls => {}
        }
    }
    let mut stream = shared.tls_acceptor().accept(socket).await?;
    shared.ledger.note(|tally| tally.handshakes += 1);
    converse(&shared, &mut stream, &mut Session::new(Channel::Sealed, number)).await?;
    Ok(())
}

async fn converse<S>(shared: &Shared, stream: &mut S, session: &mut Session) -> io::Result<Ended>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut buffer = Vec::new();
    while let Some(bytes) = read_message(stream, &mut buffer).await? {
        shared.ledger.note(|tally| tally.bytes_in += bytes.len() as u64);
        let Ok(message) = Message::decode(&bytes) else {
            shared.ledger.note(|tally| tally.unreadable_messages += 1);
            return Ok(Ended::Gone);
        };
        shared.ledger.note_operation(&message.operation);
        for act in session.answer(shared, &message) {
            match act {
                Act::Send(bytes) => send(shared, stream, &bytes).await?,
                Act::Repeat(bytes) => loop {
                    send(shared, stream, &bytes).await?;
                },
                Act::Hang => return hang().await,
                Act::Cut => return Ok(Ended::Gone),
                Act::Close => {
                    stream.shutdown().await?;
                    return Ok(Ended::Gone);
                }
                Act::Secure => return Ok(Ended::WantsTls),
            }
        }
    }
    Ok(Ended::Gone)
}

/// The next whole message; `None` when the client has gone.
async fn read_message<S: AsyncRead + Unpin>(stream: &mut S, buffer: &mut Vec<u8>) -> io::Result<Option<Vec<u8>>> {
    loop {
        match ber::element_length(buffer).map_err(io::Error::other)? {
            Some(length) if length > MAX_REQUEST => return Err(io::Error::other("request is too long")),
            Some(length) if buffer.len() >= length => {
                let rest = buffer.split_off(length);
                return Ok(Some(std::mem::replace(buffer, rest)));
            }
            Some(_) | None => {}
        }
        if stream.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    }
}

async fn send<S: AsyncWrite + Unpin>(shared: &Shared, stream: &mut S, bytes: &[u8]) -> io::Result<()> {
    let drip = shared.rules().faults.drip();
    match drip {
        None => stream.write_all(bytes).await?,
        Some(rate) => trickle(stream, bytes, rate).await?,
    }
    shared.ledger.note(|tally| tally.bytes_out += bytes.len() as u64);
    stream.flush().await
}

/// A tenth of the rate, ten times a second; never less than a byte.
async fn trickle<S: AsyncWrite + Unpin>(stream: &mut S, bytes: &[u8], bytes_per_second: u32) -> io::Result<()> {
    let portion = usize::try_from(bytes_per_second / 10).unwrap_or(1).max(1);
    let pause = Duration::from_secs(1) / (bytes_per_second.max(1).div_ceil(u32::try_from(portion).unwrap_or(1)));
    for part in bytes.chunks(portion) {
        stream.write_all(part).await?;
        stream.flush().await?;
        tokio::time::sleep(pause).await;
    }
    Ok(())
}

/// Keeps the connection and does nothing, until the directory stops or cuts it.
async fn hang<T>() -> io::Result<T> {
    std::future::pending().await
}
