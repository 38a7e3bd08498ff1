//! Decides what an entry from the directory says: attribute names without case, values as bytes first.
//!
//! ldap3's own `SearchEntry` panics on odd entries and sorts values into two maps by whether they happen to be valid
//! UTF-8, which an objectSid can be; so the raw entry is read here.

use ldap3::asn1::{PL, StructureTag};

/// One entry of a search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub dn: String,
    attributes: Vec<Attribute>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Attribute {
    /// Lower case, options included: `member;range=0-1499`.
    name: String,
    values: Vec<Vec<u8>>,
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
    pub values: &'a [Vec<u8>],
}

impl Entry {
    /// Reads the raw entry.
    pub fn from_tag(tag: StructureTag) -> Result<Self, Unreadable> {
        let mut parts = constructed(tag)?.into_iter();
        let dn = text(parts.next().ok_or(Unreadable)?)?;
        let attributes = constructed(parts.next().ok_or(Unreadable)?)?;
        let attributes = attributes.into_iter().map(attribute).collect::<Result<_, _>>()?;
        Ok(Self { dn, attributes })
    }

    fn values(&self, name: &str) -> &[Vec<u8>] {
        let found = self.attributes.iter().find(|attribute| attribute.name.eq_ignore_ascii_case(name));
        found.map_or(&[], |attribute| attribute.values.as_slice())
    }

    /// The first value as bytes.
    pub fn bytes(&self, name: &str) -> Option<&[u8]> {
        self.values(name).first().map(Vec::as_slice)
    }

    /// The first value as text; `None` also when it is blank.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.texts(name).next()
    }

    /// All values that are text and not blank.
    pub fn texts(&self, name: &str) -> impl Iterator<Item = &str> {
        self.values(name)
            .iter()
            .filter_map(|value| std::str::from_utf8(value).ok())
            .filter(|value| !value.trim().is_empty())
    }

    /// All values as bytes.
    pub fn all_bytes(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        self.values(name).iter().map(Vec::as_slice)
    }

    /// `TRUE` as Active Directory writes it.
    pub fn is_true(&self, name: &str) -> bool {
        self.text(name).is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    /// The values of `name` whether they came whole or as `name;range=…`. A server that truncates may add an empty
    /// plain attribute beside the range: the range wins.
    pub fn chunk(&self, name: &str) -> Option<Chunk<'_>> {
        let ranged = self.attributes.iter().find_map(|attribute| {
            let (start, last) = range_of(&attribute.name, name)?;
            Some(Chunk { start, last, values: &attribute.values })
        });
        ranged.or_else(|| {
            let whole = self.attributes.iter().find(|attribute| attribute.name.eq_ignore_ascii_case(name))?;
            Some(Chunk { start: 0, last: None, values: &whole.values })
        })
    }
}

/// `member;range=0-1499` → (0, Some(1499)); `member;range=1500-*` → (1500, None).
fn range_of(spelled: &str, name: &str) -> Option<(usize, Option<usize>)> {
    let mut options = spelled.split(';');
    if !options.next()?.eq_ignore_ascii_case(name) {
        return None;
    }
    let (start, last) = options.find_map(|option| option.strip_prefix("range="))?.split_once('-')?;
    let last = if last == "*" { None } else { Some(last.parse().ok()?) };
    Some((start.parse().ok()?, last))
}

fn attribute(tag: StructureTag) -> Result<Attribute, Unreadable> {
    let mut parts = constructed(tag)?.into_iter();
    let mut name = text(parts.next().ok_or(Unreadable)?)?;
    name.make_ascii_lowercase();
    let values = constructed(parts.next().ok_or(Unreadable)?)?;
    let values = values.into_iter().map(primitive).collect::<Result<_, _>>()?;
    Ok(Attribute { name, values })
}

fn constructed(tag: StructureTag) -> Result<Vec<StructureTag>, Unreadable> {
    match tag.payload {
        PL::C(parts) => Ok(parts),
        PL::P(_) => Err(Unreadable),
    }
}

fn primitive(tag: StructureTag) -> Result<Vec<u8>, Unreadable> {
    match tag.payload {
        PL::P(bytes) => Ok(bytes),
        PL::C(_) => Err(Unreadable),
    }
}

fn text(tag: StructureTag) -> Result<String, Unreadable> {
    String::from_utf8(primitive(tag)?).map_err(|_| Unreadable)
}

#[cfg(test)]
pub mod fixtures {
    use super::{Attribute, Entry};

    /// An entry as a server would have sent it.
    pub fn entry(dn: &str, attributes: &[(&str, &[&[u8]])]) -> Entry {
        let attributes = attributes.iter().map(|(name, values)| Attribute {
            name: name.to_lowercase(),
            values: values.iter().map(|value| value.to_vec()).collect(),
        });
        Entry { dn: dn.to_owned(), attributes: attributes.collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::fixtures::entry;
    use super::*;

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
        let tag = StructureTag { class: ldap3::asn1::TagClass::Application, id: 4, payload: PL::P(vec![1, 2]) };

        assert_eq!(Entry::from_tag(tag), Err(Unreadable));
    }
}
