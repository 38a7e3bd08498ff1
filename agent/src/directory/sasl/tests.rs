//! The sign-in against a scripted server: what it may offer, and what ends it.

use super::*;
use crate::platform::kerberos::{Granted, Sealing};
use tokio::io::AsyncReadExt;

const ALL: Granted = Granted { mutual: true, integrity: true, confidentiality: true, sequence: true, replay: true };

/// A context that needs one answer of the server, then is established. It wraps by a mark in front.
struct Toy {
    steps: u8,
    granted: Granted,
}

impl SecurityContext for Toy {
    fn step(&mut self, received: &[u8]) -> Result<Step, KerberosFault> {
        self.steps += 1;
        match (self.steps, received) {
            (1, []) => Ok(Step { send: b"request".to_vec(), handshake: Handshake::Continues }),
            (2, b"reply") => Ok(Step { send: Vec::new(), handshake: Handshake::Established }),
            (_, _) => Err(KerberosFault::Refused),
        }
    }

    fn granted(&self) -> Granted {
        self.granted
    }

    fn wrap(&mut self, plain: &[u8], sealing: Sealing) -> Result<Vec<u8>, KerberosFault> {
        assert_eq!(sealing, Sealing::SignedOnly, "the choice of a layer is signed and not sealed (RFC 4752 3.1)");
        Ok([b"w", plain].concat())
    }

    fn unwrap(&mut self, wrapped: &[u8]) -> Result<(Vec<u8>, Sealing), KerberosFault> {
        let plain = wrapped.strip_prefix(b"w").ok_or(KerberosFault::Refused)?;
        Ok((plain.to_vec(), Sealing::SignedOnly))
    }

    fn largest_plain(&mut self, largest_wrapped: u32) -> Result<usize, KerberosFault> {
        Ok(usize::try_from(largest_wrapped).unwrap())
    }
}

fn reply(number: u8, code: u8, credentials: &[u8]) -> Vec<u8> {
    let result = [element(0x0a, &[code]), element(0x04, b""), element(0x04, b"")].concat();
    let response = element(0x61, &[result, element(0x87, credentials)].concat());
    element(0x30, &[element(0x02, &[number]), response].concat())
}

/// Signs in to a server that gives these answers in turn; what the agent sent, and how it ended.
async fn sign_in_to(
    answers: Vec<Vec<u8>>,
    purpose: Purpose,
    granted: Granted,
) -> (Vec<u8>, Result<SignedIn, ConnectError>) {
    let (mut ours, mut theirs) = tokio::io::duplex(64 * 1024);
    let server = tokio::spawn(async move {
        let mut sent = Vec::new();
        for answer in answers {
            let mut buffer = [0; 4096];
            let count = theirs.read(&mut buffer).await.unwrap();
            sent.extend_from_slice(&buffer[..count]);
            theirs.write_all(&answer).await.unwrap();
        }
        sent
    });
    let end = sign_in(&mut ours, Box::new(Toy { steps: 0, granted }), &purpose, Duration::from_secs(5)).await;
    drop(ours);
    (server.await.unwrap_or_default(), end)
}

fn offering(offer: [u8; 4]) -> Vec<Vec<u8>> {
    let wrapped = [b"w".as_slice(), &offer].concat();
    vec![reply(1, 14, b"reply"), reply(2, 14, &wrapped), reply(3, 0, b"")]
}

fn fault(end: Result<SignedIn, ConnectError>) -> KerberosFault {
    match end.err() {
        Some(ConnectError::Kerberos(fault)) => fault,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn privacy_is_chosen_and_our_own_limit_announced() {
    let (sent, end) = sign_in_to(offering([7, 0x00, 0xff, 0xff]), Purpose::Sealing, ALL).await;

    assert_eq!(end.unwrap().largest_frame, 0xffff);
    let choice = [b"w".as_slice(), &[4, 0x9f, 0xff, 0xb8]].concat();
    assert!(sent.windows(choice.len()).any(|window| window == choice), "{sent:x?}");
    assert!(sent.windows(6).any(|window| window == b"GSSAPI"));
}

#[tokio::test]
async fn a_server_that_offers_no_privacy_is_left() {
    for layers in [0, 1, 2, 3, 0xf8] {
        let (_, end) = sign_in_to(offering([layers, 0, 0xff, 0xff]), Purpose::Sealing, ALL).await;
        assert_eq!(fault(end), KerberosFault::NotGranted("encryption"), "{layers}");
    }
}

#[tokio::test]
async fn a_protection_that_was_not_granted_ends_the_sign_in_before_a_layer_is_chosen() {
    let without = Granted { sequence: false, ..ALL };

    let (sent, end) = sign_in_to(offering([7, 0, 0xff, 0xff]), Purpose::Sealing, without).await;

    assert_eq!(fault(end), KerberosFault::NotGranted("sequence detection"));
    assert!(!sent.contains(&0x9f), "no choice was sent");
}

#[tokio::test]
async fn inside_tls_no_layer_is_chosen() {
    let purpose = Purpose::InsideTls { binding: None };
    let (sent, end) = sign_in_to(offering([1, 0, 0, 0]), purpose.clone(), ALL).await;

    assert!(end.is_ok());
    assert!(sent.windows(5).any(|window| window == [b'w', 1, 0, 0, 0]));
    let (_, end) = sign_in_to(offering([4, 0, 0xff, 0xff]), purpose, ALL).await;
    assert!(matches!(fault(end), KerberosFault::NotGranted(_)));
}

#[tokio::test]
async fn a_server_that_is_satisfied_too_early_has_not_proved_itself() {
    let (_, end) = sign_in_to(vec![reply(1, 0, b"")], Purpose::Sealing, ALL).await;
    assert_eq!(fault(end), KerberosFault::NotGranted("mutual authentication"));

    let early = vec![reply(1, 14, b"reply"), reply(2, 0, b"")];
    let (_, end) = sign_in_to(early, Purpose::Sealing, ALL).await;
    assert_eq!(fault(end), KerberosFault::NotGranted("a choice of protection"));
}

#[tokio::test]
async fn a_refusal_is_told_as_a_refusal() {
    let (_, end) = sign_in_to(vec![reply(1, 49, b"")], Purpose::Sealing, ALL).await;
    assert_eq!(end.err(), Some(ConnectError::Bind(BindRefused::NameOrPassword)));

    let (_, end) = sign_in_to(vec![reply(1, 14, b"somebody else's reply")], Purpose::Sealing, ALL).await;
    assert_eq!(fault(end), KerberosFault::Refused);
}

#[tokio::test]
async fn an_offer_of_another_length_and_a_reply_without_end_are_refused() {
    let odd = vec![reply(1, 14, b"reply"), reply(2, 14, b"w\x07\x00\x00")];
    let (_, end) = sign_in_to(odd, Purpose::Sealing, ALL).await;
    assert_eq!(fault(end), KerberosFault::NotGranted("a choice of protection"));

    let endless = vec![reply(1, 14, b"reply"), reply(2, 14, b"w\x07\x00\xff\xff"), reply(3, 14, b"more")];
    let (_, end) = sign_in_to(endless, Purpose::Sealing, ALL).await;
    assert_eq!(end.err(), Some(ConnectError::Bind(BindRefused::Other(14))));
}
