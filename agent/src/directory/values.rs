//! Decides what the numbers in directory attributes mean.

use chrono::{DateTime, Utc};
use uuid::Uuid;

/// An objectGUID: the first three fields are little-endian on the wire.
pub fn guid(bytes: &[u8]) -> Option<Uuid> {
    Uuid::from_slice_le(bytes).ok()
}

/// `<GUID=…>` finds an object wherever it was moved and whatever it is called now.
pub fn guid_base(guid: Uuid) -> String {
    format!("<GUID={guid}>")
}

/// A point in time that a directory may leave open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileTime {
    Never,
    At(DateTime<Utc>),
}

/// Seconds from 1601-01-01, where FILETIME starts, to 1970-01-01.
const EPOCH_OFFSET: i64 = 11_644_473_600;
const TICKS_PER_SECOND: i64 = 10_000_000;

impl FileTime {
    /// 100 ns ticks since 1601; 0, the largest number and anything negative or absurd mean "never".
    pub fn parse(text: &str) -> Option<Self> {
        let ticks: i64 = text.trim().parse().ok()?;
        if ticks <= 0 || ticks == i64::MAX {
            return Some(Self::Never);
        }
        let seconds = ticks / TICKS_PER_SECOND - EPOCH_OFFSET;
        Some(DateTime::from_timestamp(seconds, 0).map_or(Self::Never, Self::At))
    }

    /// The time, or `None` for never.
    pub fn at(self) -> Option<DateTime<Utc>> {
        match self {
            Self::Never => None,
            Self::At(time) => Some(time),
        }
    }
}

/// A whenCreated: `20261122034800.0Z`.
pub fn generalized_time(text: &str) -> Option<DateTime<Utc>> {
    let digits = text.split(['.', 'Z']).next()?;
    let parsed = chrono::NaiveDateTime::parse_from_str(digits, "%Y%m%d%H%M%S").ok()?;
    Some(parsed.and_utc())
}

/// Bits of userAccountControl (MS-ADTS 2.2.16).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccountControl(u32);

impl AccountControl {
    /// A signed decimal on the wire.
    pub fn parse(text: &str) -> Option<Self> {
        text.trim().parse::<i32>().ok().map(|bits| Self(bits.cast_unsigned()))
    }

    pub fn is_disabled(self) -> bool {
        self.0 & 0x2 != 0
    }

    pub fn password_never_expires(self) -> bool {
        self.0 & 0x1_0000 != 0
    }
}

/// Bits of groupType (MS-ADTS 2.2.12).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GroupType(u32);

impl GroupType {
    /// A signed decimal on the wire: a security group is negative.
    pub fn parse(text: &str) -> Option<Self> {
        text.trim().parse::<i32>().ok().map(|bits| Self(bits.cast_unsigned()))
    }

    pub fn is_security(self) -> bool {
        self.0 & 0x8000_0000 != 0
    }

    pub fn is_builtin(self) -> bool {
        self.0 & 0x1 != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guid_is_read_in_its_mixed_byte_order() {
        let bytes = [0xe4, 0x41, 0x22, 0x11, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee];

        assert_eq!(guid(&bytes).unwrap().to_string(), "112241e4-4433-6655-7788-99aabbccddee");
        assert_eq!(guid(&bytes[1..]), None);
    }

    #[test]
    fn case_25_zero_the_largest_number_and_negatives_never_come() {
        for text in ["0", "9223372036854775807", "-1"] {
            assert_eq!(FileTime::parse(text), Some(FileTime::Never), "{text}");
        }
        assert_eq!(FileTime::parse("soon"), None);
    }

    #[test]
    fn a_filetime_is_the_same_moment_in_utc() {
        let read = FileTime::parse("133801632000000000").unwrap().at().unwrap();

        assert_eq!(read.to_rfc3339(), "2025-01-01T00:00:00+00:00");
    }

    #[test]
    fn case_21_a_security_group_is_a_negative_number() {
        let global = GroupType::parse("-2147483646").unwrap();

        assert!(global.is_security() && !global.is_builtin());
        assert!(!GroupType::parse("2").unwrap().is_security());
        assert!(GroupType::parse("-2147483643").unwrap().is_builtin());
    }

    #[test]
    fn disabled_is_one_bit_of_many() {
        assert!(AccountControl::parse("514").unwrap().is_disabled());
        assert!(!AccountControl::parse("512").unwrap().is_disabled());
        assert!(AccountControl::parse("66048").unwrap().password_never_expires());
    }

    #[test]
    fn generalized_time_is_read_with_and_without_fractions() {
        assert_eq!(generalized_time("20261122034800.0Z"), generalized_time("20261122034800Z"));
        assert_eq!(generalized_time("20261122034800.0Z").unwrap().to_rfc3339(), "2026-11-22T03:48:00+00:00");
    }
}
