//! The bytes of broken answers, made by hand, since no encoder would make them.

use super::wire::{
    answer::{self, Code, NOTICE_OF_DISCONNECTION, Outcome, answer_tag},
    ber::{Writer, tag},
};

/// An entry whose attribute list announces more bytes than the message has.
pub fn malformed_entry(message_id: i64) -> Vec<u8> {
    let mut writer = Writer::default();
    let message = writer.open(tag::SEQUENCE);
    writer.integer(tag::INTEGER, message_id);
    let entry = writer.open(answer_tag::ENTRY);
    writer.octets(tag::OCTETS, b"CN=Broken,DC=lab,DC=example");
    writer.raw(&[tag::SEQUENCE, 0x84, 0x00, 0xff, 0xff, 0xff, tag::SEQUENCE, 0x05]);
    writer.close(entry);
    writer.close(message);
    writer.into_bytes()
}

/// A message of this many sequences, each the only content of the one around it; lengths are true.
pub fn nested_sequences(depth: usize) -> Vec<u8> {
    let mut headers: Vec<Vec<u8>> = Vec::with_capacity(depth);
    let mut length = 0_usize;
    for _ in 0..depth {
        let header = header(length);
        length += header.len();
        headers.push(header);
    }
    headers.into_iter().rev().flatten().collect()
}

fn header(length: usize) -> Vec<u8> {
    let length = u32::try_from(length).unwrap_or(u32::MAX);
    match length {
        0..=0x7f => vec![tag::SEQUENCE, length.to_be_bytes()[3]],
        _ => [&[tag::SEQUENCE, 0x84][..], &length.to_be_bytes()].concat(),
    }
}

/// Entries that [`invented_groups`] makes: together more than anybody should keep.
pub const INVENTED: u32 = 20;

/// An entry that says to be in groups that no other entry names: seven megabytes of them.
pub fn invented_groups(message_id: i64, number: u32) -> Vec<u8> {
    let mut writer = Writer::default();
    let message = writer.open(tag::SEQUENCE);
    writer.integer(tag::INTEGER, message_id);
    let entry = writer.open(answer_tag::ENTRY);
    writer.octets(tag::OCTETS, format!("CN=Invented {number},DC=lab,DC=example").as_bytes());
    let attributes = writer.open(tag::SEQUENCE);
    let attribute = writer.open(tag::SEQUENCE);
    writer.octets(tag::OCTETS, b"memberOf");
    let set = writer.open(tag::SET);
    let filling = "x".repeat(3_500);
    for group in 0..2_000 {
        writer.octets(tag::OCTETS, format!("CN={filling} {number} {group},DC=lab,DC=example").as_bytes());
    }
    for open in [set, attribute, attributes, entry, message] {
        writer.close(open);
    }
    writer.into_bytes()
}

/// The header of a message of almost two gigabytes, and the first bytes of what never comes.
pub fn oversize_length() -> Vec<u8> {
    vec![tag::SEQUENCE, 0x84, 0x7f, 0xff, 0xff, 0xf0, tag::INTEGER, 1, 2]
}

/// An unsolicited notice that the server is going (RFC 4511 4.4.1).
pub fn notice_of_disconnection() -> Vec<u8> {
    answer::extended(0, &Outcome::new(Code::UNAVAILABLE, "00000000: idle too long"), NOTICE_OF_DISCONNECTION)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::wire::ber::{Reader, element_length};

    #[test]
    fn nested_sequences_have_true_lengths() {
        let bytes = nested_sequences(200_000);
        assert_eq!(element_length(&bytes), Ok(Some(bytes.len())));

        let (mut reader, mut depth) = (Reader::new(&bytes), 0);
        while let Ok(inside) = reader.inside(tag::SEQUENCE) {
            (reader, depth) = (inside, depth + 1);
        }
        assert_eq!(depth, 200_000);
    }
}
