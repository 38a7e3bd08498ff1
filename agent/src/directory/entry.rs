//! Decides what an entry from the directory says: attribute names without case, values as bytes first.
//!
//! The attributes stay in one piece as they came; an entry remembers where each lies in it.

use std::cell::Cell;
use std::ops::Range;

use super::ber;

/// One entry of a search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub dn: String,
    raw: Vec<u8>,
    attributes: Vec<Attribute>,
    /// Where to look first: behind the last one found, since a server tends to tell what it was asked in that order.
    next: Cell<usize>,
}

/// Where an attribute lies in its entry.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Attribute {
    /// Options included: `member;range=0-1499`.
    name: Range<usize>,
    values: Range<usize>,
}

/// An entry that is not one (RFC 4511 4.5.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an entry could not be read")]
pub struct Unreadable;

/// A chunk of an attribute with more values than the server gives at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk<'a> {
    pub start: usize,
    /// Position of the last value; `None` when the attribute ends here.
    pub last: Option<usize>,
    pub values: Vec<&'a [u8]>,
}

const OCTETS: u8 = 0x04;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;

impl From<ber::Malformed> for Unreadable {
    fn from(_: ber::Malformed) -> Self {
        Self
    }
}

impl Entry {
    /// Reads the body of an inspected entry: a name and `SEQUENCE OF { name, SET OF value }`.
    pub fn read(body: &[u8]) -> Result<Self, Unreadable> {
        let dn = ber::take(body, OCTETS)?;
        let raw = ber::take(dn.rest, SEQUENCE)?.content;
        let mut attributes = Vec::with_capacity(MOST_ASKED);
        let mut rest = raw;
        while !rest.is_empty() {
            if attributes.len() == MOST_TOLD {
                return Err(Unreadable);
            }
            let one = ber::take(rest, SEQUENCE)?;
            attributes.push(attribute(raw.len() - one.rest.len(), one.content)?);
            rest = one.rest;
        }
        Ok(Self { dn: text(dn.content)?.to_owned(), raw: raw.to_vec(), attributes, next: Cell::new(0) })
    }

    /// How much of a message it was.
    pub fn size(&self) -> usize {
        self.dn.len() + self.raw.len()
    }

    fn name(&self, attribute: &Attribute) -> &str {
        let name = self.raw.get(attribute.name.clone()).unwrap_or_default();
        std::str::from_utf8(name).unwrap_or_default()
    }

    fn values_of(&self, attribute: &Attribute) -> Values<'_> {
        Values(self.raw.get(attribute.values.clone()).unwrap_or_default())
    }

    fn values(&self, name: &str) -> Values<'_> {
        self.find(name).map_or(Values(&[]), |attribute| self.values_of(attribute))
    }

    fn find(&self, name: &str) -> Option<&Attribute> {
        let is_it = |attribute: &&Attribute| self.is_named(attribute, name);
        let (before, after) = self.attributes.split_at_checked(self.next.get())?;
        if let Some(position) = after.iter().position(|attribute| is_it(&attribute)) {
            self.next.set(before.len() + position + 1);
            return after.get(position);
        }
        before.iter().find(is_it)
    }

    fn is_named(&self, attribute: &Attribute, name: &str) -> bool {
        attribute.name.len() == name.len() && self.name(attribute).eq_ignore_ascii_case(name)
    }

    /// The first value as bytes.
    pub fn bytes(&self, name: &str) -> Option<&[u8]> {
        self.values(name).next()
    }

    /// The first value as text; `None` also when it is blank.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.texts(name).next()
    }

    /// All values that are text and not blank.
    pub fn texts(&self, name: &str) -> impl Iterator<Item = &str> {
        self.values(name).filter_map(|value| std::str::from_utf8(value).ok()).filter(|value| !value.trim().is_empty())
    }

    /// All values as bytes.
    pub fn all_bytes(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        self.values(name)
    }

    /// `TRUE` as Active Directory writes it.
    pub fn is_true(&self, name: &str) -> bool {
        self.text(name).is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    /// The values of `name` whether they came whole or as `name;range=…`. A server that truncates may add an empty
    /// plain attribute beside the range: the range wins.
    pub fn chunk(&self, name: &str) -> Option<Chunk<'_>> {
        let ranged = self.attributes.iter().find_map(|attribute| {
            let (start, last) = range_of(self.name(attribute), name)?;
            Some(Chunk { start, last, values: self.values_of(attribute).collect() })
        });
        ranged.or_else(|| {
            let whole = self.attributes.iter().find(|attribute| self.is_named(attribute, name))?;
            Some(Chunk { start: 0, last: None, values: self.values_of(whole).collect() })
        })
    }
}

/// No more attributes than this are asked for at once.
const MOST_ASKED: usize = 24;
/// Where one comes in ranges, the server may add it plain; what nobody asked for must not fill the memory.
const MOST_TOLD: usize = 4 * MOST_ASKED;

/// `member;range=0-1499` → (0, Some(1499)); `member;range=1500-*` → (1500, None).
fn range_of(spelled: &str, name: &str) -> Option<(usize, Option<usize>)> {
    let mut options = spelled.split(';');
    if !options.next()?.eq_ignore_ascii_case(name) {
        return None;
    }
    let (start, last) = options.find_map(range_option)?.split_once('-')?;
    let last = if last == "*" { None } else { Some(last.parse().ok()?) };
    Some((start.parse().ok()?, last))
}

fn range_option(option: &str) -> Option<&str> {
    let (key, range) = option.split_once('=')?;
    key.eq_ignore_ascii_case("range").then_some(range)
}

/// Checks one attribute that ends at `end`, and notes where its parts lie.
fn attribute(end: usize, content: &[u8]) -> Result<Attribute, Unreadable> {
    let name = ber::take(content, OCTETS)?;
    if !name.content.is_ascii() {
        return Err(Unreadable);
    }
    let values = ber::take(name.rest, SET)?;
    let name_end = end - name.rest.len();
    let values_end = end - values.rest.len();
    let mut rest = values.content;
    while !rest.is_empty() {
        rest = ber::take(rest, OCTETS)?.rest;
    }
    Ok(Attribute {
        name: name_end - name.content.len()..name_end,
        values: values_end - values.content.len()..values_end,
    })
}

fn text(bytes: &[u8]) -> Result<&str, Unreadable> {
    std::str::from_utf8(bytes).map_err(|_| Unreadable)
}

/// The values of one attribute, already checked.
#[derive(Debug, Clone)]
struct Values<'a>(&'a [u8]);

impl<'a> Iterator for Values<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let value = ber::take(self.0, OCTETS).ok()?;
        self.0 = value.rest;
        Some(value.content)
    }
}

#[cfg(test)]
pub mod fixtures {
    use super::{Entry, OCTETS, SEQUENCE, SET};
    use crate::directory::ber::element;

    /// The body of an entry as a server writes it.
    pub fn body(dn: &str, attributes: &[(&str, &[&[u8]])]) -> Vec<u8> {
        let attribute = |(name, values): &(&str, &[&[u8]])| {
            let values: Vec<u8> = values.iter().flat_map(|value| element(OCTETS, value)).collect();
            element(SEQUENCE, &[element(OCTETS, name.as_bytes()), element(SET, &values)].concat())
        };
        let list: Vec<u8> = attributes.iter().flat_map(attribute).collect();
        [element(OCTETS, dn.as_bytes()), element(SEQUENCE, &list)].concat()
    }

    /// An entry as a server would have sent it.
    ///
    /// # Panics
    /// If a name in it is too long for one message.
    pub fn entry(dn: &str, attributes: &[(&str, &[&[u8]])]) -> Entry {
        Entry::read(&body(dn, attributes)).unwrap()
    }
}

#[cfg(test)]
mod tests {
    use super::fixtures::{body, entry};
    use super::*;
    use crate::directory::ber::element;

    #[test]
    fn names_are_found_without_case() {
        let ana = entry("CN=Ana", &[("sAMAccountName", &[b"ana"])]);

        assert_eq!(ana.text("samaccountname"), Some("ana"));
        assert_eq!(ana.text("mail"), None);
    }

    #[test]
    fn a_value_that_is_not_text_is_still_there_as_bytes() {
        let ana = entry("CN=Ana", &[("objectGUID", &[b"\xe4\x41"])]);

        assert_eq!(ana.text("objectGUID"), None);
        assert_eq!(ana.bytes("objectGUID"), Some(&b"\xe4\x41"[..]));
    }

    #[test]
    fn a_range_beside_an_empty_plain_attribute_is_the_one_that_counts() {
        let group = entry("CN=All", &[("member", &[]), ("member;range=0-1", &[b"CN=a", b"CN=b"])]);

        let chunk = group.chunk("member").unwrap();

        assert_eq!((chunk.start, chunk.last, chunk.values.len()), (0, Some(1), 2));
    }

    #[test]
    fn the_last_range_says_that_nothing_follows() {
        let group = entry("CN=All", &[("member;range=1500-*", &[b"CN=a"])]);

        assert_eq!(group.chunk("member").unwrap().last, None);
        assert_eq!(group.chunk("member").unwrap().start, 1500);
    }

    #[test]
    fn a_plain_value_where_a_list_belongs_is_refused() {
        let no_list = [element(OCTETS, b"CN=Ana"), element(OCTETS, b"ana")].concat();
        let no_set = element(SEQUENCE, &[element(OCTETS, b"mail"), element(OCTETS, b"ana")].concat());
        let no_set = [element(OCTETS, b"CN=Ana"), element(SEQUENCE, &no_set)].concat();

        assert_eq!(Entry::read(&no_list), Err(Unreadable));
        assert_eq!(Entry::read(&no_set), Err(Unreadable));
        assert_eq!(Entry::read(&[]), Err(Unreadable));
    }

    #[test]
    fn attributes_that_nobody_asked_for_have_an_end() {
        let many = |count| body("CN=Ana", &vec![("a", &[][..]); count]);

        assert!(Entry::read(&many(MOST_TOLD)).is_ok());
        assert_eq!(Entry::read(&many(MOST_TOLD + 1)), Err(Unreadable));
    }

    #[test]
    fn a_name_that_is_not_text_is_refused() {
        let mut ana = body("CN=Ana", &[("mail", &[b"a"])]);
        ana[2] = 0xff;

        assert_eq!(Entry::read(&ana), Err(Unreadable));
    }

    proptest::proptest! {
        #[test]
        fn no_body_makes_an_entry_panic(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..300)) {
            if let Ok(entry) = Entry::read(&bytes) {
                let _ = (entry.text("mail"), entry.chunk("member"));
            }
        }

        #[test]
        fn every_value_is_found_again(
            values in proptest::collection::vec(proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200), 0..5),
        ) {
            let written: Vec<&[u8]> = values.iter().map(Vec::as_slice).collect();
            let ana = entry("CN=Ana", &[("first", &[b"1"]), ("mail", &written), ("last", &[b"3"])]);

            proptest::prop_assert_eq!(ana.all_bytes("MAIL").collect::<Vec<_>>(), written);
            proptest::prop_assert_eq!(ana.text("last"), Some("3"));
        }
    }
}
