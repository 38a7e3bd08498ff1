//! Decides how ldap3 is joined to our own transport inside one process: a stream pair with exactly one verified peer.

use std::io;
use std::net::{Ipv4Addr, TcpListener, TcpStream};

use ldap3::StdStream;

#[expect(missing_debug_implementations, reason = "ldap3's stream type has none")]
/// Our end, ldap3's end and the URL that tells ldap3 which kind it is.
pub struct Pair {
    pub ours: OurEnd,
    pub theirs: StdStream,
    pub url: &'static str,
}

#[cfg(unix)]
pub type OurEnd = tokio::net::UnixStream;
#[cfg(not(unix))]
pub type OurEnd = tokio::net::TcpStream;

/// A pair that no other process can reach.
#[cfg(unix)]
pub fn open() -> io::Result<Pair> {
    let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
    ours.set_nonblocking(true)?;
    let ours = tokio::net::UnixStream::from_std(ours)?;
    Ok(Pair { ours, theirs: StdStream::Unix(theirs), url: "ldapi:///" })
}

/// Windows has no such pair that ldap3 understands, so it is a loopback connection whose both ends are proven ours.
#[cfg(not(unix))]
pub fn open() -> io::Result<Pair> {
    let (ours, theirs) = loopback_pair()?;
    ours.set_nonblocking(true)?;
    let ours = tokio::net::TcpStream::from_std(ours)?;
    Ok(Pair { ours, theirs: StdStream::Tcp(theirs), url: "ldap://localhost" })
}

const ATTEMPTS: usize = 8;

/// Connects to an own listener. Another process may be faster in connecting to it: such a peer is dropped, and after a
/// few tries we give up rather than speak to a stranger.
pub fn loopback_pair() -> io::Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    for _ in 0..ATTEMPTS {
        let connected = TcpStream::connect(listener.local_addr()?)?;
        let (accepted, peer) = listener.accept()?;
        if peer == connected.local_addr()? && accepted.local_addr()? == connected.peer_addr()? {
            return Ok((accepted, connected));
        }
    }
    Err(io::Error::new(io::ErrorKind::PermissionDenied, "another process keeps connecting to our loopback listener"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};

    #[test]
    fn both_ends_of_a_loopback_pair_are_ours() {
        let (mut one, mut other) = loopback_pair().unwrap();

        one.write_all(b"ping").unwrap();
        let mut seen = [0; 4];
        other.read_exact(&mut seen).unwrap();

        assert_eq!(&seen, b"ping");
        assert_eq!(one.peer_addr().unwrap(), other.local_addr().unwrap());
    }
}
