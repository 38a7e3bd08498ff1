//! Decides what an id looks like: a `UUIDv7` of its own type per noun, shown with a prefix such as `cus_`.

use std::{fmt, str::FromStr};

use chrono::{DateTime, Utc};
use uuid::Uuid;

/// The text is not an id of the expected kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an id of the form {prefix}_<uuid>")]
pub struct IdError {
    pub prefix: &'static str,
}

/// A new `UUIDv7` (RFC 9562 5.7) from the caller's clock and randomness.
pub fn mint(now: DateTime<Utc>, random: [u8; 10]) -> Uuid {
    let millis = u64::try_from(now.timestamp_millis()).unwrap_or_default();
    uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
}

/// Like [`mint`], but ids of one source and one millisecond sort in the order of `number` (its low 26 bits).
pub fn mint_numbered(now: DateTime<Utc>, number: u32, random: [u8; 6]) -> Uuid {
    // The version and the variant take the high bits of the first and of the third byte.
    let [.., first] = ((number >> 22) & 0x0f).to_be_bytes();
    let [.., second] = ((number >> 14) & 0xff).to_be_bytes();
    let [.., third] = ((number >> 8) & 0x3f).to_be_bytes();
    let [.., fourth] = (number & 0xff).to_be_bytes();
    let [r0, r1, r2, r3, r4, r5] = random;
    mint(now, [first, second, third, fourth, r0, r1, r2, r3, r4, r5])
}

macro_rules! id {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            pub const PREFIX: &'static str = $prefix;

            pub const fn uuid(self) -> Uuid {
                self.0
            }

            pub fn mint(now: DateTime<Utc>, random: [u8; 10]) -> Self {
                Self(mint(now, random))
            }
        }

        impl From<Uuid> for $name {
            fn from(uuid: Uuid) -> Self {
                Self(uuid)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "_{}"), self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                parse(text, $prefix).map(Self).ok_or(IdError { prefix: $prefix })
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )+};
}

id! {
    /// The tenant.
    MspId = "msp",
    OperatorId = "opr",
    ApiKeyId = "key",
    CustomerId = "cus",
    EnrolTokenId = "tok",
    AgentId = "agt",
    DirectoryId = "dir",
    ImportId = "imp",
    AccountId = "acc",
    RunId = "run",
    HistoryId = "his",
    JobId = "job",
    CommandId = "cmd",
    BundleId = "bun",
    MailId = "mai",
}

/// Exactly the form that `Display` writes: one spelling per id, so that an id can be compared as text.
fn parse(text: &str, prefix: &str) -> Option<Uuid> {
    let bare = text.strip_prefix(prefix)?.strip_prefix('_')?;
    let uuid = Uuid::try_parse(bare).ok()?;
    (uuid.hyphenated().to_string() == bare).then_some(uuid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_exactly_what_it_shows() {
        let id = CustomerId::mint(DateTime::UNIX_EPOCH, [7; 10]);
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(id.to_string(), "cus_00000000-0000-7707-8707-070707070707");
    }

    #[test]
    fn numbered_ids_of_one_moment_keep_their_order() {
        let numbers = [0, 1, 0xff, 0x100, 0x3fff, 0x4000, 0x3f_ffff, 0x40_0000, 0x3ff_ffff];
        let ids = numbers.map(|number| mint_numbered(DateTime::UNIX_EPOCH, number, [0xff; 6]));
        assert!(ids.is_sorted());
    }

    #[test]
    fn another_kind_another_case_and_a_bare_uuid_are_refused() {
        let id = CustomerId::mint(DateTime::UNIX_EPOCH, [0xab; 10]);
        let refused = Err(IdError { prefix: "cus" });
        assert_eq!(AgentId::from(id.uuid()).to_string().parse::<CustomerId>(), refused);
        assert_eq!(id.to_string().to_uppercase().parse::<CustomerId>(), refused);
        assert_eq!(id.uuid().to_string().parse::<CustomerId>(), refused);
        assert_eq!(format!("cus_{}", id.uuid().simple()).parse::<CustomerId>(), refused);
    }
}
