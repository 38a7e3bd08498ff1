//! Decides how we ask: a search with its controls, and the goodbye. There is no code in the agent for any other request but
//! the sign-in and StartTLS, so it cannot write to a directory.

use super::ber::{element, integer};
use super::filter::Filter;

/// How deep a search goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    Base,
    Subtree,
}

/// A search without its number and its controls, ready to be sent page by page (RFC 4511 4.5.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchBody(Vec<u8>);

impl SearchBody {
    pub fn new(base: &str, scope: Scope, filter: &Filter, attributes: &[&str]) -> Self {
        let scope = match scope {
            Scope::Base => 0,
            Scope::Subtree => 2,
        };
        let names: Vec<u8> = attributes.iter().flat_map(|name| element(0x04, name.as_bytes())).collect();
        let parts = [
            element(0x04, base.as_bytes()),
            integer(0x0a, scope),
            // Never follow aliases; no limits of ours; values too.
            integer(0x0a, 0),
            integer(0x02, 0),
            integer(0x02, 0),
            element(0x01, &[0]),
            filter.encode(),
            element(0x30, &names),
        ];
        Self(element(0x63, &parts.concat()))
    }

    /// The whole message.
    pub fn message(&self, id: u32, controls: &[Control]) -> Vec<u8> {
        let controls: Vec<u8> = controls.iter().flat_map(Control::encode).collect();
        let controls = if controls.is_empty() { Vec::new() } else { element(0xa0, &controls) };
        element(0x30, &[&integer(0x02, id)[..], &self.0, &controls].concat())
    }
}

/// The goodbye (RFC 4511 4.3).
pub fn unbind(id: u32) -> Vec<u8> {
    element(0x30, &[integer(0x02, id), element(0x42, &[])].concat())
}

pub const PAGED_RESULTS: &str = "1.2.840.113556.1.4.319";
const DOMAIN_SCOPE: &str = "1.2.840.113556.1.4.1339";
const SHOW_DELETED: &str = "1.2.840.113556.1.4.417";
const SHOW_RECYCLED: &str = "1.2.840.113556.1.4.2064";
const EXTENDED_DN: &str = "1.2.840.113556.1.4.529";

/// What we ask of the server beside the search itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Control {
    /// A page of this many entries, after this cookie (RFC 2696). Critical: a server that ignores it would cut the result
    /// at its size limit.
    Page {
        size: u32,
        cookie: Vec<u8>,
    },
    /// No references to other domains.
    DomainScope,
    ShowDeleted,
    ShowRecycled,
    /// `<GUID=…>;<SID=…>;` before every name in a value. Critical: without it the values mean something else.
    ExtendedNames,
}

impl Control {
    fn encode(&self) -> Vec<u8> {
        match self {
            Self::Page { size, cookie } => {
                critical(PAGED_RESULTS, &[integer(0x02, *size), element(0x04, cookie)].concat())
            }
            Self::ExtendedNames => critical(EXTENDED_DN, &integer(0x02, 1)),
            Self::DomainScope => plain(DOMAIN_SCOPE),
            Self::ShowDeleted => plain(SHOW_DELETED),
            Self::ShowRecycled => plain(SHOW_RECYCLED),
        }
    }
}

fn plain(oid: &str) -> Vec<u8> {
    element(0x30, &element(0x04, oid.as_bytes()))
}

fn critical(oid: &str, value: &[u8]) -> Vec<u8> {
    let value = element(0x04, &element(0x30, value));
    element(0x30, &[element(0x04, oid.as_bytes()), element(0x01, &[0xff]), value].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_is_written_as_the_standard_says() {
        let body = SearchBody::new("DC=lab", Scope::Subtree, &Filter::Has("cn"), &["mail"]);

        let message = body.message(7, &[]);

        let expected = b"\x30\x28\x02\x01\x07\x63\x23\x04\x06DC=lab\x0a\x01\x02\x0a\x01\x00\x02\x01\x00\x02\x01\x00\x01\x01\x00\x87\x02cn\x30\x06\x04\x04mail";
        assert_eq!(message, expected);
    }

    #[test]
    fn a_page_is_asked_for_critically_and_the_goodbye_has_no_answer() {
        let page = Control::Page { size: 500, cookie: b"next".to_vec() };

        let encoded = page.encode();

        assert!(encoded.ends_with(b"\x01\x01\xff\x04\x0c\x30\x0a\x02\x02\x01\xf4\x04\x04next"), "{encoded:x?}");
        assert_eq!(unbind(9), b"\x30\x05\x02\x01\x09\x42\x00");
    }
}
