//! What a client asks (RFC 4511 4): decodes one LDAP message. Values stay bytes, because Active Directory's filters hold binary GUIDs and SIDs.

use super::ber::{BerError, Reader, integer, tag, text};

/// Deeper filters than this are refused; Active Directory has such a limit too.
const MAX_FILTER_DEPTH: usize = 64;

#[derive(Debug, Clone)]
pub struct Message {
    pub id: i64,
    pub operation: Operation,
    pub controls: Vec<Control>,
}

#[derive(Debug, Clone)]
pub enum Operation {
    Bind(Bind),
    Unbind,
    Search(Search),
    Modify,
    Add,
    Delete,
    ModifyDn,
    Compare,
    Abandon,
    Extended { oid: String },
}

#[derive(Debug, Clone)]
pub struct Bind {
    pub name: String,
    pub proof: Proof,
}

#[derive(Debug, Clone)]
pub enum Proof {
    Password(Vec<u8>),
    Sasl { mechanism: String },
    Unknown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    Base,
    OneLevel,
    Subtree,
}

#[derive(Debug, Clone)]
pub struct Search {
    pub base: String,
    pub scope: Scope,
    pub size_limit: i64,
    pub types_only: bool,
    pub filter: Filter,
    pub attributes: Vec<String>,
    /// The filter as it came, to recognise the same request on its next page.
    pub filter_bytes: Vec<u8>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Filter {
    And(Vec<Filter>),
    Or(Vec<Filter>),
    Not(Box<Filter>),
    Equal(String, Vec<u8>),
    Substrings(String, Substrings),
    AtLeast(String, Vec<u8>),
    AtMost(String, Vec<u8>),
    Present(String),
    Extensible { rule: Option<String>, attribute: Option<String>, value: Vec<u8> },
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Substrings {
    pub initial: Option<Vec<u8>>,
    pub any: Vec<Vec<u8>>,
    pub last: Option<Vec<u8>>,
}

#[derive(Debug, Clone)]
pub struct Control {
    pub oid: String,
    pub critical: bool,
    pub value: Option<Vec<u8>>,
}

impl Message {
    pub fn decode(bytes: &[u8]) -> Result<Self, BerError> {
        let mut message = Reader::new(bytes).inside(tag::SEQUENCE)?;
        let id = message.integer(tag::INTEGER)?;
        let (kind, content) = message.element()?;
        let operation = operation(kind, content)?;
        let controls = if message.peek() == Some(0xa0) { controls(message.inside(0xa0)?)? } else { Vec::new() };
        Ok(Self { id, operation, controls })
    }

    pub fn control(&self, oid: &str) -> Option<&Control> {
        self.controls.iter().find(|control| control.oid == oid)
    }
}

fn operation(kind: u8, content: &[u8]) -> Result<Operation, BerError> {
    Ok(match kind {
        0x60 => Operation::Bind(bind(Reader::new(content))?),
        0x42 => Operation::Unbind,
        0x63 => Operation::Search(search(Reader::new(content))?),
        0x66 => Operation::Modify,
        0x68 => Operation::Add,
        0x4a => Operation::Delete,
        0x6c => Operation::ModifyDn,
        0x6e => Operation::Compare,
        0x50 => Operation::Abandon,
        0x77 => Operation::Extended { oid: Reader::new(content).text(0x80)? },
        found => return Err(BerError::Tag { expected: 0x63, found }),
    })
}

fn bind(mut reader: Reader<'_>) -> Result<Bind, BerError> {
    reader.integer(tag::INTEGER)?;
    let name = reader.text(tag::OCTETS)?;
    let proof = match reader.element()? {
        (0x80, password) => Proof::Password(password.to_vec()),
        (0xa3, sasl) => Proof::Sasl { mechanism: Reader::new(sasl).text(tag::OCTETS)? },
        _ => Proof::Unknown,
    };
    Ok(Bind { name, proof })
}

fn search(mut reader: Reader<'_>) -> Result<Search, BerError> {
    let base = reader.text(tag::OCTETS)?;
    let scope = match reader.integer(tag::ENUMERATED)? {
        0 => Scope::Base,
        1 => Scope::OneLevel,
        _ => Scope::Subtree,
    };
    reader.integer(tag::ENUMERATED)?;
    let size_limit = reader.integer(tag::INTEGER)?;
    reader.integer(tag::INTEGER)?;
    let types_only = reader.boolean()?;
    let (kind, content) = reader.element()?;
    let filter = filter(kind, content, MAX_FILTER_DEPTH)?;
    let mut wanted = reader.inside(tag::SEQUENCE)?;
    let mut attributes = Vec::new();
    while !wanted.is_empty() {
        attributes.push(wanted.text(tag::OCTETS)?);
    }
    Ok(Search { base, scope, size_limit, types_only, filter, attributes, filter_bytes: content.to_vec() })
}

fn filter(kind: u8, content: &[u8], depth: usize) -> Result<Filter, BerError> {
    let Some(depth) = depth.checked_sub(1) else { return Err(BerError::Depth) };
    let mut reader = Reader::new(content);
    Ok(match kind {
        0xa0 => Filter::And(filters(reader, depth)?),
        0xa1 => Filter::Or(filters(reader, depth)?),
        0xa2 => {
            let (kind, content) = reader.element()?;
            Filter::Not(Box::new(filter(kind, content, depth)?))
        }
        0xa3 | 0xa8 => Filter::Equal(reader.text(tag::OCTETS)?, reader.expect(tag::OCTETS)?.to_vec()),
        0xa4 => Filter::Substrings(reader.text(tag::OCTETS)?, substrings(reader.inside(tag::SEQUENCE)?)?),
        0xa5 => Filter::AtLeast(reader.text(tag::OCTETS)?, reader.expect(tag::OCTETS)?.to_vec()),
        0xa6 => Filter::AtMost(reader.text(tag::OCTETS)?, reader.expect(tag::OCTETS)?.to_vec()),
        0x87 => Filter::Present(text(content)?),
        0xa9 => extensible(reader)?,
        found => return Err(BerError::Tag { expected: 0xa3, found }),
    })
}

fn filters(mut reader: Reader<'_>, depth: usize) -> Result<Vec<Filter>, BerError> {
    let mut filters = Vec::new();
    while !reader.is_empty() {
        let (kind, content) = reader.element()?;
        filters.push(filter(kind, content, depth)?);
    }
    Ok(filters)
}

fn substrings(mut reader: Reader<'_>) -> Result<Substrings, BerError> {
    let mut found = Substrings::default();
    while !reader.is_empty() {
        match reader.element()? {
            (0x80, part) => found.initial = Some(part.to_vec()),
            (0x82, part) => found.last = Some(part.to_vec()),
            (_, part) => found.any.push(part.to_vec()),
        }
    }
    Ok(found)
}

fn extensible(mut reader: Reader<'_>) -> Result<Filter, BerError> {
    let (mut rule, mut attribute, mut value) = (None, None, Vec::new());
    while !reader.is_empty() {
        match reader.element()? {
            (0x81, content) => rule = Some(text(content)?),
            (0x82, content) => attribute = Some(text(content)?),
            (0x83, content) => value = content.to_vec(),
            _ => {}
        }
    }
    Ok(Filter::Extensible { rule, attribute, value })
}

fn controls(mut reader: Reader<'_>) -> Result<Vec<Control>, BerError> {
    let mut controls = Vec::new();
    while !reader.is_empty() {
        let mut one = reader.inside(tag::SEQUENCE)?;
        let oid = one.text(tag::OCTETS)?;
        let critical = one.peek() == Some(tag::BOOLEAN) && one.boolean()?;
        let value = if one.is_empty() { None } else { Some(one.expect(tag::OCTETS)?.to_vec()) };
        controls.push(Control { oid, critical, value });
    }
    Ok(controls)
}

/// What the paged results control asks for (RFC 2696).
#[derive(Debug, Clone)]
pub struct Paging {
    pub size: usize,
    pub cookie: Vec<u8>,
}

impl Paging {
    pub fn decode(control: &Control) -> Result<Self, BerError> {
        let mut value = Reader::new(control.value.as_deref().unwrap_or_default()).inside(tag::SEQUENCE)?;
        let size = usize::try_from(value.integer(tag::INTEGER)?).map_err(|_| BerError::Integer)?;
        Ok(Self { size, cookie: value.expect(tag::OCTETS)?.to_vec() })
    }
}

/// The one integer that many of Microsoft's controls carry as `SEQUENCE { INTEGER }`.
pub fn control_number(control: &Control) -> Option<i64> {
    let mut value = Reader::new(control.value.as_deref()?).inside(tag::SEQUENCE).ok()?;
    value.expect(tag::INTEGER).ok().and_then(|content| integer(content).ok())
}
