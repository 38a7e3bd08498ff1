//! The sealing layer against a peer that speaks the same frames, and against everything a network can do to them.

use super::*;
use crate::platform::kerberos::{Granted, Step};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

/// Seals as a library does, seen from outside: a number that must follow the last one, a mark, the bytes turned around,
/// and a sum over all of it.
#[derive(Default)]
struct Toy {
    sent: u8,
    received: u8,
}

impl Toy {
    fn sum(bytes: &[u8]) -> u8 {
        bytes.iter().fold(7, |sum: u8, byte| sum.rotate_left(1) ^ byte)
    }
}

impl SecurityContext for Toy {
    fn step(&mut self, _received: &[u8]) -> Result<Step, KerberosFault> {
        Err(KerberosFault::NoTicket)
    }

    fn granted(&self) -> Granted {
        Granted::default()
    }

    fn wrap(&mut self, plain: &[u8], sealing: Sealing) -> Result<Vec<u8>, KerberosFault> {
        let mark = u8::from(sealing == Sealing::Sealed);
        let mut wrapped = vec![self.sent, mark];
        self.sent = self.sent.wrapping_add(1);
        wrapped.extend(plain.iter().map(|byte| !byte));
        wrapped.push(Self::sum(&wrapped));
        Ok(wrapped)
    }

    fn unwrap(&mut self, wrapped: &[u8]) -> Result<(Vec<u8>, Sealing), KerberosFault> {
        let damaged = |damage| Err(KerberosFault::Disturbed(damage));
        let Some((sum, rest)) = wrapped.split_last() else { return damaged(Damage::Changed) };
        let [number, mark, hidden @ ..] = rest else { return damaged(Damage::Changed) };
        if Self::sum(rest) != *sum {
            return damaged(Damage::Changed);
        }
        match number.cmp(&self.received) {
            std::cmp::Ordering::Less => return damaged(Damage::Repeated),
            std::cmp::Ordering::Greater => return damaged(Damage::Missing),
            std::cmp::Ordering::Equal => self.received = self.received.wrapping_add(1),
        }
        let sealing = if *mark == 1 { Sealing::Sealed } else { Sealing::SignedOnly };
        Ok((hidden.iter().map(|byte| !byte).collect(), sealing))
    }

    fn largest_plain(&mut self, largest_wrapped: u32) -> Result<usize, KerberosFault> {
        Ok(usize::try_from(largest_wrapped).unwrap().saturating_sub(3))
    }
}

fn sealed(largest_frame: u32) -> (Sealed<DuplexStream>, DuplexStream) {
    let (ours, theirs) = tokio::io::duplex(1024 * 1024);
    let sealed = Sealed::new(ours, Box::new(Toy::default()), largest_frame, Duration::from_millis(200)).unwrap();
    (sealed, theirs)
}

fn framed(wrapped: &[u8]) -> Vec<u8> {
    [&u32::try_from(wrapped.len()).unwrap().to_be_bytes(), wrapped].concat()
}

/// The frames a server would send for these pieces of plain text.
fn frames(pieces: &[&[u8]]) -> Vec<Vec<u8>> {
    let mut server = Toy::default();
    pieces.iter().map(|piece| framed(&server.wrap(piece, Sealing::Sealed).unwrap())).collect()
}

/// What of these bytes is handed on until the connection ends, and how it ends.
async fn received(bytes: &[u8]) -> (Vec<u8>, Option<KerberosFault>) {
    let (mut sealed, mut server) = sealed(LARGEST_FRAME);
    server.write_all(bytes).await.unwrap();
    drop(server);
    let mut plain = Vec::new();
    let end = sealed.read_to_end(&mut plain).await;
    (plain, end.err().map(|error| *error.into_inner().unwrap().downcast::<KerberosFault>().unwrap()))
}

const DAMAGED: fn(Damage) -> Option<KerberosFault> = |damage| Some(KerberosFault::Disturbed(damage));

#[tokio::test]
async fn a_buffer_with_several_messages_and_a_message_over_three_buffers_arrive_byte_for_byte() {
    let bytes = frames(&[b"one two three ", b"fo", b"u", b"r"]).concat();

    assert_eq!(received(&bytes).await, (b"one two three four".to_vec(), None));
}

#[tokio::test]
async fn bytes_that_come_one_by_one_make_the_same_text() {
    let (mut sealed, mut server) = sealed(LARGEST_FRAME);
    let bytes = frames(&[b"a length split over segments", b" and a buffer, too"]).concat();
    let trickle = tokio::spawn(async move {
        for byte in bytes {
            server.write_all(&[byte]).await.unwrap();
            tokio::task::yield_now().await;
        }
    });

    let mut plain = String::new();
    sealed.read_to_string(&mut plain).await.unwrap();

    trickle.await.unwrap();
    assert_eq!(plain, "a length split over segments and a buffer, too");
}

#[tokio::test]
async fn a_buffer_without_content_ends_nothing() {
    let bytes = frames(&[b"before", b"", b" after"]).concat();

    assert_eq!(received(&bytes).await, (b"before after".to_vec(), None));
}

#[tokio::test]
async fn an_impossible_length_ends_the_connection_without_costing_memory() {
    assert_eq!(received(&[0, 0, 0, 0]).await, (vec![], DAMAGED(Damage::Length(0))));
    let over = LARGEST_FRAME + 1;
    assert_eq!(received(&over.to_be_bytes()).await, (vec![], DAMAGED(Damage::Length(over))));
    // LDAP in clear: what a server would say that forgot the layer.
    assert_eq!(received(b"\x30\x84\x00\x00").await, (vec![], DAMAGED(Damage::Length(0x3084_0000))));
}

#[tokio::test]
async fn every_flipped_bit_of_a_buffer_ends_the_connection() {
    let good = frames(&[b"people"]).concat();
    for at in 4..good.len() {
        for bit in 0..8 {
            let mut bytes = good.clone();
            bytes[at] ^= 1 << bit;
            let (plain, end) = received(&bytes).await;
            assert!(plain.is_empty() && end.is_some(), "byte {at}, bit {bit}");
        }
    }
}

#[tokio::test]
async fn a_lost_a_repeated_and_an_overtaken_buffer_end_the_connection() {
    let [a, b, c] = <[Vec<u8>; 3]>::try_from(frames(&[b"a", b"b", b"c"])).unwrap();

    assert_eq!(received(&[a.clone(), c.clone()].concat()).await, (b"a".to_vec(), DAMAGED(Damage::Missing)));
    assert_eq!(received(&[a.clone(), a.clone()].concat()).await, (b"a".to_vec(), DAMAGED(Damage::Repeated)));
    assert_eq!(received(&[a, c, b].concat()).await, (b"a".to_vec(), DAMAGED(Damage::Missing)));
}

#[tokio::test]
async fn a_buffer_that_was_only_signed_is_refused() {
    let mut server = Toy::default();
    let bytes = framed(&server.wrap(b"in clear", Sealing::SignedOnly).unwrap());

    assert_eq!(received(&bytes).await, (vec![], DAMAGED(Damage::Unsealed)));
}

#[tokio::test]
async fn a_close_inside_a_frame_is_no_end_of_the_conversation() {
    let good = frames(&[b"whole", b"half"]);
    for kept in 1..good[1].len() {
        let bytes = [&good[0], &good[1][..kept]].concat();
        assert_eq!(received(&bytes).await, (b"whole".to_vec(), DAMAGED(Damage::CutOff)), "{kept} bytes");
    }
    assert_eq!(received(&good.concat()).await, (b"wholehalf".to_vec(), None));
}

#[tokio::test]
async fn a_frame_that_is_never_finished_ends_in_time() {
    let (mut sealed, mut server) = sealed(LARGEST_FRAME);
    server.write_all(&frames(&[b"text"]).concat()[..6]).await.unwrap();

    let error = sealed.read_to_end(&mut Vec::new()).await.unwrap_err();

    assert_eq!(error.to_string(), "a sealed buffer was not complete within 0 s");
    drop(server);
}

#[tokio::test]
async fn silence_between_two_frames_is_no_fault_of_the_layer() {
    let (mut sealed, mut server) = sealed(LARGEST_FRAME);
    let later = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(400)).await;
        server.write_all(&frames(&[b"late"]).concat()).await.unwrap();
    });

    let mut plain = String::new();
    sealed.read_to_string(&mut plain).await.unwrap();

    later.await.unwrap();
    assert_eq!(plain, "late");
}

#[tokio::test]
async fn what_is_sent_is_cut_to_what_the_server_takes_and_never_in_clear() {
    let (mut sealed, mut server) = sealed(13);
    let text = b"a request that is longer than one buffer";

    sealed.write_all(text).await.unwrap();
    sealed.shutdown().await.unwrap();
    drop(sealed);

    let mut bytes = Vec::new();
    server.read_to_end(&mut bytes).await.unwrap();
    assert!(!bytes.windows(7).any(|window| window == b"request"));
    let (mut peer, mut plain, mut rest) = (Toy::default(), Vec::new(), bytes.as_slice());
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        let length = usize::try_from(u32::from_be_bytes(*length)).unwrap();
        assert!(length <= 13);
        plain.extend(peer.unwrap(&after[..length]).unwrap().0);
        rest = &after[length..];
    }
    assert_eq!(plain, text);
}

#[test]
fn a_server_that_takes_no_buffer_of_a_usable_size_is_refused() {
    let (ours, _theirs) = tokio::io::duplex(16);

    assert!(Sealed::new(ours, Box::new(Toy::default()), 2, Duration::from_secs(1)).is_err());
}
