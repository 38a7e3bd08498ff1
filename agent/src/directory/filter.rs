//! Decides what a search can look for, and how that is written on the wire (RFC 4511 4.5.1.7). Values are bytes there, so
//! nothing in a name has to be escaped.

use std::borrow::Cow;

use super::ber::element;

/// Which objects a search wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Filter {
    /// The attribute has any value that this account may see.
    Has(&'static str),
    Is(&'static str, Cow<'static, str>),
    /// The same for a value that is no text.
    IsBytes(&'static str, Vec<u8>),
    All(Vec<Filter>),
    Any(Vec<Filter>),
}

impl Filter {
    /// An attribute with a fixed value.
    pub const fn is(attribute: &'static str, value: &'static str) -> Self {
        Self::Is(attribute, Cow::Borrowed(value))
    }

    /// The element that a search request carries.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Has(attribute) => element(0x87, attribute.as_bytes()),
            Self::Is(attribute, value) => equality(attribute, value.as_bytes()),
            Self::IsBytes(attribute, value) => equality(attribute, value),
            Self::All(parts) => element(0xa0, &encode_all(parts)),
            Self::Any(parts) => element(0xa1, &encode_all(parts)),
        }
    }
}

fn equality(attribute: &str, value: &[u8]) -> Vec<u8> {
    element(0xa3, &[element(0x04, attribute.as_bytes()), element(0x04, value)].concat())
}

fn encode_all(parts: &[Filter]) -> Vec<u8> {
    parts.iter().flat_map(Filter::encode).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_written_as_the_standard_says() {
        let filter = Filter::Any(vec![Filter::Has("cn"), Filter::All(vec![Filter::is("sn", "A*(b)")])]);

        let wire = filter.encode();

        assert_eq!(wire, b"\xa1\x13\x87\x02cn\xa0\x0d\xa3\x0b\x04\x02sn\x04\x05A*(b)");
        assert_eq!(Filter::IsBytes("id", vec![0xff, 0]).encode(), b"\xa3\x08\x04\x02id\x04\x02\xff\0");
    }
}
