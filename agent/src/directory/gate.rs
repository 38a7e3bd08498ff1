//! Decides which bytes from a directory server reach us: whole inspected messages, each in bounded time and size.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::ber::{self, Limits, Malformed, Message, Operation};
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

    /// One message, however long the server takes to begin it. `None` when the server closed between messages.
    pub async fn next_message(&mut self) -> Result<Option<Vec<u8>>, ConnectionEnd> {
        let Some(length) = self.fill_one().await? else { return Ok(None) };
        self.take(length)?;
        Ok(self.buffer.get(self.start - length..self.start).map(<[u8]>::to_vec))
    }

    /// Length of the next message if the whole of it is here.
    pub fn ready(&self) -> Result<Option<usize>, ConnectionEnd> {
        let length = ber::message_length(self.buffered(), self.limits)?;
        Ok(length.filter(|length| *length <= self.end - self.start))
    }

    /// Reads until one whole message is here and returns its length. `None` when the server closed between messages.
    pub async fn fill_one(&mut self) -> Result<Option<usize>, ConnectionEnd> {
        if self.start == self.end && !self.read_more().await? {
            return Ok(None);
        }
        let deadline = self.deadline;
        tokio::time::timeout(deadline, self.complete_one())
            .await
            .map_err(|_| ConnectionEnd::Stalled(deadline.as_secs()))?
            .map(Some)
    }

    /// Takes the message of this length, inspected.
    pub fn take(&mut self, length: usize) -> Result<Message<'_>, ConnectionEnd> {
        let from = self.start;
        self.start += length;
        inspect(self.buffer.get(from..self.start).unwrap_or_default(), self.limits)
    }

    fn buffered(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
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

impl<S: AsyncRead + AsyncWrite + Unpin> MessageReader<S> {
    /// Sends a request on the same connection.
    pub async fn send(&mut self, request: &[u8]) -> Result<(), ConnectionEnd> {
        let deadline = self.deadline;
        let sent = async {
            self.from.write_all(request).await?;
            self.from.flush().await
        };
        let sent = tokio::time::timeout(deadline, sent).await;
        sent.map_err(|_| ConnectionEnd::Stalled(deadline.as_secs()))?.map_err(ConnectionEnd::from)
    }
}

fn inspect(message: &[u8], limits: Limits) -> Result<Message<'_>, ConnectionEnd> {
    let message = ber::inspect(message, limits)?;
    match message.operation {
        Operation::SearchEntry
        | Operation::SearchDone
        | Operation::SearchReference
        | Operation::BindResponse
        | Operation::Intermediate => Ok(message),
        // Message id 0 is an unsolicited notification, and the only one LDAP knows is the farewell (RFC 4511 4.4.1).
        Operation::ExtendedResponse if message.id == 0 => Err(ConnectionEnd::Disconnected),
        Operation::ExtendedResponse => Ok(message),
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
    async fn messages_that_came_together_are_taken_one_by_one_and_a_half_one_waits() {
        let mut bytes = [done(1), done(2)].concat();
        bytes.extend_from_slice(&done(3)[..4]);
        let mut reader = reader(&bytes);

        let first = reader.fill_one().await.unwrap().unwrap();
        assert_eq!(reader.take(first).unwrap().id, 1);
        let second = reader.ready().unwrap().unwrap();
        assert_eq!(reader.take(second).unwrap().id, 2);

        assert_eq!(reader.ready(), Ok(None));
        assert_eq!(reader.fill_one().await.unwrap_err(), ConnectionEnd::ClosedInsideMessage);
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
}
