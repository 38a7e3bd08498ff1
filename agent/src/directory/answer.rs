//! Decides what an answer to a search says.

use super::ber::{self, Malformed, Message, Operation};
use super::entry::Entry;
use super::request::PAGED_RESULTS;

/// One message of a search's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    Entry(Entry),
    /// An entry whose attributes are not in the form of one.
    UnreadableEntry,
    Reference,
    /// Something that the server tells in between and that we did not ask for.
    Intermediate,
    Done(Done),
}

/// The end of one page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    pub code: u32,
    /// Where the next page begins; empty when there is none, `None` when the server did not say it in a readable form.
    pub cookie: Option<Vec<u8>>,
}

impl Answer {
    /// Reads an inspected message.
    pub fn read(message: &Message<'_>) -> Result<Self, Malformed> {
        match message.operation {
            Operation::SearchEntry => Ok(Entry::read(message.body).map_or(Self::UnreadableEntry, Self::Entry)),
            Operation::SearchReference => Ok(Self::Reference),
            Operation::Intermediate => Ok(Self::Intermediate),
            Operation::SearchDone => {
                let code = ber::result_in(message.body)?.code;
                Ok(Self::Done(Done { code, cookie: cookie_in(message.controls) }))
            }
            Operation::BindResponse | Operation::ExtendedResponse => Err(Malformed::Shape),
        }
    }
}

/// The cookie of RFC 2696, read without trusting its form.
fn cookie_in(mut controls: &[u8]) -> Option<Vec<u8>> {
    while !controls.is_empty() {
        let control = ber::take(controls, 0x30).ok()?;
        let oid = ber::take(control.content, 0x04).ok()?;
        if oid.content == PAGED_RESULTS.as_bytes() {
            // The criticality is left out or says false in an answer; either is fine.
            let after = ber::take(oid.rest, 0x01).map_or(oid.rest, |criticality| criticality.rest);
            let parts = ber::take(ber::take(after, 0x04).ok()?.content, 0x30).ok()?;
            let size = ber::take(parts.content, 0x02).ok()?;
            return Some(ber::take(size.rest, 0x04).ok()?.content.to_vec());
        }
        controls = control.rest;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::ber::{SESSION, element, inspect, integer};

    fn done(controls: &[Vec<u8>]) -> Vec<u8> {
        let result = [element(0x0a, &[0]), element(0x04, b""), element(0x04, b"")].concat();
        let message = [integer(0x02, 1), element(0x65, &result), element(0xa0, &controls.concat())].concat();
        element(0x30, &message)
    }

    fn control(oid: &str, value: &[u8]) -> Vec<u8> {
        element(0x30, &[element(0x04, oid.as_bytes()), element(0x04, value)].concat())
    }

    fn cookie(controls: &[Vec<u8>]) -> Option<Vec<u8>> {
        let message = done(controls);
        let answer = Answer::read(&inspect(&message, SESSION).unwrap()).unwrap();
        let Answer::Done(done) = answer else { panic!("{answer:?}") };
        done.cookie
    }

    #[test]
    fn the_cookie_is_read_and_an_odd_control_is_no_empty_cookie() {
        let page = element(0x30, &[integer(0x02, 0), element(0x04, b"next")].concat());

        assert_eq!(cookie(&[control("1.2.3", b"x"), control(PAGED_RESULTS, &page)]), Some(b"next".to_vec()));
        assert_eq!(cookie(&[control(PAGED_RESULTS, b"\x30\x01")]), None);
        assert_eq!(cookie(&[element(0x04, b"x")]), None);
        assert_eq!(cookie(&[]), None);
    }

    #[test]
    fn an_answer_to_something_else_is_no_answer_to_a_search() {
        let result = [element(0x0a, &[0]), element(0x04, b""), element(0x04, b"")].concat();
        let bind = element(0x30, &[integer(0x02, 1), element(0x61, &result)].concat());

        assert_eq!(Answer::read(&inspect(&bind, SESSION).unwrap()), Err(Malformed::Shape));
    }
}
