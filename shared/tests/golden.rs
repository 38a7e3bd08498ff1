//! Holds the bytes of protocol version 1: what was once sent must stay readable, and statements must keep their form.

#![expect(clippy::unwrap_used, reason = "a test fails loudly")]

use chrono::{DateTime, Utc};
use rollcall_protocol::answer::{self, Answer, Receipt, Refusal, TokenFault};
use rollcall_protocol::batch::{BatchClaims, BatchLink, CycleKind, CyclePart, StructurePart, Trigger};
use rollcall_protocol::body;
use rollcall_protocol::bundle::{BundleLink, Farewell};
use rollcall_protocol::ceiling::{Ceiling, NeverRead};
use rollcall_protocol::chain::{ChainLink, Epoch};
use rollcall_protocol::checkin::{
    AgentStatus, CheckinRequest, Clearing, CycleOutcome, CycleReport, EpochWish, Phase, Problem,
};
use rollcall_protocol::desired::{
    Command, DesiredImport, DesiredState, Nesting, Order, Pause, Role, Selection, SelectionKind,
};
use rollcall_protocol::digest::SetSummary;
use rollcall_protocol::directory::{DcIdentity, DomainPin};
use rollcall_protocol::enrol::EnrolToken;
use rollcall_protocol::evidence::{Departure, Evidence, Stance};
use rollcall_protocol::hash::{BodyDigest, Hash};
use rollcall_protocol::item::Item;
use rollcall_protocol::jws::{self, Kind, Unverified};
use rollcall_protocol::key::PrivateKey;
use rollcall_protocol::person::{InImport, Person, PersonRecord, Status};
use rollcall_protocol::request::RequestClaims;
use rollcall_protocol::structure::{Blocked, Group, OrgUnit};
use rollcall_protocol::{PROTO, path};
use serde::de::DeserializeOwned;
use std::path::PathBuf;
use uuid::Uuid;

fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds, 0).unwrap()
}

fn agent_key() -> PrivateKey {
    PrivateKey::from_seed(&[1; 32])
}

fn cloud_key() -> PrivateKey {
    PrivateKey::from_seed(&[2; 32])
}

/// Compares with the kept bytes. A difference is a new protocol version, never an edit of this one; the text that
/// would be written lies beside the kept one as `*.new` to look at.
fn holds(name: &str, text: &str) {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata/v1").join(name);
    let kept = std::fs::read_to_string(&file).unwrap_or_default();
    if kept.trim_end() != text {
        std::fs::write(file.with_added_extension("new"), format!("{text}\n")).unwrap();
        panic!("{name} is not what version {PROTO} sends");
    }
}

fn kept<T: DeserializeOwned>(name: &str) -> T {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata/v1").join(name);
    serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap()
}

fn person() -> Person {
    Person {
        guid: id(0xa1),
        sid: Some("S-1-5-21-1-2-3-1105".into()),
        dn: "CN=Ana Ruiz\\, Staff,OU=Staff,DC=lab,DC=example".into(),
        account_name: "ana".into(),
        user_principal_name: Some("ana@lab.example".into()),
        display_name: Some("Ana Ruiz".into()),
        mail: Some("ana@lab.example".into()),
        description: vec!["front desk".into()],
        status: Status { enabled: true, password_set_at: Some(at(1_700_000_000)), ..Status::default() },
        imports: vec![InImport { import: id(0x11), via: vec![id(0x21)] }],
        ..Person::default()
    }
}

fn items() -> Vec<String> {
    let raw = |json: String| serde_json::value::RawValue::from_string(json).unwrap();
    let departure = |guid, evidence| Departure { guid: id(guid), import: id(0x11), evidence, stance: Stance::Apply };
    let items = [
        Item::Present(raw(PersonRecord::write(person()).unwrap().json)),
        Item::Departed(departure(0xa2, Evidence::Deleted)),
        Item::Departed(departure(0xa3, Evidence::LeftScope { dn: "CN=Ben,OU=Out,DC=lab,DC=example".into() })),
        Item::Departed(departure(0xa4, Evidence::LeftGroup { group: id(0x22) })),
        Item::Departed(departure(0xa5, Evidence::Excluded { by: "OU=Service,DC=lab,DC=example".into() })),
        Item::Departed(departure(0xa6, Evidence::Deselected)),
        Item::Departed(Departure {
            stance: Stance::Held,
            ..departure(0xa7, Evidence::Absent { first_missed_at: at(1_750_000_000) })
        }),
        Item::Ou(OrgUnit {
            guid: id(0x21),
            parent: Some(id(0x20)),
            dn: "OU=Staff,DC=lab,DC=example".into(),
            name: "Staff".into(),
            people: 41,
            blocked: None,
        }),
        Item::Group(Group {
            guid: id(0x22),
            dn: "CN=Domain Admins,CN=Users,DC=lab,DC=example".into(),
            name: "Domain Admins".into(),
            parent: None,
            people: 2,
            others: 1,
            nested: 0,
            computers: 0,
            foreign: 0,
            blocked: Some(Blocked::DefaultGroup),
        }),
    ];
    items.iter().map(|item| serde_json::to_string(item).unwrap()).collect()
}

fn batch(body: &[u8], items: u32) -> BatchClaims {
    BatchClaims {
        proto: PROTO,
        iss: id(1),
        aud: id(2),
        iat: 1_750_000_000,
        jti: id(3),
        method: "POST".into(),
        path: path::BATCHES.into(),
        body: BodyDigest::of(body),
        link: BatchLink {
            chain: ChainLink { epoch: 1, seq: 7, prev: Hash::of(b"previous") },
            cycle: CyclePart {
                cycle: id(4),
                kind: CycleKind::Delta,
                trigger: Trigger::SyncNow,
                snapshot: 12,
                base: 11,
                part: 1,
                parts: 1,
                items,
                started_at: at(1_750_000_000),
                finished_at: at(1_750_000_002),
                domain: DomainPin { guid: id(5), sid: "S-1-5-21-1-2-3".into(), dns_name: "lab.example".into() },
                dc: DcIdentity {
                    dns_name: "dc1.lab.example".into(),
                    ntds_guid: id(6),
                    invocation_id: id(7),
                    usn: 9_001,
                },
                set: SetSummary { people: 41, digest: Hash::of(b"set") },
                people_seen: 55,
                structure: StructurePart::Included,
                awaiting_second_reading: 1,
                unavailable: vec![id(0x23)],
                unavailable_more: 0,
                clearings: Vec::new(),
                desired_version: 3,
            },
        },
    }
}

fn desired() -> DesiredState {
    DesiredState {
        cloud: id(2),
        agent: id(1),
        version: 3,
        issued_at: at(1_750_000_000),
        role: Role::Active,
        domain: Some(DomainPin { guid: id(5), sid: "S-1-5-21-1-2-3".into(), dns_name: "lab.example".into() }),
        pause: Some(Pause { until: Some(at(1_750_003_600)) }),
        imports: vec![DesiredImport {
            import: id(0x11),
            pause: None,
            include: vec![
                Selection { guid: id(0x21), kind: SelectionKind::Ou },
                Selection { guid: id(0x22), kind: SelectionKind::Group },
            ],
            exclude: vec![id(0x24)],
            interval_minutes: 180,
            nesting: Nesting::Direct,
        }],
        commands: [
            Order::SyncNow,
            Order::RefreshStructure,
            Order::FullSnapshot,
            Order::Confirm { guids: vec![id(0xa2)] },
        ]
        .into_iter()
        .zip(0x31..)
        .map(|(order, number)| Command { id: id(number), order })
        .collect(),
        update: None,
    }
}

fn checkin() -> CheckinRequest {
    let problem =
        Problem { code: "RC-2303".into(), detail: "connection lost in page 2".into(), since: at(1_750_000_001) };
    CheckinRequest {
        kind: rollcall_protocol::checkin::Kind::Report,
        desired_version: 3,
        wait_seconds: 55,
        done: vec![id(0x31)],
        epoch: EpochWish::New,
        last_epoch: 0,
        status: AgentStatus {
            version: "0.1.0".into(),
            host: "SRV-01".into(),
            os: "Windows Server 2022".into(),
            started_at: at(1_749_000_000),
            phase: Phase::Reading { people: 500 },
            domain: None,
            dc: None,
            transport: Some("LDAPS".into()),
            spool_batches: 0,
            spool_bytes: 0,
            clock_offset_ms: -250,
            ceiling: None,
            last_cycle: Some(CycleReport {
                cycle: id(4),
                trigger: None,
                started_at: at(1_750_000_000),
                finished_at: at(1_750_000_001),
                outcome: CycleOutcome::Incomplete { problem: problem.clone(), next_try_at: at(1_750_000_061) },
            }),
            problems: vec![problem],
            platform: None,
            update: None,
            clearings: Vec::new(),
        },
    }
}

fn token() -> EnrolToken {
    EnrolToken {
        iss: id(2),
        url: "https://rollcall.example".into(),
        customer: id(8),
        jti: "AAECAwQFBgcICQoLDA0ODw".into(),
        exp: 1_750_003_600,
    }
}

#[test]
fn what_came_later_is_left_out_where_it_says_nothing_new() {
    let mut nested = desired().imports.swap_remove(0);
    nested.nesting = Nesting::Nested;
    let accepted = Order::AcceptClearing { attributes: vec!["mail".into()], at_most: None, import: None };
    let clearing = Clearing { attribute: "mail".into(), people: 240, of: 300, import: None };

    assert!(serde_json::to_string(&nested).unwrap().ends_with(r#""interval_minutes":180,"nesting":"nested"}"#));
    assert_eq!(serde_json::to_string(&accepted).unwrap(), r#"{"kind":"accept_clearing","attributes":["mail"]}"#);
    assert_eq!(serde_json::to_string(&clearing).unwrap(), r#"{"attribute":"mail","people":240,"of":300}"#);
}

#[test]
fn items_keep_their_form() {
    holds("items.ndjson", &items().join("\n"));
}

#[test]
fn a_body_packed_by_an_older_version_is_still_read() {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata/v1/body.zst");
    if !file.exists() {
        let mut writer = body::Writer::new().unwrap();
        for item in items() {
            writer.push(&item).unwrap();
        }
        std::fs::write(file.with_added_extension("new"), writer.finish().unwrap().bytes).unwrap();
        panic!("no body is kept");
    }
    let bytes = std::fs::read(file).unwrap();
    let mut reader = body::Reader::new(&bytes).unwrap();
    let mut read = Vec::new();
    while let Some(item) = reader.next_item().unwrap() {
        read.push(serde_json::to_string(&item.unwrap()).unwrap());
    }
    assert_eq!(read, items());
}

#[test]
fn statements_keep_their_bytes_and_still_hold() {
    let body = items().join("\n").into_bytes();
    let claims = batch(&body, 9);
    let text = jws::sign(Kind::Batch, &agent_key(), &claims).unwrap();
    holds("batch.jws", &text);
    let read: BatchClaims = Unverified::parse(&text).unwrap().verify(Kind::Batch, &agent_key().public()).unwrap();
    assert_eq!(read, claims);
    holds("desired.jws", &desired().sign(&cloud_key()).unwrap());
    holds("token.jws", &token().sign(&cloud_key()).unwrap());
}

#[test]
fn messages_keep_their_form() {
    holds("checkin.json", &serde_json::to_string_pretty(&checkin()).unwrap());
    assert_eq!(kept::<CheckinRequest>("checkin.json"), checkin());
    holds("desired.json", &serde_json::to_string_pretty(&desired()).unwrap());
    assert_eq!(kept::<DesiredState>("desired.json"), desired());
}

/// What a check-in says of the local ceiling, an order for a bundle, and the statement a bundle comes with.
#[test]
fn ceiling_and_bundle_keep_their_form() {
    let mut told = checkin();
    told.status.ceiling = Some(Ceiling {
        withheld: vec!["mobile".into()],
        never_read: vec![
            NeverRead { place: "OU=Board,DC=lab,DC=example".into(), guid: Some(id(0x25)) },
            NeverRead { place: "OU=Gone,DC=lab,DC=example".into(), guid: None },
        ],
        people_left_out: Some(12),
    });
    holds("checkin-ceiling.json", &serde_json::to_string_pretty(&told).unwrap());
    assert_eq!(kept::<CheckinRequest>("checkin-ceiling.json"), told);
    let order = Command { id: id(0x35), order: Order::Bundle };
    holds("bundle-order.json", &serde_json::to_string(&order).unwrap());
    assert_eq!(kept::<Command>("bundle-order.json"), order);
    let claims = RequestClaims {
        proto: PROTO,
        iss: id(1),
        aud: id(2),
        iat: 1_750_000_000,
        jti: id(3),
        method: "POST".into(),
        path: path::BUNDLES.into(),
        body: BodyDigest::of(b"PK"),
        link: BundleLink { command: id(0x35) },
    };
    let text = jws::sign(Kind::Bundle, &agent_key(), &claims).unwrap();
    holds("bundle.jws", &text);
    let read: RequestClaims<BundleLink> =
        Unverified::parse(&text).unwrap().verify(Kind::Bundle, &agent_key().public()).unwrap();
    assert_eq!(read, claims);
    holds("farewell.json", &serde_json::to_string(&Farewell { leaves: id(1) }).unwrap());
    assert_eq!(kept::<Farewell>("farewell.json"), Farewell { leaves: id(1) });
}

#[test]
fn answers_keep_their_form() {
    let head = Epoch { number: 1, start: Hash::of(b"start") }.head();
    let receipt = serde_json::to_string(&Receipt { head }).unwrap();
    let refusals = [
        Refusal::Fork,
        Refusal::Gap { expected: 7 },
        Refusal::Epoch,
        Refusal::Unauthorized,
        Refusal::Revoked { proof: None },
        Refusal::Quarantined,
        Refusal::Skew { server_time: at(1_750_000_000) },
        Refusal::TooLarge { limit: 4 },
        Refusal::Malformed,
        Refusal::Token { reason: TokenFault::Expired },
        Refusal::Busy { retry_after_seconds: 3 },
        Refusal::Unavailable { retry_after_seconds: 3 },
    ];
    let mut lines = vec![format!("200 {receipt}")];
    lines.extend(
        refusals.iter().map(|refusal| format!("{} {}", refusal.status(), serde_json::to_string(refusal).unwrap())),
    );
    holds("answers.txt", &lines.join("\n"));
    assert_eq!(answer::classify(200, None, receipt.as_bytes()), Answer::Accepted(Receipt { head }));
}
