//! Decides whether two sides hold the same people: one digest over a whole set.

use crate::hash::Hash;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

/// Size and digest of a set of people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetSummary {
    pub people: u64,
    /// SHA-256 over objectGUID and content hash of each person, in ascending order of the objectGUID's bytes.
    pub digest: Hash,
}

/// Builds a [`SetSummary`] while people stream past in order.
#[derive(Debug, Default)]
pub struct SetDigester {
    sha: Sha256,
    people: u64,
    last: Option<Uuid>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("people must come in strictly ascending order of their objectGUID")]
pub struct OutOfOrder;

impl SetDigester {
    pub fn push(&mut self, guid: Uuid, content: &Hash) -> Result<(), OutOfOrder> {
        if self.last.is_some_and(|last| last >= guid) {
            return Err(OutOfOrder);
        }
        self.last = Some(guid);
        self.sha.update(guid.as_bytes());
        self.sha.update(content.as_bytes());
        self.people += 1;
        Ok(())
    }

    pub fn finish(self) -> SetSummary {
        SetSummary { people: self.people, digest: Hash::from_bytes(self.sha.finalize().into()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(people: &[(u128, &str)]) -> Result<SetSummary, OutOfOrder> {
        let mut digester = SetDigester::default();
        for (guid, content) in people {
            digester.push(Uuid::from_u128(*guid), &Hash::of(content.as_bytes()))?;
        }
        Ok(digester.finish())
    }

    #[test]
    fn sets_agree_only_when_every_person_does() {
        let all = summary(&[(1, "ana"), (2, "ben")]).unwrap();
        assert_eq!(summary(&[(1, "ana"), (2, "ben")]), Ok(all));
        assert_ne!(summary(&[(1, "ana")]), Ok(all));
        assert_ne!(summary(&[(1, "ana"), (2, "bea")]), Ok(all));
        assert_ne!(summary(&[(1, "ana"), (3, "ben")]), Ok(all));
    }

    #[test]
    fn a_set_out_of_order_or_with_a_double_has_no_digest() {
        assert_eq!(summary(&[(2, "ben"), (1, "ana")]), Err(OutOfOrder));
        assert_eq!(summary(&[(1, "ana"), (1, "ana")]), Err(OutOfOrder));
    }
}
