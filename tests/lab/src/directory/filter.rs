//! Decides whether an object matches a filter (RFC 4511 4.5.1.7, with Active Directory's bit and chain rules).

use super::{
    attribute::{Attr, Syntax},
    entry::EntryId,
    forest::Forest,
    index::Index,
    reading::{Links, Reading},
    sid::Sid,
    view::View,
    wire::request::{Filter, Substrings},
};
use std::borrow::Cow;

const BIT_AND: &str = "1.2.840.113556.1.4.803";
const BIT_OR: &str = "1.2.840.113556.1.4.804";
const IN_CHAIN: &str = "1.2.840.113556.1.4.1941";

/// A filter whose names are resolved and whose values are in the form they are compared in.
#[derive(Debug)]
pub enum Test {
    And(Vec<Test>),
    Or(Vec<Test>),
    Not(Box<Test>),
    /// An attribute the schema does not know: neither true nor false.
    Undefined,
    Present(Attr),
    Equal(Attr, Wanted),
    Like(Attr, Pattern),
    AtLeast(Attr, Wanted),
    AtMost(Attr, Wanted),
    AllBits(Attr, i64),
    AnyBit(Attr, i64),
    InChain(Attr, Option<EntryId>),
}

#[derive(Debug)]
pub enum Wanted {
    Text(String),
    Number(i64),
    Bytes(Vec<u8>),
    Object { id: Option<EntryId>, dn: String },
}

#[derive(Debug)]
pub struct Pattern {
    initial: String,
    any: Vec<String>,
    last: String,
}

impl Test {
    pub fn compile(filter: &Filter, forest: &Forest) -> Self {
        let all = |filters: &[Filter]| filters.iter().map(|filter| Test::compile(filter, forest)).collect();
        match filter {
            Filter::And(filters) => Test::And(all(filters)),
            Filter::Or(filters) => Test::Or(all(filters)),
            Filter::Not(filter) => Test::Not(Box::new(Test::compile(filter, forest))),
            Filter::Present(name) => Attr::find(name).map_or(Test::Undefined, Test::Present),
            Filter::Equal(name, value) => with_value(name, value, forest, Test::Equal),
            Filter::AtLeast(name, value) => with_value(name, value, forest, Test::AtLeast),
            Filter::AtMost(name, value) => with_value(name, value, forest, Test::AtMost),
            Filter::Substrings(name, parts) => {
                Attr::find(name).map_or(Test::Undefined, |attr| Test::Like(attr, Pattern::new(parts)))
            }
            Filter::Extensible { rule, attribute, value } => {
                extensible(rule.as_deref(), attribute.as_deref(), value, forest)
            }
        }
    }

    pub fn matches(&self, forest: &Forest, id: EntryId, view: &View) -> bool {
        self.verdict(forest, id, view) == Some(true)
    }

    /// The objects that can match, and perhaps more. `None` if only looking at each one tells.
    pub fn candidates(&self, index: &Index) -> Option<Vec<EntryId>> {
        match self {
            Test::And(tests) => tests.iter().filter_map(|test| test.candidates(index)).min_by_key(Vec::len),
            Test::Or(tests) => {
                let each: Option<Vec<_>> = tests.iter().map(|test| test.candidates(index)).collect();
                each.map(|each| each.concat())
            }
            Test::Equal(attr, Wanted::Text(text)) => index.find(*attr, text),
            Test::Equal(attr, Wanted::Number(number)) => index.find(*attr, &number.to_string()),
            Test::Equal(_, Wanted::Bytes(_) | Wanted::Object { .. })
            | Test::Not(_)
            | Test::Undefined
            | Test::Present(_)
            | Test::Like(..)
            | Test::AtLeast(..)
            | Test::AtMost(..)
            | Test::AllBits(..)
            | Test::AnyBit(..)
            | Test::InChain(..) => None,
        }
    }

    /// Three-valued: `None` where the filter says nothing about the object.
    fn verdict(&self, forest: &Forest, id: EntryId, view: &View) -> Option<bool> {
        // What one may not read is neither there nor absent (MS-ADTS 3.1.1.3.1.3.2).
        if self.attribute().is_some_and(|attr| !view.may_read(forest.entry(id), attr)) {
            return None;
        }
        match self {
            Test::And(tests) => all(tests.iter().map(|test| test.verdict(forest, id, view))),
            Test::Or(tests) => all(tests.iter().map(|test| test.verdict(forest, id, view).map(|is| !is))).map(|is| !is),
            Test::Not(test) => test.verdict(forest, id, view).map(|is| !is),
            Test::Undefined => None,
            Test::Present(attr) => Some(!matches!(read(forest, id, *attr, view), Reading::None)),
            Test::Equal(attr, wanted) => Some(equal(&read(forest, id, *attr, view), wanted)),
            Test::Like(attr, pattern) => {
                Some(read(forest, id, *attr, view).any_value(forest, |value| pattern.matches(&lower(value))))
            }
            Test::AtLeast(attr, wanted) => {
                Some(ordered(forest, &read(forest, id, *attr, view), wanted, Order::AtLeast))
            }
            Test::AtMost(attr, wanted) => Some(ordered(forest, &read(forest, id, *attr, view), wanted, Order::AtMost)),
            Test::AllBits(attr, bits) => {
                Some(bits_of(forest, id, *attr, view).is_some_and(|have| have & bits == *bits))
            }
            Test::AnyBit(attr, bits) => Some(bits_of(forest, id, *attr, view).is_some_and(|have| have & bits != 0)),
            Test::InChain(attr, target) => Some(target.is_some_and(|target| in_chain(forest, id, *attr, target, view))),
        }
    }
}

impl Test {
    fn attribute(&self) -> Option<Attr> {
        match self {
            Test::And(_) | Test::Or(_) | Test::Not(_) | Test::Undefined => None,
            Test::Present(attr)
            | Test::Equal(attr, _)
            | Test::Like(attr, _)
            | Test::AtLeast(attr, _)
            | Test::AtMost(attr, _)
            | Test::AllBits(attr, _)
            | Test::AnyBit(attr, _)
            | Test::InChain(attr, _) => Some(*attr),
        }
    }
}

/// False wins over unknown, unknown wins over true.
fn all(verdicts: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let mut result = Some(true);
    for verdict in verdicts {
        match verdict {
            Some(false) => return Some(false),
            None => result = None,
            Some(true) => {}
        }
    }
    result
}

fn read<'a>(forest: &'a Forest, id: EntryId, attr: Attr, view: &View) -> Reading<'a> {
    if view.may_read(forest.entry(id), attr) { forest.read(id, attr) } else { Reading::None }
}

impl Reading<'_> {
    fn any_value(&self, forest: &Forest, test: impl Fn(&[u8]) -> bool) -> bool {
        match self {
            Reading::None => false,
            Reading::Stored(values) => values.as_slice().iter().any(|value| test(value)),
            Reading::Text(text) => test(text.as_bytes()),
            Reading::Bytes(bytes) => test(bytes),
            Reading::Texts(texts) => texts.iter().any(|text| test(text.as_bytes())),
            Reading::Links(links) => links.slice(0, links.len()).iter().any(|id| test(forest.dn(*id).as_bytes())),
        }
    }
}

fn with_value(name: &str, value: &[u8], forest: &Forest, test: impl Fn(Attr, Wanted) -> Test) -> Test {
    let Some(attr) = Attr::find(name) else { return Test::Undefined };
    test(attr, Wanted::new(attr, value, forest))
}

impl Wanted {
    fn new(attr: Attr, value: &[u8], forest: &Forest) -> Self {
        let text = String::from_utf8_lossy(value);
        match attr.syntax() {
            Syntax::Text => Wanted::Text(text.to_lowercase()),
            Syntax::Number => text.trim().parse().map_or_else(|_| Wanted::Text(text.to_lowercase()), Wanted::Number),
            Syntax::Bytes => Wanted::Bytes(value.to_vec()),
            Syntax::Sid => Wanted::Bytes(text.parse::<Sid>().map_or_else(|_| value.to_vec(), |sid| sid.to_bytes())),
            Syntax::Name => {
                let dn = if attr == Attr::ObjectCategory { category_dn(&text, forest) } else { text.to_string() };
                Wanted::Object { id: forest.find_dn(&dn), dn: dn.to_lowercase() }
            }
        }
    }
}

/// Active Directory takes the short name of a class for its full name (MS-ADTS 3.1.1.3.1.3.5).
fn category_dn(text: &str, forest: &Forest) -> String {
    let name = match text.to_ascii_lowercase().as_str() {
        "organizationalunit" => "Organizational-Unit",
        "domaindns" | "domain" => "Domain-DNS",
        "user" | "person" | "contact" | "inetorgperson" => "Person",
        "group" => "Group",
        "computer" => "Computer",
        _ => return text.to_owned(),
    };
    format!("CN={name},{}", forest.schema_dn())
}

fn equal(reading: &Reading<'_>, wanted: &Wanted) -> bool {
    match (reading, wanted) {
        (Reading::Links(links), Wanted::Object { id, .. }) => id.is_some_and(|id| links.contains(id)),
        (Reading::Stored(values), wanted) => values.as_slice().iter().any(|value| same(value, wanted)),
        (Reading::Text(text), wanted) => same(text.as_bytes(), wanted),
        (Reading::Bytes(bytes), wanted) => same(bytes, wanted),
        (Reading::Texts(texts), wanted) => texts.iter().any(|text| same(text.as_bytes(), wanted)),
        (Reading::None, _) | (Reading::Links(_), Wanted::Text(_) | Wanted::Number(_) | Wanted::Bytes(_)) => false,
    }
}

fn same(value: &[u8], wanted: &Wanted) -> bool {
    match wanted {
        Wanted::Bytes(bytes) => value == bytes,
        Wanted::Number(number) => parse_number(value) == Some(*number),
        Wanted::Text(text) | Wanted::Object { dn: text, .. } => {
            value.eq_ignore_ascii_case(text.as_bytes()) || (!value.is_ascii() && lower(value) == *text)
        }
    }
}

fn lower(value: &[u8]) -> Cow<'_, str> {
    Cow::Owned(String::from_utf8_lossy(value).to_lowercase())
}

fn parse_number(value: &[u8]) -> Option<i64> {
    std::str::from_utf8(value).ok()?.parse().ok()
}

#[derive(Clone, Copy)]
enum Order {
    AtLeast,
    AtMost,
}

fn ordered(forest: &Forest, reading: &Reading<'_>, wanted: &Wanted, order: Order) -> bool {
    let fits = |comparison: std::cmp::Ordering| match order {
        Order::AtLeast => comparison.is_ge(),
        Order::AtMost => comparison.is_le(),
    };
    reading.any_value(forest, |value| match wanted {
        Wanted::Number(number) => parse_number(value).is_some_and(|have| fits(have.cmp(number))),
        Wanted::Text(text) | Wanted::Object { dn: text, .. } => fits((*lower(value)).cmp(text)),
        Wanted::Bytes(bytes) => fits(value.cmp(bytes)),
    })
}

fn bits_of(forest: &Forest, id: EntryId, attr: Attr, view: &View) -> Option<i64> {
    match read(forest, id, attr, view) {
        Reading::Stored(values) => values.as_slice().first().and_then(|value| parse_number(value)),
        Reading::Text(text) => text.parse().ok(),
        Reading::None | Reading::Bytes(_) | Reading::Links(_) | Reading::Texts(_) => None,
    }
}

/// Follows a link attribute until it reaches the target (MS-ADTS 3.1.1.3.4.4.3); the primary group is no link.
fn in_chain(forest: &Forest, id: EntryId, attr: Attr, target: EntryId, view: &View) -> bool {
    let mut seen = std::collections::BTreeSet::new();
    let mut open = vec![id];
    while let Some(id) = open.pop() {
        let Reading::Links(links) = read(forest, id, attr, view) else { continue };
        if links.contains(target) {
            return true;
        }
        open.extend(links.slice(0, links.len()).into_iter().filter(|id| seen.insert(*id)));
    }
    false
}

fn extensible(rule: Option<&str>, attribute: Option<&str>, value: &[u8], forest: &Forest) -> Test {
    let Some(attr) = attribute.and_then(Attr::find) else { return Test::Undefined };
    // 2147483648 is the sign bit of a 32-bit attribute, written as a positive number.
    let bits = parse_number(value).map(|bits| if bits == 1 << 31 { i64::from(i32::MIN) } else { bits });
    match (rule, bits) {
        (Some(BIT_AND), Some(bits)) => Test::AllBits(attr, bits),
        (Some(BIT_OR), Some(bits)) => Test::AnyBit(attr, bits),
        (Some(IN_CHAIN), _) => Test::InChain(attr, forest.find_dn(&String::from_utf8_lossy(value))),
        (Some(_), _) => Test::Undefined,
        (None, _) => Test::Equal(attr, Wanted::new(attr, value, forest)),
    }
}

impl Pattern {
    fn new(parts: &Substrings) -> Self {
        let text = |part: &Option<Vec<u8>>| part.as_deref().map(|part| lower(part).into_owned()).unwrap_or_default();
        Self {
            initial: text(&parts.initial),
            any: parts.any.iter().map(|part| lower(part).into_owned()).collect(),
            last: text(&parts.last),
        }
    }

    fn matches(&self, value: &str) -> bool {
        let Some(mut rest) = value.strip_prefix(self.initial.as_str()) else { return false };
        for part in &self.any {
            let Some(at) = rest.find(part.as_str()) else { return false };
            rest = &rest[at + part.len()..];
        }
        rest.ends_with(self.last.as_str())
    }
}

impl std::fmt::Debug for Links<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{} links", self.len())
    }
}
