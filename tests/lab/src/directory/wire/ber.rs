//! BER as LDAP uses it (RFC 4511 5.1): definite lengths, one-byte tags. Decides what is well-formed and nothing more.

use thiserror::Error;

/// Tags of X.690 and RFC 4511 that more than one message uses.
pub mod tag {
    pub const BOOLEAN: u8 = 0x01;
    pub const INTEGER: u8 = 0x02;
    pub const OCTETS: u8 = 0x04;
    pub const ENUMERATED: u8 = 0x0a;
    pub const SEQUENCE: u8 = 0x30;
    pub const SET: u8 = 0x31;
}

#[derive(Debug, Error, PartialEq, Eq)]
pub enum BerError {
    #[error("element ends before its announced length")]
    Short,
    #[error("length form is not one LDAP allows")]
    Length,
    #[error("expected tag {expected:#04x}, found {found:#04x}")]
    Tag { expected: u8, found: u8 },
    #[error("integer does not fit into 64 bits")]
    Integer,
    #[error("text is not UTF-8")]
    Text,
    #[error("filter is nested too deeply")]
    Depth,
}

/// A sequence that was opened and whose length is still to be filled in.
#[derive(Debug)]
#[must_use = "a sequence that is not closed has the length 0"]
pub struct Open(usize);

/// Writes elements; constructed ones get four-byte lengths, as a Windows domain controller writes them.
#[derive(Debug, Default)]
pub struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    pub fn with_capacity(bytes: usize) -> Self {
        Self { bytes: Vec::with_capacity(bytes) }
    }

    pub fn open(&mut self, tag: u8) -> Open {
        self.bytes.extend_from_slice(&[tag, 0x84, 0, 0, 0, 0]);
        Open(self.bytes.len())
    }

    pub fn close(&mut self, open: Open) {
        let length = u32::try_from(self.bytes.len() - open.0).unwrap_or(u32::MAX);
        self.bytes[open.0 - 4..open.0].copy_from_slice(&length.to_be_bytes());
    }

    pub fn octets(&mut self, tag: u8, value: &[u8]) {
        self.bytes.push(tag);
        self.length(value.len());
        self.bytes.extend_from_slice(value);
    }

    pub fn integer(&mut self, tag: u8, value: i64) {
        let bytes = value.to_be_bytes();
        let keep = (0..7).find(|&at| !is_redundant(bytes[at], bytes[at + 1])).unwrap_or(7);
        self.octets(tag, &bytes[keep..]);
    }

    /// Bytes that are already encoded.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    fn length(&mut self, length: usize) {
        let bytes = u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes();
        match length {
            0..=0x7f => self.bytes.push(bytes[3]),
            0x80..=0xff => self.bytes.extend_from_slice(&[0x81, bytes[3]]),
            0x100..=0xffff => self.bytes.extend_from_slice(&[0x82, bytes[2], bytes[3]]),
            _ => {
                self.bytes.push(0x84);
                self.bytes.extend_from_slice(&bytes);
            }
        }
    }
}

/// The leading byte of an integer says nothing when it only repeats the sign of the next one.
fn is_redundant(first: u8, second: u8) -> bool {
    (first == 0x00 && second < 0x80) || (first == 0xff && second >= 0x80)
}

/// Reads elements one after the other out of a borrowed buffer.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// The next element: its tag and its content.
    pub fn element(&mut self) -> Result<(u8, &'a [u8]), BerError> {
        let tag = self.peek().ok_or(BerError::Short)?;
        let (header, length) = header(self.rest)?.ok_or(BerError::Short)?;
        let content = self.rest.get(header..header + length).ok_or(BerError::Short)?;
        self.rest = &self.rest[header + length..];
        Ok((tag, content))
    }

    pub fn expect(&mut self, expected: u8) -> Result<&'a [u8], BerError> {
        let (found, content) = self.element()?;
        if found == expected { Ok(content) } else { Err(BerError::Tag { expected, found }) }
    }

    pub fn inside(&mut self, expected: u8) -> Result<Reader<'a>, BerError> {
        self.expect(expected).map(Reader::new)
    }

    pub fn text(&mut self, expected: u8) -> Result<String, BerError> {
        text(self.expect(expected)?)
    }

    pub fn integer(&mut self, expected: u8) -> Result<i64, BerError> {
        integer(self.expect(expected)?)
    }

    pub fn boolean(&mut self) -> Result<bool, BerError> {
        Ok(self.expect(tag::BOOLEAN)?.first().is_some_and(|&byte| byte != 0))
    }
}

pub fn text(content: &[u8]) -> Result<String, BerError> {
    std::str::from_utf8(content).map(str::to_owned).map_err(|_| BerError::Text)
}

pub fn integer(content: &[u8]) -> Result<i64, BerError> {
    let first = *content.first().ok_or(BerError::Short)?;
    if content.len() > 8 {
        return Err(BerError::Integer);
    }
    let sign = if first >= 0x80 { -1 } else { 0 };
    Ok(content.iter().fold(sign, |value, &byte| (value << 8) | i64::from(byte)))
}

/// How many bytes the first element of a buffer takes, header included; `None` while the header is still incomplete.
pub fn element_length(buffer: &[u8]) -> Result<Option<usize>, BerError> {
    Ok(header(buffer)?.map(|(header, length)| header + length))
}

/// Sizes of header and content of the first element.
fn header(buffer: &[u8]) -> Result<Option<(usize, usize)>, BerError> {
    let Some(&first) = buffer.get(1) else { return Ok(None) };
    if first < 0x80 {
        return Ok(Some((2, usize::from(first))));
    }
    let count = usize::from(first & 0x7f);
    if count == 0 || count > 4 {
        return Err(BerError::Length);
    }
    let Some(bytes) = buffer.get(2..2 + count) else { return Ok(None) };
    let length = bytes.iter().fold(0, |length, &byte| (length << 8) | usize::from(byte));
    Ok(Some((2 + count, length)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(value: i64) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.integer(tag::INTEGER, value);
        writer.into_bytes()
    }

    #[test]
    fn integers_take_as_few_bytes_as_der_asks_for() {
        assert_eq!(encoded(0), [2, 1, 0]);
        assert_eq!(encoded(127), [2, 1, 127]);
        assert_eq!(encoded(128), [2, 2, 0, 128]);
        assert_eq!(encoded(-1), [2, 1, 255]);
        assert_eq!(encoded(-2_147_483_648), [2, 4, 0x80, 0, 0, 0]);
    }

    #[test]
    fn integers_come_back_as_they_went() {
        for value in [0, 1, -1, 127, 128, 255, 256, -128, -129, i64::MAX, i64::MIN] {
            assert_eq!(Reader::new(&encoded(value)).integer(tag::INTEGER), Ok(value));
        }
    }

    #[test]
    fn a_closed_sequence_holds_what_was_written_into_it() {
        let mut writer = Writer::default();
        let open = writer.open(tag::SEQUENCE);
        writer.octets(tag::OCTETS, &[7; 300]);
        writer.close(open);
        let bytes = writer.into_bytes();

        assert_eq!(element_length(&bytes), Ok(Some(bytes.len())));
        let mut inside = Reader::new(&bytes).inside(tag::SEQUENCE).unwrap();
        assert_eq!(inside.expect(tag::OCTETS), Ok(&[7; 300][..]));
        assert!(inside.is_empty());
    }

    #[test]
    fn an_element_cut_short_is_an_error_and_a_header_cut_short_waits() {
        assert_eq!(Reader::new(&[4, 5, 1]).element(), Err(BerError::Short));
        assert_eq!(element_length(&[0x30]), Ok(None));
        assert_eq!(element_length(&[0x30, 0x84, 0, 0]), Ok(None));
        assert_eq!(element_length(&[0x30, 0x80]), Err(BerError::Length));
    }
}
