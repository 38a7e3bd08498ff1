//! Which directory, and which domain controller of it, a reading came from.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The domain an agent is pinned to. Another domain that answers under the same name differs in `guid` and `sid`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DomainPin {
    /// objectGUID of the domain head.
    pub guid: Uuid,
    /// objectSid of the domain head.
    pub sid: String,
    /// DNS name, for people to read; it is not compared.
    pub dns_name: String,
}

impl DomainPin {
    pub fn is_same_domain(&self, other: &Self) -> bool {
        self.guid == other.guid && self.sid == other.sid
    }
}

/// One incarnation of a domain controller's database (MS-ADTS 3.1.1.1.9).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DcIdentity {
    pub dns_name: String,
    /// objectGUID of its nTDSDSA object: the same for the life of the DC.
    pub ntds_guid: Uuid,
    /// invocationId: new when the database was restored.
    pub invocation_id: Uuid,
    /// highestCommittedUSN, read before the first search of the reading.
    pub usn: i64,
}

impl DcIdentity {
    /// Whether `now` continues `self`: the same DC, not restored, not rolled back.
    pub fn is_continued_by(&self, now: &Self) -> bool {
        self.ntds_guid == now.ntds_guid && self.invocation_id == now.invocation_id && self.usn <= now.usn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_dc_a_restored_one_and_a_rolled_back_one_do_not_continue_it() {
        let dc = DcIdentity {
            dns_name: "dc1.lab.example".into(),
            ntds_guid: Uuid::from_u128(1),
            invocation_id: Uuid::from_u128(2),
            usn: 100,
        };
        assert!(dc.is_continued_by(&DcIdentity { usn: 101, dns_name: "renamed".into(), ..dc.clone() }));
        assert!(!dc.is_continued_by(&DcIdentity { ntds_guid: Uuid::from_u128(9), ..dc.clone() }));
        assert!(!dc.is_continued_by(&DcIdentity { invocation_id: Uuid::from_u128(9), ..dc.clone() }));
        assert!(!dc.is_continued_by(&DcIdentity { usn: 99, ..dc.clone() }));
    }
}
