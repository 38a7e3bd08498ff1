//! Decides what a security identifier is and which ones belong to Windows itself.

use std::fmt;

/// A security identifier, read from its binary form (MS-DTYP 2.4.2).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Sid {
    authority: u64,
    parts: Vec<u32>,
}

/// Relative ids below this belong to the accounts and groups that every domain is born with.
const FIRST_CUSTOM_RID: u32 = 1000;

impl Sid {
    /// Revision byte, count byte, six bytes of authority (big-endian), then `count` parts of four bytes (little-endian).
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (&revision, &count) = (bytes.first()?, bytes.get(1)?);
        let count = usize::from(count);
        if revision != 1 || count > 15 || bytes.len() != 8 + 4 * count {
            return None;
        }
        let authority = bytes.get(2..8)?.iter().fold(0_u64, |sum, byte| (sum << 8) | u64::from(*byte));
        let parts = bytes.get(8..)?.chunks_exact(4);
        let parts =
            parts.map(|part| part.iter().rev().fold(0_u32, |sum, byte| (sum << 8) | u32::from(*byte))).collect();
        Some(Self { authority, parts })
    }

    /// The last part: the number inside the domain.
    pub fn rid(&self) -> Option<u32> {
        self.parts.last().copied()
    }

    /// Whether it lies under `S-1-5-32`, the local groups that every domain controller has.
    pub fn is_builtin(&self) -> bool {
        self.authority == 5 && self.parts.first() == Some(&32)
    }

    /// Whether it names a default account or group of a domain or of Windows, in whatever language it is shown.
    pub fn is_predefined(&self) -> bool {
        let in_domain = self.authority == 5 && self.parts.first() == Some(&21) && self.parts.len() == 5;
        !in_domain || self.rid().is_none_or(|rid| rid < FIRST_CUSTOM_RID)
    }

    /// `S-1-5-11`: everybody who signed in. An anonymous connection lacks it.
    pub fn is_authenticated_users(&self) -> bool {
        self.authority == 5 && self.parts == [11]
    }

    /// Administrators, Domain Admins, Schema Admins, Enterprise Admins: more than a reader needs.
    pub fn is_administrative(&self) -> bool {
        let local = self.is_builtin() && self.rid() == Some(544);
        let domain = self.parts.first() == Some(&21) && matches!(self.rid(), Some(512 | 518 | 519));
        local || (self.authority == 5 && domain)
    }
}

impl fmt::Display for Sid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "S-1-{}", self.authority)?;
        self.parts.iter().try_for_each(|part| write!(f, "-{part}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn domain_sid(rid: u32) -> Vec<u8> {
        let mut bytes = vec![1, 5, 0, 0, 0, 0, 0, 5];
        for part in [21, 111, 222, 333, rid] {
            bytes.extend_from_slice(&u32::to_le_bytes(part));
        }
        bytes
    }

    #[test]
    fn a_domain_sid_is_shown_as_windows_shows_it() {
        let sid = Sid::from_bytes(&domain_sid(1103)).unwrap();

        assert_eq!(sid.to_string(), "S-1-5-21-111-222-333-1103");
        assert_eq!(sid.rid(), Some(1103));
        assert!(!sid.is_predefined());
    }

    #[test]
    fn renamed_domain_admins_are_still_known_by_their_number() {
        let sid = Sid::from_bytes(&domain_sid(512)).unwrap();

        assert!(sid.is_predefined());
        assert!(sid.is_administrative());
    }

    #[test]
    fn a_sid_whose_bytes_are_valid_text_is_still_read() {
        let mut bytes = vec![1, 5, 0, 0, 0, 0, 0, 5];
        bytes.extend_from_slice(b"\x15\0\0\0abcdefghijklmnop");
        assert!(std::str::from_utf8(&bytes).is_ok());

        assert_eq!(Sid::from_bytes(&bytes).unwrap().rid(), Some(u32::from_le_bytes(*b"mnop")));
    }

    #[test]
    fn wrong_lengths_are_refused() {
        assert_eq!(Sid::from_bytes(&domain_sid(1)[..27]), None);
        assert_eq!(Sid::from_bytes(&[]), None);
    }
}
