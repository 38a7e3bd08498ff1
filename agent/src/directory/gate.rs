//! Decides which bytes pass between a directory server and ldap3: whole inspected messages one way, reads only the other.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::ber::{self, Limits, Malformed, Operation};
use crate::platform::kerberos::KerberosFault;

/// Why a connection ended although we still wanted it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConnectionEnd {
    #[error("the server closed the connection")]
    Closed,
    #[error("the server closed the connection inside a message")]
    ClosedInsideMessage,
    #[error("the server announced that it disconnects")]
    Disconnected,
    #[error("a message did not arrive within {0} s")]
    Stalled(u64),
    #[error("the server sent something that is not LDAP: {0}")]
    Malformed(#[from] Malformed),
    #[error("the connection broke: {0}")]
    Broken(String),
    #[error("{0}")]
    Kerberos(#[from] KerberosFault),
    #[error("an operation that could write was asked for and refused")]
    NotARead,
}

impl From<std::io::Error> for ConnectionEnd {
    /// A sealed connection says why it ended; of anything else the kind is enough.
    fn from(error: std::io::Error) -> Self {
        let kind = error.kind();
        match error.into_inner().map(<dyn std::error::Error + Send + Sync>::downcast::<KerberosFault>) {
            Some(Ok(fault)) => Self::Kerberos(*fault),
            Some(Err(_)) | None => Self::Broken(kind.to_string()),
        }
    }
}

/// The first reason why a connection ended; ldap3 itself only ever says that its stream ended.
#[derive(Debug, Clone, Default)]
pub struct EndReason(Arc<OnceLock<ConnectionEnd>>);

impl EndReason {
    /// Keeps the reason unless an earlier one is known.
    pub fn note(&self, end: ConnectionEnd) {
        let _ = self.0.set(end);
    }

    /// The reason, or a plain close when nobody noted one.
    pub fn get(&self) -> ConnectionEnd {
        self.0.get().cloned().unwrap_or(ConnectionEnd::Closed)
    }
}

/// Reads whole, inspected LDAP messages from a server.
#[derive(Debug)]
pub struct MessageReader<R> {
    from: R,
    limits: Limits,
    deadline: Duration,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
}

const CHUNK: usize = 64 * 1024;

impl<R: AsyncRead + Unpin> MessageReader<R> {
    /// `deadline` is the time from the first byte of a message to its last.
    pub fn new(from: R, limits: Limits, deadline: Duration) -> Self {
        Self { from, limits, deadline, buffer: vec![0; CHUNK], start: 0, end: 0 }
    }

    /// The same connection under other limits; bytes already read are kept.
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// One message, however long the server takes to begin it. `None` when the server closed between messages.
    pub async fn next_message(&mut self) -> Result<Option<Vec<u8>>, ConnectionEnd> {
        let Some(length) = self.fill_one().await? else { return Ok(None) };
        let message = self.buffer.get(self.start..self.start + length).unwrap_or_default().to_vec();
        self.inspect(self.start, length)?;
        self.start += length;
        Ok(Some(message))
    }

    /// As many whole messages as are there, at least one, in one piece: one write for many small entries.
    pub async fn next_messages(&mut self) -> Result<Option<&[u8]>, ConnectionEnd> {
        let Some(mut length) = self.fill_one().await? else { return Ok(None) };
        let from = self.start;
        loop {
            self.inspect(self.start, length)?;
            self.start += length;
            match ber::message_length(self.buffered(), self.limits)? {
                Some(next) if next <= self.end - self.start => length = next,
                Some(_) | None => break,
            }
        }
        Ok(self.buffer.get(from..self.start))
    }

    fn buffered(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    fn inspect(&self, at: usize, length: usize) -> Result<(), ConnectionEnd> {
        let message = self.buffer.get(at..at + length).unwrap_or_default();
        let envelope = ber::inspect(message, self.limits)?;
        match envelope.operation {
            Operation::SearchEntry
            | Operation::SearchDone
            | Operation::SearchReference
            | Operation::BindResponse
            | Operation::Intermediate => Ok(()),
            // Message id 0 is an unsolicited notification, and the only one LDAP knows is the farewell (RFC 4511 4.4.1).
            Operation::ExtendedResponse if envelope.message_id == 0 => Err(ConnectionEnd::Disconnected),
            Operation::ExtendedResponse => Ok(()),
            Operation::BindRequest
            | Operation::UnbindRequest
            | Operation::SearchRequest
            | Operation::AbandonRequest
            | Operation::ExtendedRequest => Err(Malformed::Shape.into()),
        }
    }

    /// Reads until one whole message is buffered and returns its length.
    async fn fill_one(&mut self) -> Result<Option<usize>, ConnectionEnd> {
        if self.start == self.end && !self.read_more().await? {
            return Ok(None);
        }
        let deadline = self.deadline;
        tokio::time::timeout(deadline, self.complete_one())
            .await
            .map_err(|_| ConnectionEnd::Stalled(deadline.as_secs()))?
            .map(Some)
    }

    async fn complete_one(&mut self) -> Result<usize, ConnectionEnd> {
        loop {
            if let Some(length) = ber::message_length(self.buffered(), self.limits)? {
                if length <= self.end - self.start {
                    return Ok(length);
                }
                self.make_room(length);
            } else {
                self.make_room(CHUNK);
            }
            if !self.read_more().await? {
                return Err(ConnectionEnd::ClosedInsideMessage);
            }
        }
    }

    /// Moves what is buffered to the front; the buffer grows only as bytes really arrive, so an announced length costs nothing.
    fn make_room(&mut self, wanted: usize) {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        if self.end == self.buffer.len() {
            let grown = wanted.min(self.buffer.len() * 2).max(CHUNK);
            self.buffer.resize(grown, 0);
        }
    }

    async fn read_more(&mut self) -> Result<bool, ConnectionEnd> {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
            self.buffer.truncate(CHUNK);
        }
        let room = self.buffer.get_mut(self.end..).unwrap_or_default();
        let count = self.from.read(room).await?;
        self.end += count;
        Ok(count > 0)
    }
}

/// Carries messages from the server to ldap3 until one side ends, and notes why.
pub async fn pump_down<R, W>(mut from: MessageReader<R>, mut to: W, end: EndReason)
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    loop {
        match from.next_messages().await {
            Ok(Some(messages)) => {
                if to.write_all(messages).await.is_err() {
                    return;
                }
            }
            Ok(None) => {
                end.note(ConnectionEnd::Closed);
                break;
            }
            Err(reason) => {
                end.note(reason);
                break;
            }
        }
    }
    let _ = to.shutdown().await;
}

/// Carries requests from ldap3 to the server; anything but a read ends the connection.
pub async fn pump_up<R, W>(from: R, mut to: W, end: EndReason)
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let mut requests = RequestReader { from, buffer: Vec::new() };
    loop {
        match requests.next().await {
            Ok(Some(request)) => {
                if let Err(error) = send(&mut to, &request).await {
                    end.note(error.into());
                    return;
                }
            }
            Ok(None) => break,
            Err(reason) => {
                end.note(reason);
                break;
            }
        }
    }
    let _ = to.shutdown().await;
}

async fn send<W: AsyncWrite + Unpin>(to: &mut W, request: &[u8]) -> std::io::Result<()> {
    to.write_all(request).await?;
    to.flush().await
}

struct RequestReader<R> {
    from: R,
    buffer: Vec<u8>,
}

impl<R: AsyncRead + Unpin> RequestReader<R> {
    async fn next(&mut self) -> Result<Option<Vec<u8>>, ConnectionEnd> {
        loop {
            if let Some(length) = ber::message_length(&self.buffer, ber::SESSION)?
                && length <= self.buffer.len()
            {
                let rest = self.buffer.split_off(length);
                let request = std::mem::replace(&mut self.buffer, rest);
                allow(&request)?;
                return Ok(Some(request));
            }
            let count = self.from.read_buf(&mut self.buffer).await;
            if count.map_err(|error| ConnectionEnd::Broken(error.kind().to_string()))? == 0 {
                return Ok(None);
            }
        }
    }
}

/// The agent never writes to a directory: of what ldap3 can send, only these three pass. The bind and StartTLS are
/// sent before ldap3 is on the connection.
fn allow(request: &[u8]) -> Result<(), ConnectionEnd> {
    let Ok(envelope) = ber::inspect(request, ber::SESSION) else { return Err(ConnectionEnd::NotARead) };
    match envelope.operation {
        Operation::SearchRequest | Operation::AbandonRequest | Operation::UnbindRequest => Ok(()),
        Operation::BindRequest
        | Operation::BindResponse
        | Operation::SearchEntry
        | Operation::SearchDone
        | Operation::SearchReference
        | Operation::ExtendedRequest
        | Operation::ExtendedResponse
        | Operation::Intermediate => Err(ConnectionEnd::NotARead),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::ber::element;

    fn done(id: u8) -> Vec<u8> {
        let result = [element(0x0a, &[0]), element(0x04, b""), element(0x04, b"")].concat();
        element(0x30, &[element(0x02, &[id]), element(0x65, &result)].concat())
    }

    fn reader(bytes: &[u8]) -> MessageReader<&[u8]> {
        MessageReader::new(bytes, ber::SESSION, Duration::from_secs(5))
    }

    #[tokio::test]
    async fn several_messages_pass_in_one_piece_and_a_half_one_waits() {
        let mut bytes = [done(1), done(2)].concat();
        bytes.extend_from_slice(&done(3)[..4]);
        let mut reader = reader(&bytes);

        let passed = reader.next_messages().await.unwrap().unwrap().to_vec();

        assert_eq!(passed, [done(1), done(2)].concat());
        assert_eq!(reader.next_messages().await.unwrap_err(), ConnectionEnd::ClosedInsideMessage);
    }

    #[tokio::test]
    async fn a_large_message_grows_the_buffer_and_arrives_whole() {
        let value = element(0x04, &vec![7; 3_000_000]);
        let entry = element(0x30, &[element(0x02, &[1]), element(0x64, &value)].concat());
        let mut reader = reader(&entry);

        assert_eq!(reader.next_message().await.unwrap().unwrap(), entry);
    }

    #[tokio::test]
    async fn a_message_that_drips_in_ends_as_stalled() {
        let (ours, mut theirs) = tokio::io::duplex(64);
        tokio::spawn(async move {
            for byte in done(1) {
                let _ = theirs.write_all(&[byte]).await;
                tokio::time::sleep(Duration::from_millis(30)).await;
            }
        });
        let mut reader = MessageReader::new(ours, ber::SESSION, Duration::from_millis(100));

        assert_eq!(reader.next_message().await.unwrap_err(), ConnectionEnd::Stalled(0));
    }

    #[tokio::test]
    async fn a_notice_of_disconnection_is_told_as_such() {
        let result = [element(0x0a, &[52]), element(0x04, b""), element(0x04, b"")].concat();
        let notice = element(
            0x30,
            &[element(0x02, &[0]), element(0x78, &result), element(0x8a, b"1.3.6.1.4.1.1466.20036")].concat(),
        );

        assert_eq!(reader(&notice).next_message().await.unwrap_err(), ConnectionEnd::Disconnected);
    }

    #[tokio::test]
    async fn an_add_request_never_reaches_the_server() {
        let (mut ldap3, ours) = tokio::io::duplex(1024);
        let (to_server, mut server) = tokio::io::duplex(1024);
        let end = EndReason::default();
        let pump = tokio::spawn(pump_up(ours, to_server, end.clone()));

        ldap3.write_all(&element(0x30, &[element(0x02, &[1]), element(0x68, b"")].concat())).await.unwrap();

        pump.await.unwrap();
        let mut seen = Vec::new();
        server.read_to_end(&mut seen).await.unwrap();
        assert!(seen.is_empty());
        assert_eq!(end.get(), ConnectionEnd::NotARead);
    }
}
