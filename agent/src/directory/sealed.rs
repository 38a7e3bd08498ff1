//! Decides how LDAP travels inside Kerberos: every buffer encrypted, in order, whole, or the connection ends.
//!
//! A frame is a length of four bytes (big-endian) and one wrapped buffer (RFC 4422 3.7). Frames and LDAP messages know
//! nothing of each other: a frame may hold many messages, a message many frames. The gate above sees plain LDAP bytes.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

use crate::platform::kerberos::{Damage, KerberosFault, Sealing, SecurityContext};

/// The largest buffer we take, announced in the handshake: what other clients announce, too.
pub const LARGEST_FRAME: u32 = 0x009f_ffb8;
/// The most that is wrapped at once.
const LARGEST_PLAIN: usize = 64 * 1024;
const CHUNK: usize = 16 * 1024;

#[expect(missing_debug_implementations, reason = "holds a security context, which has nothing to show")]
/// A connection in which every buffer is sealed. It owns the security context, so nothing else can use it meanwhile.
pub struct Sealed<S> {
    wire: S,
    context: Box<dyn SecurityContext>,
    incoming: Incoming,
    outgoing: Outgoing,
    /// From the first byte of a frame to its last.
    deadline: Duration,
    late: Option<Pin<Box<Sleep>>>,
}

/// What came, and what of it was not handed on yet.
#[derive(Debug, Default)]
struct Incoming {
    /// The frame that is being read, its length first.
    frame: Vec<u8>,
    plain: Vec<u8>,
    handed_on: usize,
}

#[derive(Debug)]
struct Outgoing {
    frame: Vec<u8>,
    sent: usize,
    largest_plain: usize,
}

impl<S> Sealed<S> {
    /// `largest_frame` is what the server said it takes.
    pub fn new(
        wire: S,
        mut context: Box<dyn SecurityContext>,
        largest_frame: u32,
        deadline: Duration,
    ) -> Result<Self, KerberosFault> {
        let largest_plain = context.largest_plain(largest_frame)?.min(LARGEST_PLAIN);
        if largest_plain == 0 {
            return Err(KerberosFault::NotGranted("buffers of a usable size"));
        }
        let outgoing = Outgoing { frame: Vec::new(), sent: 0, largest_plain };
        Ok(Self { wire, context, incoming: Incoming::default(), outgoing, deadline, late: None })
    }
}

impl Incoming {
    fn unread(&self) -> &[u8] {
        self.plain.get(self.handed_on..).unwrap_or_default()
    }

    /// How many bytes the frame still lacks: of its length at first, then of its buffer.
    fn lacks(&self) -> Result<usize, Damage> {
        let Some(length) = self.frame.first_chunk::<4>() else { return Ok(4 - self.frame.len()) };
        let length = u32::from_be_bytes(*length);
        if length == 0 || length > LARGEST_FRAME {
            return Err(Damage::Length(length));
        }
        let whole = usize::try_from(length).unwrap_or(usize::MAX).saturating_add(4);
        Ok(whole - self.frame.len().min(whole))
    }

    fn is_inside_a_frame(&self) -> bool {
        !self.frame.is_empty()
    }

    /// Takes the whole frame apart. What only was signed is refused: the server may not choose to speak in clear.
    fn open(&mut self, context: &mut dyn SecurityContext) -> Result<(), KerberosFault> {
        let (plain, sealing) = context.unwrap(self.frame.get(4..).unwrap_or_default())?;
        match sealing {
            Sealing::Sealed => {}
            Sealing::SignedOnly => return Err(KerberosFault::Disturbed(Damage::Unsealed)),
        }
        self.frame.clear();
        self.frame.shrink_to(CHUNK);
        (self.plain, self.handed_on) = (plain, 0);
        Ok(())
    }
}

/// The cause of an end, carried through `io::Error` to the gate.
fn broken(fault: KerberosFault) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, fault)
}

fn damaged(damage: Damage) -> io::Error {
    broken(KerberosFault::Disturbed(damage))
}

impl<S: AsyncRead + AsyncWrite + Unpin> Sealed<S> {
    /// Reads on until there is something to hand on. `false` when the server closed between two frames.
    fn poll_plain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        while self.incoming.unread().is_empty() {
            let lacks = self.incoming.lacks().map_err(damaged)?;
            if lacks == 0 {
                self.incoming.open(&mut *self.context).map_err(broken)?;
                self.late = None;
                continue;
            }
            self.check_deadline(cx)?;
            let came = ready!(self.poll_some(cx, lacks))?;
            match (came, self.incoming.is_inside_a_frame()) {
                (0, false) => return Poll::Ready(Ok(false)),
                (0, true) => return Poll::Ready(Err(damaged(Damage::CutOff))),
                (_, _) => {}
            }
        }
        Poll::Ready(Ok(true))
    }

    /// At most this many bytes of the frame; memory grows only as bytes really arrive, so an announced length costs nothing.
    fn poll_some(&mut self, cx: &mut Context<'_>, lacks: usize) -> Poll<io::Result<usize>> {
        let before = self.incoming.frame.len();
        let mut chunk = [0; CHUNK];
        let mut room = ReadBuf::new(chunk.get_mut(..lacks.min(CHUNK)).unwrap_or_default());
        ready!(Pin::new(&mut self.wire).poll_read(cx, &mut room))?;
        self.incoming.frame.extend_from_slice(room.filled());
        Poll::Ready(Ok(self.incoming.frame.len() - before))
    }

    fn check_deadline(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        if !self.incoming.is_inside_a_frame() {
            return Ok(());
        }
        let deadline = self.deadline;
        let late = self.late.get_or_insert_with(|| Box::pin(tokio::time::sleep(deadline)));
        match late.as_mut().poll(cx) {
            Poll::Ready(()) => Err(damaged(Damage::Late(deadline.as_secs()))),
            Poll::Pending => Ok(()),
        }
    }

    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(unsent) = self.outgoing.frame.get(self.outgoing.sent..).filter(|unsent| !unsent.is_empty()) {
            let count = ready!(Pin::new(&mut self.wire).poll_write(cx, unsent))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.outgoing.sent += count;
        }
        self.outgoing.frame.clear();
        self.outgoing.sent = 0;
        Poll::Ready(Ok(()))
    }

    fn seal(&mut self, plain: &[u8]) -> Result<(), KerberosFault> {
        let wrapped = self.context.wrap(plain, Sealing::Sealed)?;
        let length = u32::try_from(wrapped.len()).map_err(|_| KerberosFault::Disturbed(Damage::Length(u32::MAX)))?;
        self.outgoing.frame.extend_from_slice(&length.to_be_bytes());
        self.outgoing.frame.extend_from_slice(&wrapped);
        Ok(())
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Sealed<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, to: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if ready!(self.poll_plain(cx))? {
            let unread = self.incoming.unread();
            let taken = unread.len().min(to.remaining());
            to.put_slice(unread.get(..taken).unwrap_or_default());
            self.incoming.handed_on += taken;
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Sealed<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, plain: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.poll_send(cx))?;
        let taken = plain.len().min(self.outgoing.largest_plain);
        if taken > 0 {
            self.seal(plain.get(..taken).unwrap_or_default()).map_err(broken)?;
        }
        Poll::Ready(Ok(taken))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_send(cx))?;
        Pin::new(&mut self.wire).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_send(cx))?;
        Pin::new(&mut self.wire).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests;
