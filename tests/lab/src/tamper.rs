//! A hostile network between an agent and its domain controller: carries the sign-in untouched, then harms one sealed
//! buffer of the controller in a chosen way.
//!
//! Sealed buffers are told from LDAP by their first byte: an LDAP message begins with 0x30, a buffer with the high byte
//! of its length, which is zero for every length a controller sends.

use std::io;
use std::net::SocketAddr;
use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU32, Ordering},
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What happens to the chosen buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Harm {
    None,
    /// One bit in its middle is turned.
    Flip,
    Drop,
    /// It comes twice.
    Double,
    /// It comes after the one that follows it.
    Swap,
    /// Half of it comes, then the connection closes.
    Truncate,
    /// It is announced with a length of zero.
    Empty,
    /// It is announced longer than anybody accepts.
    Oversize,
    /// The connection closes before it, between two buffers.
    Close,
}

pub const HARMS: [Harm; 8] =
    [Harm::Flip, Harm::Drop, Harm::Double, Harm::Swap, Harm::Truncate, Harm::Empty, Harm::Oversize, Harm::Close];

/// The running proxy; it ends with the runtime it was started in.
#[derive(Debug)]
pub struct Tamper {
    address: SocketAddr,
    plan: Arc<Mutex<Plan>>,
    seen: Arc<AtomicU32>,
}

#[derive(Debug, Clone, Copy)]
struct Plan {
    harm: Harm,
    /// Which of the controller's sealed buffers on each connection, the first being 1.
    at: u32,
}

impl Tamper {
    pub async fn start(controller: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let plan = Arc::new(Mutex::new(Plan { harm: Harm::None, at: 0 }));
        let seen = Arc::new(AtomicU32::new(0));
        tokio::spawn(accept(listener, controller, Arc::clone(&plan), Arc::clone(&seen)));
        Ok(Self { address, plan, seen })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What the connections from now on suffer.
    pub fn harm(&self, harm: Harm, at: u32) {
        *self.plan.lock().unwrap_or_else(PoisonError::into_inner) = Plan { harm, at };
        self.seen.store(0, Ordering::SeqCst);
    }

    /// How many sealed buffers of the controller the last connection carried.
    pub fn buffers(&self) -> u32 {
        self.seen.load(Ordering::SeqCst)
    }
}

async fn accept(listener: TcpListener, controller: SocketAddr, plan: Arc<Mutex<Plan>>, seen: Arc<AtomicU32>) {
    while let Ok((agent, _)) = listener.accept().await {
        let plan = *plan.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = Arc::clone(&seen);
        tokio::spawn(async move {
            if let Ok(server) = TcpStream::connect(controller).await {
                seen.store(0, Ordering::SeqCst);
                carry(agent, server, plan, &seen).await;
            }
        });
    }
}

/// Ends both directions when one ends.
async fn carry(agent: TcpStream, server: TcpStream, plan: Plan, seen: &AtomicU32) {
    let (mut from_agent, mut to_agent) = agent.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    tokio::select! {
        _ = tokio::io::copy(&mut from_agent, &mut to_server) => {}
        _ = harm_down(&mut from_server, &mut to_agent, plan, seen) => {}
    }
}

async fn harm_down(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWriteExt + Unpin),
    plan: Plan,
    seen: &AtomicU32,
) -> io::Result<()> {
    loop {
        let mut piece = next(from).await?;
        let is_sealed = piece.first() != Some(&0x30);
        let is_chosen = is_sealed && seen.fetch_add(1, Ordering::SeqCst) + 1 == plan.at;
        match if is_chosen { plan.harm } else { Harm::None } {
            Harm::None => {}
            Harm::Flip => {
                let middle = piece.len() / 2;
                piece[middle] ^= 0x10;
            }
            Harm::Drop => continue,
            Harm::Double => to.write_all(&piece).await?,
            Harm::Swap => {
                let after = next(from).await?;
                to.write_all(&after).await?;
            }
            Harm::Truncate => return to.write_all(&piece[..piece.len() / 2]).await,
            Harm::Empty => piece = vec![0; 4],
            Harm::Oversize => piece[..4].copy_from_slice(&[0x7f, 0xff, 0xff, 0xff]),
            Harm::Close => return Ok(()),
        }
        to.write_all(&piece).await?;
        to.flush().await?;
    }
}

/// One LDAP message or one sealed buffer, whole, its length first.
async fn next(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Vec<u8>> {
    let mut head = vec![0; 2];
    from.read_exact(&mut head).await?;
    let length = match (head[0], head[1]) {
        (0x30, short) if short < 0x80 => usize::from(short),
        (0x30, long) => {
            let mut digits = vec![0; usize::from(long & 0x7f)];
            from.read_exact(&mut digits).await?;
            let length = digits.iter().fold(0, |sum, digit| (sum << 8) | usize::from(*digit));
            head.extend(digits);
            length
        }
        (high, next) => {
            let mut low = [0; 2];
            from.read_exact(&mut low).await?;
            head.extend(low);
            u32::from_be_bytes([high, next, low[0], low[1]]) as usize
        }
    };
    let start = head.len();
    head.resize(start + length, 0);
    from.read_exact(&mut head[start..]).await?;
    Ok(head)
}
