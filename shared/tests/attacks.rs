//! What an attacker between agent and cloud, or with an agent of their own, may try with a batch: none of it is taken.
//!
//! `Cloud` here does what ingest does, in its order: signature, route, body, chain.

#![expect(clippy::unwrap_used, reason = "a test fails loudly")]

use proptest::prelude::*;
use rollcall_protocol::batch::{BatchClaims, BatchLink, CycleKind, CyclePart, StructurePart, Trigger};
use rollcall_protocol::chain::{self, ChainHead, Epoch};
use rollcall_protocol::digest::SetSummary;
use rollcall_protocol::directory::{DcIdentity, DomainPin};
use rollcall_protocol::hash::{BodyDigest, Hash};
use rollcall_protocol::jws::{self, Kind, Unverified};
use rollcall_protocol::key::PrivateKey;
use rollcall_protocol::request::Expected;
use rollcall_protocol::{PROTO, path};
use uuid::Uuid;

const CLOUD: Uuid = Uuid::from_u128(1);
const AGENT: Uuid = Uuid::from_u128(2);
const OTHER_AGENT: Uuid = Uuid::from_u128(3);

fn key(of: Uuid) -> PrivateKey {
    PrivateKey::from_seed(&[of.as_bytes()[15]; 32])
}

#[derive(Clone)]
struct Sent {
    jws: String,
    body: Vec<u8>,
}

struct Cloud {
    head: ChainHead,
    taken: Vec<Hash>,
}

impl Cloud {
    fn new() -> Self {
        Self { head: start().head(), taken: Vec::new() }
    }

    /// True when the batch was stored anew.
    fn takes(&mut self, sent: &Sent) -> bool {
        let expected = Expected { agent: AGENT, cloud: CLOUD, method: "POST", path: path::BATCHES };
        let opened =
            Unverified::parse(&sent.jws).and_then(|jws| jws.verify::<BatchClaims>(Kind::Batch, &key(AGENT).public()));
        let Ok(claims) = opened else { return false };
        if claims.check_route(&expected).is_err() || claims.check_body(&BodyDigest::of(&sent.body)).is_err() {
            return false;
        }
        let jws = Hash::of(sent.jws.as_bytes());
        let stored = usize::try_from(claims.link.chain.seq).ok().and_then(|seq| self.taken.get(seq.checked_sub(1)?));
        if chain::judge(&self.head, stored, &claims.link.chain, &jws) != chain::Verdict::Next {
            return false;
        }
        self.head = claims.link.chain.then(jws);
        self.taken.push(jws);
        true
    }
}

fn start() -> Epoch {
    Epoch { number: 1, start: Hash::of(b"start") }
}

fn batch(head: ChainHead, signer: Uuid, claimed: Uuid, cloud: Uuid) -> Sent {
    let body = format!("body {}", head.seq).into_bytes();
    let at = chrono::DateTime::UNIX_EPOCH;
    let cycle = CyclePart {
        cycle: Uuid::from_u128(4),
        kind: CycleKind::Delta,
        trigger: Trigger::Schedule,
        snapshot: head.seq,
        base: head.seq - 1,
        part: 1,
        parts: 1,
        items: 0,
        started_at: at,
        finished_at: at,
        domain: DomainPin { guid: Uuid::nil(), sid: "S-1-5-21".into(), dns_name: "lab.example".into() },
        dc: DcIdentity { dns_name: "dc1".into(), ntds_guid: Uuid::nil(), invocation_id: Uuid::nil(), usn: 1 },
        set: SetSummary { people: 0, digest: Hash::of(b"") },
        people_seen: 0,
        structure: StructurePart::Unchanged,
        awaiting_second_reading: 0,
        unavailable: Vec::new(),
        unavailable_more: 0,
        clearings: Vec::new(),
        desired_version: 1,
    };
    let claims = BatchClaims {
        proto: PROTO,
        iss: claimed,
        aud: cloud,
        iat: 0,
        jti: Uuid::from_u128(5),
        method: "POST".into(),
        path: path::BATCHES.into(),
        body: BodyDigest::of(&body),
        link: BatchLink { chain: head, cycle },
    };
    Sent { jws: jws::sign(Kind::Batch, &key(signer), &claims).unwrap(), body }
}

fn honest(length: usize) -> Vec<Sent> {
    let mut head = start().head();
    (0..length)
        .map(|_| {
            let sent = batch(head, AGENT, AGENT, CLOUD);
            head = head.then(Hash::of(sent.jws.as_bytes()));
            sent
        })
        .collect()
}

#[test]
fn an_honest_chain_is_taken_once() {
    let mut cloud = Cloud::new();
    for sent in &honest(5) {
        assert!(cloud.takes(sent));
        assert!(!cloud.takes(sent));
    }
    assert_eq!(cloud.taken.len(), 5);
}

// proves: R-13
#[test]
fn foreign_keys_other_agents_and_other_clouds_are_refused() {
    let head = start().head();
    let attacks = [
        batch(head, OTHER_AGENT, AGENT, CLOUD),
        batch(head, OTHER_AGENT, OTHER_AGENT, CLOUD),
        batch(head, AGENT, OTHER_AGENT, CLOUD),
        batch(head, AGENT, AGENT, Uuid::from_u128(9)),
    ];
    for attack in attacks {
        assert!(!Cloud::new().takes(&attack));
    }
}

#[test]
fn every_single_bit_of_body_and_statement_counts() {
    let sent = honest(1).remove(0);
    for index in 0..sent.body.len() * 8 {
        let mut attack = sent.clone();
        attack.body[index / 8] ^= 1 << (index % 8);
        assert!(!Cloud::new().takes(&attack), "body bit {index}");
    }
    for index in 0..sent.jws.len() * 8 {
        let mut jws = sent.jws.clone().into_bytes();
        jws[index / 8] ^= 1 << (index % 8);
        let Ok(jws) = String::from_utf8(jws) else { continue };
        assert!(!Cloud::new().takes(&Sent { jws, ..sent.clone() }), "statement bit {index}");
    }
}

proptest! {
    #[test]
    fn replayed_reordered_and_swapped_batches_never_change_what_is_stored(
        order in proptest::collection::vec((0_usize..6, 0_usize..6), 1..40)
    ) {
        let chain = honest(6);
        let mut cloud = Cloud::new();
        for (statement, body) in order {
            let sent = Sent { jws: chain[statement].jws.clone(), body: chain[body].body.clone() };
            let is_next = statement == body && statement == cloud.taken.len();
            prop_assert_eq!(cloud.takes(&sent), is_next);
        }
    }
}
