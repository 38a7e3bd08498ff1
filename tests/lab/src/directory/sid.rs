//! Security identifiers: which account or group, as bytes and as text (MS-DTYP 2.4.2).

use std::{fmt, str::FromStr};

/// `S-1-5-…`: an authority and up to fifteen numbers.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Sid {
    authority: u64,
    parts: Vec<u32>,
}

impl Sid {
    pub fn new(authority: u64, parts: impl Into<Vec<u32>>) -> Self {
        Self { authority, parts: parts.into() }
    }

    /// S-1-5-32-…, the groups every domain has.
    pub fn builtin(rid: u32) -> Self {
        Self::new(5, [32, rid])
    }

    /// A domain's own identifier, from its three numbers.
    pub fn domain(numbers: [u32; 3]) -> Self {
        Self::new(5, [21, numbers[0], numbers[1], numbers[2]])
    }

    /// The account with this relative identifier in this domain.
    pub fn with_rid(&self, rid: u32) -> Self {
        let mut parts = self.parts.clone();
        parts.push(rid);
        Self { authority: self.authority, parts }
    }

    pub fn rid(&self) -> Option<u32> {
        self.parts.last().copied()
    }

    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![1, u8::try_from(self.parts.len()).unwrap_or(u8::MAX)];
        bytes.extend_from_slice(&self.authority.to_be_bytes()[2..]);
        for part in &self.parts {
            bytes.extend_from_slice(&part.to_le_bytes());
        }
        bytes
    }

    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (&[1, count, ..], rest) = (bytes.get(..2)?, bytes.get(8..)?) else { return None };
        if rest.len() != usize::from(count) * 4 {
            return None;
        }
        let authority = bytes[2..8].iter().fold(0, |value, &byte| (value << 8) | u64::from(byte));
        let parts: Vec<u32> =
            rest.chunks_exact(4).map(|part| u32::from_le_bytes([part[0], part[1], part[2], part[3]])).collect();
        Some(Self { authority, parts })
    }
}

impl fmt::Display for Sid {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "S-1-{}", self.authority)?;
        self.parts.iter().try_for_each(|part| write!(out, "-{part}"))
    }
}

impl FromStr for Sid {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut numbers = text.trim_start_matches("S-1-").split('-');
        let authority = numbers.next().unwrap_or_default().parse()?;
        let parts = numbers.map(str::parse).collect::<Result<Vec<u32>, _>>()?;
        Ok(Self { authority, parts })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sid_is_the_same_as_bytes_and_as_text() {
        let sid = Sid::domain([1, 2, 3]).with_rid(1104);
        assert_eq!(sid.to_string(), "S-1-5-21-1-2-3-1104");
        assert_eq!(Sid::from_bytes(&sid.to_bytes()), Some(sid.clone()));
        assert_eq!("S-1-5-21-1-2-3-1104".parse(), Ok(sid));
    }

    #[test]
    fn the_administrators_group_has_the_bytes_microsoft_prints() {
        assert_eq!(Sid::builtin(544).to_bytes(), [1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 32, 2, 0, 0]);
    }
}
