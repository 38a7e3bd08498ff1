//! Decides how a Kerberos sign-in is carried by LDAP: the mechanism GSSAPI of RFC 4752 in bind requests (RFC 4511 4.2).

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

use super::ber::{self, Malformed, element, take};
use super::bind::{self, BindRefused};
use super::connect::ConnectError;
use super::gate::{ConnectionEnd, MessageReader};
use super::sealed::LARGEST_FRAME;
use crate::platform::kerberos::{self, Handshake, KerberosFault, Purpose, Request, Sealing, SecurityContext, Step};

const MECHANISM: &[u8] = b"GSSAPI";
/// AD takes four requests; a server that wants many more wants to keep us busy.
const MOST_EXCHANGES: u8 = 10;
const BIND_IN_PROGRESS: u32 = 14;

/// The layers of RFC 4752 3.3 as bits.
const NO_LAYER: u8 = 1;
const PRIVACY: u8 = 4;

/// A context with which both sides have proved who they are.
pub(super) struct SignedIn {
    pub context: Box<dyn SecurityContext>,
    /// The longest buffer that the server takes.
    pub largest_frame: u32,
}

/// Makes a context. Looking for tickets reads files and may ask a key server.
pub(super) async fn open(request: Request) -> Result<Box<dyn SecurityContext>, ConnectError> {
    Ok(tokio::task::spawn_blocking(move || kerberos::open(&request)).await.map_err(|_| gave_up())??)
}

fn gave_up() -> ConnectionEnd {
    ConnectionEnd::Broken("the Kerberos library gave up".to_owned())
}

/// Signs in. Until it has ended nothing was said but the exchange itself.
pub(super) async fn sign_in<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    context: Box<dyn SecurityContext>,
    purpose: &Purpose,
    deadline: Duration,
) -> Result<SignedIn, ConnectError> {
    let mut exchange = Exchange { stream, deadline, number: 0 };
    let (mut context, wrapped) = establish(&mut exchange, context).await?;
    if let Some(lacking) = context.granted().lacks_for(purpose) {
        return Err(KerberosFault::NotGranted(lacking).into());
    }
    let (offer, _) = context.unwrap(&wrapped)?;
    let choice = choose(&offer, purpose)?;
    let answer = context.wrap(&choice.answer(), Sealing::SignedOnly)?;
    match exchange.pending(&answer).await? {
        None => Ok(SignedIn { context, largest_frame: choice.largest_frame }),
        Some(_) => Err(BindRefused::Other(BIND_IN_PROGRESS).into()),
    }
}

/// Exchanges tokens until both sides have proved themselves, and on to the server's offer, still wrapped.
async fn establish<S: AsyncRead + AsyncWrite + Unpin>(
    exchange: &mut Exchange<'_, S>,
    mut context: Box<dyn SecurityContext>,
) -> Result<(Box<dyn SecurityContext>, Vec<u8>), ConnectError> {
    let mut received = Vec::new();
    loop {
        let (back, step) = step(context, received).await?;
        context = back;
        let answer = exchange.pending(&step.send).await?;
        match step.handshake {
            Handshake::Continues => received = answer.ok_or(KerberosFault::NotGranted("mutual authentication"))?,
            // The last request may carry nothing; the offer is the answer to it.
            Handshake::Established => {
                return Ok((context, answer.ok_or(KerberosFault::NotGranted("a choice of protection"))?));
            }
        }
    }
}

/// A step may ask a key server over the network, and the system's libraries know only how to block.
async fn step(
    mut context: Box<dyn SecurityContext>,
    received: Vec<u8>,
) -> Result<(Box<dyn SecurityContext>, Step), ConnectError> {
    let asked = tokio::task::spawn_blocking(move || {
        let step = context.step(&received);
        (context, step)
    });
    let (context, step) = asked.await.map_err(|_| gave_up())?;
    Ok((context, step?))
}

/// What was agreed on.
#[derive(Debug, PartialEq, Eq)]
struct Choice {
    layer: u8,
    largest_frame: u32,
}

impl Choice {
    /// Our choice, our own limit, and no other identity than the one that signed in.
    fn answer(&self) -> [u8; 4] {
        let [_, high, middle, low] = match self.layer {
            PRIVACY => LARGEST_FRAME.to_be_bytes(),
            _ => [0; 4],
        };
        [self.layer, high, middle, low]
    }
}

/// Chooses from the server's offer: privacy and nothing less, or inside TLS no layer at all, as AD demands.
fn choose(offer: &[u8], purpose: &Purpose) -> Result<Choice, KerberosFault> {
    let Ok([layers, high, middle, low]) = <[u8; 4]>::try_from(offer) else {
        return Err(KerberosFault::NotGranted("a choice of protection"));
    };
    let largest_frame = u32::from_be_bytes([0, high, middle, low]);
    let (layer, name) = match purpose {
        Purpose::Sealing => (PRIVACY, "encryption"),
        Purpose::InsideTls { .. } => (NO_LAYER, "a sign-in without a layer of its own inside TLS"),
    };
    if layers & layer == 0 { Err(KerberosFault::NotGranted(name)) } else { Ok(Choice { layer, largest_frame }) }
}

struct Exchange<'a, S> {
    stream: &'a mut S,
    deadline: Duration,
    number: u8,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Exchange<'_, S> {
    /// Sends one token. `Some` is the server's next one; `None` means that it is satisfied.
    async fn pending(&mut self, token: &[u8]) -> Result<Option<Vec<u8>>, ConnectError> {
        self.number += 1;
        if self.number > MOST_EXCHANGES {
            return Err(BindRefused::Other(BIND_IN_PROGRESS).into());
        }
        let broken = |error: std::io::Error| ConnectionEnd::Broken(error.kind().to_string());
        self.stream.write_all(&request(self.number, token)).await.map_err(broken)?;
        self.stream.flush().await.map_err(broken)?;
        // The server says nothing after its answer until it is asked again: no byte of a sealed frame is taken here.
        let mut reader = MessageReader::new(&mut *self.stream, ber::HANDSHAKE, self.deadline);
        let reply = reader.next_message().await?.ok_or(ConnectionEnd::Closed)?;
        let result = ber::result_of(&reply).map_err(ConnectionEnd::Malformed)?;
        if result.code == BIND_IN_PROGRESS {
            return Ok(Some(server_credentials(&reply).map_err(ConnectionEnd::Malformed)?));
        }
        bind::verdict(&result)?;
        Ok(None)
    }
}

/// `BindRequest{3, "", sasl{GSSAPI, token}}`
fn request(number: u8, token: &[u8]) -> Vec<u8> {
    let sasl = element(0xa3, &[element(0x04, MECHANISM), element(0x04, token)].concat());
    let bind = element(0x60, &[element(0x02, &[3]), element(0x04, b""), sasl].concat());
    element(0x30, &[element(0x02, &[number]), bind].concat())
}

/// `serverSaslCreds [7]` of a bind response; a server may leave an empty one out.
fn server_credentials(message: &[u8]) -> Result<Vec<u8>, Malformed> {
    let id = take(take(message, 0x30)?.content, 0x02)?;
    let response = take(id.rest, 0x61)?.content;
    let mut rest = take(take(take(response, 0x0a)?.rest, 0x04)?.rest, 0x04)?.rest;
    // Referrals may stand before them.
    if let Ok(referral) = take(rest, 0xa3) {
        rest = referral.rest;
    }
    if rest.is_empty() { Ok(Vec::new()) } else { Ok(take(rest, 0x87)?.content.to_vec()) }
}

#[cfg(test)]
mod tests;
