//! What the server answers (RFC 4511 4): encodes results, references and notices. Entries are written by the renderer, straight from the forest.

use super::ber::{Writer, tag};

/// Result codes the scripted directory gives (RFC 4511 appendix A).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Code(pub u8);

impl Code {
    pub const SUCCESS: Code = Code(0);
    pub const OPERATIONS_ERROR: Code = Code(1);
    pub const PROTOCOL_ERROR: Code = Code(2);
    pub const SIZE_LIMIT: Code = Code(4);
    pub const AUTH_METHOD: Code = Code(7);
    pub const STRONGER_AUTH: Code = Code(8);
    pub const REFERRAL: Code = Code(10);
    pub const ADMIN_LIMIT: Code = Code(11);
    pub const CRITICAL_EXTENSION: Code = Code(12);
    pub const NO_SUCH_OBJECT: Code = Code(32);
    pub const INVALID_DN: Code = Code(34);
    pub const INVALID_CREDENTIALS: Code = Code(49);
    pub const NO_RIGHTS: Code = Code(50);
    pub const BUSY: Code = Code(51);
    pub const UNAVAILABLE: Code = Code(52);
    pub const OTHER: Code = Code(80);
}

/// Tags of the answers.
pub mod answer_tag {
    pub const BIND: u8 = 0x61;
    pub const ENTRY: u8 = 0x64;
    pub const DONE: u8 = 0x65;
    pub const MODIFY: u8 = 0x67;
    pub const ADD: u8 = 0x69;
    pub const DELETE: u8 = 0x6b;
    pub const MODIFY_DN: u8 = 0x6d;
    pub const COMPARE: u8 = 0x6f;
    pub const REFERENCE: u8 = 0x73;
    pub const EXTENDED: u8 = 0x78;
}

pub const PAGED_RESULTS: &str = "1.2.840.113556.1.4.319";
pub const NOTICE_OF_DISCONNECTION: &str = "1.3.6.1.4.1.1466.20036";
pub const START_TLS: &str = "1.3.6.1.4.1.1466.20037";

/// The end of an operation.
#[derive(Debug, Clone)]
pub struct Outcome {
    pub code: Code,
    pub matched: String,
    pub message: String,
    pub referral: Option<String>,
}

impl Outcome {
    pub fn success() -> Self {
        Self::new(Code::SUCCESS, "")
    }

    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, matched: String::new(), message: message.into(), referral: None }
    }

    fn write(&self, writer: &mut Writer) {
        writer.octets(tag::ENUMERATED, &[self.code.0]);
        writer.octets(tag::OCTETS, self.matched.as_bytes());
        writer.octets(tag::OCTETS, self.message.as_bytes());
        if let Some(url) = &self.referral {
            let open = writer.open(0xa3);
            writer.octets(tag::OCTETS, url.as_bytes());
            writer.close(open);
        }
    }
}

/// A whole message with an outcome in it.
pub fn outcome(id: i64, answer: u8, outcome: &Outcome) -> Vec<u8> {
    message(id, |writer| {
        let open = writer.open(answer);
        outcome.write(writer);
        writer.close(open);
    })
}

/// The end of one page; an empty cookie says that it was the last.
pub fn page_done(id: i64, result: &Outcome, total: usize, cookie: &[u8]) -> Vec<u8> {
    message(id, |writer| {
        let open = writer.open(answer_tag::DONE);
        result.write(writer);
        writer.close(open);
        let controls = writer.open(0xa0);
        let control = writer.open(tag::SEQUENCE);
        writer.octets(tag::OCTETS, PAGED_RESULTS.as_bytes());
        writer.octets(tag::OCTETS, &page_value(total, cookie));
        writer.close(control);
        writer.close(controls);
    })
}

pub fn extended(id: i64, result: &Outcome, oid: &str) -> Vec<u8> {
    message(id, |writer| {
        let open = writer.open(answer_tag::EXTENDED);
        result.write(writer);
        writer.octets(0x8a, oid.as_bytes());
        writer.close(open);
    })
}

pub fn reference(id: i64, url: &str) -> Vec<u8> {
    message(id, |writer| {
        let open = writer.open(answer_tag::REFERENCE);
        writer.octets(tag::OCTETS, url.as_bytes());
        writer.close(open);
    })
}

fn message(id: i64, content: impl FnOnce(&mut Writer)) -> Vec<u8> {
    let mut writer = Writer::default();
    let open = writer.open(tag::SEQUENCE);
    writer.integer(tag::INTEGER, id);
    content(&mut writer);
    writer.close(open);
    writer.into_bytes()
}

fn page_value(total: usize, cookie: &[u8]) -> Vec<u8> {
    let mut writer = Writer::default();
    let open = writer.open(tag::SEQUENCE);
    writer.integer(tag::INTEGER, i64::try_from(total).unwrap_or(i64::MAX));
    writer.octets(tag::OCTETS, cookie);
    writer.close(open);
    writer.into_bytes()
}
