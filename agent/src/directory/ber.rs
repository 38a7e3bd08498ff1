//! Decides whether bytes from a directory server are one well-formed LDAP message within our limits.
//!
//! A server is not trusted: every length of a message is checked here, without recursion, before anything is read out of it.

/// What one message may cost us.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Largest whole message in bytes, header included.
    pub message_bytes: usize,
    /// Deepest nesting of constructed tags.
    pub depth: usize,
}

/// Limits of a connection that is already bound; AD's largest attribute (thumbnailPhoto, 100 KiB) fits many times over.
pub const SESSION: Limits = Limits { message_bytes: 8 * 1024 * 1024, depth: 32 };
/// Limits of the single answers before and during the bind.
pub const HANDSHAKE: Limits = Limits { message_bytes: 128 * 1024, depth: 16 };

/// Why bytes were refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    #[error("a message does not start with a sequence")]
    NotASequence,
    #[error("a length is not in a form that LDAP uses")]
    LengthForm,
    #[error("a message of {0} bytes is larger than we accept")]
    TooLarge(usize),
    #[error("a message nests deeper than we accept")]
    TooDeep,
    #[error("an inner length does not fit its surrounding")]
    InnerLength,
    #[error("a message has another shape than LDAP defines")]
    Shape,
}

/// The answers of RFC 4511 that may come to us, by their tag byte. Answers to writes are not among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    BindResponse,
    SearchEntry,
    SearchDone,
    SearchReference,
    ExtendedResponse,
    Intermediate,
}

impl Operation {
    fn from_tag(tag: u8) -> Option<Self> {
        Some(match tag {
            0x61 => Self::BindResponse,
            0x64 => Self::SearchEntry,
            0x65 => Self::SearchDone,
            0x73 => Self::SearchReference,
            0x78 => Self::ExtendedResponse,
            0x79 => Self::Intermediate,
            _ => return None,
        })
    }
}

/// One inspected message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Message<'a> {
    pub id: u32,
    pub operation: Operation,
    /// What the operation carries.
    pub body: &'a [u8],
    /// The controls, one element after the other.
    pub controls: &'a [u8],
}

#[derive(Debug, Clone, Copy)]
struct Header {
    tag: u8,
    head: usize,
    content: usize,
}

impl Header {
    fn whole(self) -> usize {
        self.head + self.content
    }

    fn is_constructed(self) -> bool {
        self.tag & 0x20 != 0
    }
}

/// Reads one tag and length; `None` when bytes are missing.
fn header(bytes: &[u8]) -> Result<Option<Header>, Malformed> {
    let (Some(&tag), Some(&first)) = (bytes.first(), bytes.get(1)) else { return Ok(None) };
    if tag & 0x1f == 0x1f {
        return Err(Malformed::Shape);
    }
    if first < 0x80 {
        return Ok(Some(Header { tag, head: 2, content: usize::from(first) }));
    }
    let count = usize::from(first & 0x7f);
    if count == 0 || count > 4 {
        return Err(Malformed::LengthForm);
    }
    let Some(digits) = bytes.get(2..2 + count) else { return Ok(None) };
    let content = digits.iter().fold(0_usize, |sum, digit| (sum << 8) | usize::from(*digit));
    Ok(Some(Header { tag, head: 2 + count, content }))
}

/// Length of the message that `bytes` begins with, header included; `None` while the header is not all there.
pub fn message_length(bytes: &[u8], limits: Limits) -> Result<Option<usize>, Malformed> {
    if bytes.first().is_some_and(|tag| *tag != 0x30) {
        return Err(Malformed::NotASequence);
    }
    let Some(head) = header(bytes)? else { return Ok(None) };
    if head.whole() > limits.message_bytes {
        return Err(Malformed::TooLarge(head.whole()));
    }
    Ok(Some(head.whole()))
}

/// Walks one whole message and says what it is; every nested length has been checked when this returns.
pub fn inspect(message: &[u8], limits: Limits) -> Result<Message<'_>, Malformed> {
    walk(message, limits.depth)?;
    envelope(message)
}

fn walk(message: &[u8], depth: usize) -> Result<(), Malformed> {
    let mut open: Vec<usize> = Vec::with_capacity(depth);
    let mut at = 0;
    let mut end = message.len();
    loop {
        while at == end {
            let Some(outer) = open.pop() else { return Ok(()) };
            end = outer;
        }
        let head = header(message.get(at..end).ok_or(Malformed::InnerLength)?)?.ok_or(Malformed::InnerLength)?;
        if head.whole() > end - at {
            return Err(Malformed::InnerLength);
        }
        if head.is_constructed() {
            if open.len() == depth {
                return Err(Malformed::TooDeep);
            }
            open.push(end);
            end = at + head.whole();
            at += head.head;
        } else {
            at += head.whole();
        }
    }
}

fn envelope(message: &[u8]) -> Result<Message<'_>, Malformed> {
    let id = take(take(message, 0x30)?.content, 0x02)?;
    let head = header(id.rest)?.ok_or(Malformed::Shape)?;
    let operation = Operation::from_tag(head.tag).ok_or(Malformed::Shape)?;
    let body = id.rest.get(head.head..head.whole()).ok_or(Malformed::Shape)?;
    let controls = controls(id.rest.get(head.whole()..).ok_or(Malformed::Shape)?)?;
    Ok(Message { id: unsigned(id.content)?, operation, body, controls })
}

/// A number of up to four bytes.
fn unsigned(digits: &[u8]) -> Result<u32, Malformed> {
    if digits.is_empty() || digits.len() > 4 {
        return Err(Malformed::Shape);
    }
    Ok(digits.iter().fold(0, |sum, digit| (sum << 8) | u32::from(*digit)))
}

/// After the operation come controls, or Active Directory's misplaced OID of a Notice of Disconnection, or nothing.
fn controls(rest: &[u8]) -> Result<&[u8], Malformed> {
    match rest.first() {
        None | Some(0x8a) => Ok(&[]),
        Some(0xa0) => Ok(take(rest, 0xa0)?.content),
        Some(_) => Err(Malformed::Shape),
    }
}

/// One element that was taken from the front of some bytes.
#[derive(Debug, Clone, Copy)]
pub struct Taken<'a> {
    pub content: &'a [u8],
    pub rest: &'a [u8],
}

/// Takes the element at the front if it carries `tag`.
pub fn take(bytes: &[u8], tag: u8) -> Result<Taken<'_>, Malformed> {
    let head = header(bytes)?.ok_or(Malformed::Shape)?;
    if head.tag != tag {
        return Err(Malformed::Shape);
    }
    let content = bytes.get(head.head..head.whole()).ok_or(Malformed::InnerLength)?;
    let rest = bytes.get(head.whole()..).ok_or(Malformed::InnerLength)?;
    Ok(Taken { content, rest })
}

/// One element built from its tag and content.
pub fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = head(tag, content.len());
    out.extend_from_slice(content);
    out
}

/// What stands before a content of this length.
pub fn head(tag: u8, content: usize) -> Vec<u8> {
    let mut out = vec![tag];
    match u8::try_from(content) {
        Ok(short) if short < 0x80 => out.push(short),
        _ => {
            let digits = (content as u64).to_be_bytes();
            let first = digits.iter().position(|digit| *digit != 0).unwrap_or(digits.len() - 1);
            let used = digits.get(first..).unwrap_or_default();
            out.push(0x80 | u8::try_from(used.len()).unwrap_or(8));
            out.extend_from_slice(used);
        }
    }
    out
}

/// A number in its shortest form.
pub fn integer(tag: u8, number: u32) -> Vec<u8> {
    // One byte more than the number has, since a first bit of one would make it negative.
    let digits = u64::from(number).to_be_bytes();
    let zeros = digits.iter().take_while(|digit| **digit == 0).count().min(digits.len() - 1);
    let first = if digits.get(zeros).is_some_and(|digit| *digit >= 0x80) { zeros - 1 } else { zeros };
    element(tag, digits.get(first..).unwrap_or_default())
}

/// The result that every LDAP response begins with (RFC 4511 4.1.9).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResultCode {
    pub code: u32,
    pub text: String,
}

/// Reads the result out of a whole response message.
pub fn result_of(message: &[u8]) -> Result<ResultCode, Malformed> {
    result_in(envelope(message)?.body)
}

/// Reads the result that a response's body begins with.
pub fn result_in(body: &[u8]) -> Result<ResultCode, Malformed> {
    let code = take(body, 0x0a)?;
    let matched = take(code.rest, 0x04)?;
    let text = take(matched.rest, 0x04)?;
    Ok(ResultCode { code: unsigned(code.content)?, text: String::from_utf8_lossy(text.content).into_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bind_response() -> Vec<u8> {
        let result = [element(0x0a, &[0]), element(0x04, b""), element(0x04, b"fine")].concat();
        element(0x30, &[element(0x02, &[1]), element(0x61, &result)].concat())
    }

    #[test]
    fn a_bind_response_passes_and_its_result_is_read() {
        let message = bind_response();

        let seen = inspect(&message, HANDSHAKE).unwrap();

        assert_eq!((seen.id, seen.operation, seen.controls.len()), (1, Operation::BindResponse, 0));
        assert_eq!(result_of(&message).unwrap(), ResultCode { code: 0, text: "fine".into() });
    }

    #[test]
    fn the_four_byte_lengths_of_active_directory_are_read() {
        let mut message = vec![0x30, 0x84, 0, 0, 0, 5];
        message.extend_from_slice(&[0x02, 1, 7, 0x64, 0]);

        assert_eq!(message_length(&message, SESSION).unwrap(), Some(message.len()));
        assert_eq!(inspect(&message, SESSION).unwrap().operation, Operation::SearchEntry);
    }

    #[test]
    fn two_hundred_thousand_nested_sequences_are_refused_without_recursion() {
        // Every length is true, so that nothing but the depth is wrong.
        let (mut headers, mut length) = (Vec::new(), 0_u32);
        for _ in 0..200_000 {
            let header = [&[0x30, 0x84][..], &length.to_be_bytes()].concat();
            length += 6;
            headers.push(header);
        }
        let message: Vec<u8> = headers.into_iter().rev().flatten().collect();

        assert_eq!(inspect(&message, SESSION), Err(Malformed::TooDeep));
    }

    #[test]
    fn nesting_that_fits_every_length_is_refused_at_the_cap() {
        let mut nested = element(0x04, b"x");
        for _ in 0..40 {
            nested = element(0x30, &nested);
        }

        assert_eq!(inspect(&nested, SESSION), Err(Malformed::TooDeep));
    }

    #[test]
    fn an_inner_length_past_its_surrounding_is_refused() {
        let message = [0x30, 5, 0x02, 9, 1, 0x42, 0];

        assert_eq!(inspect(&message, SESSION), Err(Malformed::InnerLength));
    }

    #[test]
    fn a_message_over_the_size_cap_is_refused_from_its_header_alone() {
        let seen = message_length(&[0x30, 0x84, 0x7f, 0xff, 0xff, 0xff], SESSION);

        assert!(matches!(seen, Err(Malformed::TooLarge(_))));
    }

    #[test]
    fn indefinite_lengths_unknown_operations_and_answers_to_writes_are_refused() {
        assert_eq!(message_length(&[0x30, 0x80], SESSION), Err(Malformed::LengthForm));
        for operation in [0x6e, 0x63, 0x67, 0x69, 0x6b] {
            assert_eq!(inspect(&[0x30, 5, 0x02, 1, 1, operation, 0], SESSION), Err(Malformed::Shape));
        }
    }

    #[test]
    fn a_number_is_written_in_its_shortest_form_and_never_as_a_negative_one() {
        assert_eq!(integer(0x02, 0), [2, 1, 0]);
        assert_eq!(integer(0x02, 127), [2, 1, 127]);
        assert_eq!(integer(0x02, 128), [2, 2, 0, 128]);
        assert_eq!(integer(0x0a, u32::MAX), [0x0a, 5, 0, 255, 255, 255, 255]);
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_the_inspection_panic(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..600)) {
            let _ = message_length(&bytes, SESSION);
            let _ = inspect(&bytes, SESSION);
            let _ = result_of(&bytes);
        }

        #[test]
        fn every_built_element_is_taken_apart_again(content in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..70_000)) {
            let built = element(0x04, &content);
            proptest::prop_assert_eq!(take(&built, 0x04).unwrap().content, &content[..]);
        }
    }
}
