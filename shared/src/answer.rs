//! The answer table: every way the cloud may refuse an agent, and what the agent makes of what comes back.
//!
//! Only an answer understood as positive lets the agent forget anything.

use crate::chain::ChainHead;
use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// A refusal, as it stands in the body of an answer that is not 2xx.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "refused", rename_all = "snake_case")]
pub enum Refusal {
    /// Another batch is stored at this place. Both copies of the agent stop; the MSP decides.
    Fork,
    /// Batches before this one are missing. Resend from `expected`, or begin a new epoch.
    Gap { expected: u64 },
    /// The epoch is over. Ask for a new one, then send a full snapshot.
    Epoch,
    /// Unknown key, bad signature, or claims that do not fit; never more detail.
    Unauthorized,
    /// The agent was revoked. Stop reading, wipe the spool. `proof` is a signed [`crate::revocation::Revocation`]; without
    /// one that holds this is nothing the cloud would say.
    Revoked {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        proof: Option<String>,
    },
    /// This agent is quarantined until the MSP decides which copy is the true one.
    Quarantined,
    /// The signer's clock is off. Learn the offset and try once more.
    Skew { server_time: DateTime<Utc> },
    /// The body is over the limit. Never resent as it is.
    TooLarge { limit: u64 },
    /// Well signed, but not a message of this protocol.
    Malformed,
    /// An enrolment token that opens nothing.
    Token { reason: TokenFault },
    /// Too much at once. Not an error state: keep spooling.
    Busy { retry_after_seconds: u32 },
    /// The cloud failed and says so. Nothing was taken.
    Unavailable { retry_after_seconds: u32 },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenFault {
    Expired,
    Used,
    Revoked,
    /// Never issued here, or not readable as a token.
    Unknown,
}

impl Refusal {
    /// The HTTP status it travels with.
    pub const fn status(&self) -> u16 {
        match self {
            Self::Malformed => 400,
            Self::Unauthorized | Self::Skew { .. } => 401,
            Self::Quarantined => 403,
            Self::Fork | Self::Gap { .. } | Self::Epoch => 409,
            Self::Revoked { .. } | Self::Token { .. } => 410,
            Self::TooLarge { .. } => 413,
            Self::Busy { .. } => 429,
            Self::Unavailable { .. } => 503,
        }
    }
}

/// Answer to a batch: it is stored and synced to disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// What the next batch must say.
    pub head: ChainHead,
}

/// What came back, as far as it can be understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer<T> {
    Accepted(T),
    Refused(Refusal),
    /// Nothing the cloud would say: a proxy's page, a cut body, another server. Nothing follows from it but to wait.
    Unintelligible {
        status: u16,
    },
}

/// Reads an answer. `retry_after_seconds` is the header of that name, where there is one.
pub fn classify<T: DeserializeOwned>(status: u16, retry_after_seconds: Option<u32>, body: &[u8]) -> Answer<T> {
    const WAIT: u32 = 30;
    if status == 200 {
        return serde_json::from_slice(body).map_or(Answer::Unintelligible { status }, Answer::Accepted);
    }
    match serde_json::from_slice::<Refusal>(body) {
        Ok(refusal) if refusal.status() == status => Answer::Refused(refusal),
        Ok(_) | Err(_) => match status {
            429 => Answer::Refused(Refusal::Busy { retry_after_seconds: retry_after_seconds.unwrap_or(WAIT) }),
            502..=504 => {
                Answer::Refused(Refusal::Unavailable { retry_after_seconds: retry_after_seconds.unwrap_or(WAIT) })
            }
            _ => Answer::Unintelligible { status },
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain::Epoch;
    use crate::hash::Hash;
    use proptest::prelude::*;

    fn every_refusal() -> Vec<Refusal> {
        vec![
            Refusal::Fork,
            Refusal::Gap { expected: 7 },
            Refusal::Epoch,
            Refusal::Unauthorized,
            Refusal::Revoked { proof: None },
            Refusal::Quarantined,
            Refusal::Skew { server_time: DateTime::UNIX_EPOCH },
            Refusal::TooLarge { limit: 4 },
            Refusal::Malformed,
            Refusal::Token { reason: TokenFault::Used },
            Refusal::Busy { retry_after_seconds: 3 },
            Refusal::Unavailable { retry_after_seconds: 3 },
        ]
    }

    #[test]
    fn every_refusal_arrives_as_it_was_sent() {
        for refusal in every_refusal() {
            let body = serde_json::to_vec(&refusal).unwrap();
            assert_eq!(classify::<Receipt>(refusal.status(), None, &body), Answer::Refused(refusal));
        }
    }

    #[test]
    fn only_a_receipt_that_can_be_read_counts_as_one() {
        let head = Epoch { number: 1, start: Hash::of(b"") }.head();
        let body = serde_json::to_vec(&Receipt { head }).unwrap();
        assert_eq!(classify(200, None, &body), Answer::Accepted(Receipt { head }));
        for body in [b"".as_slice(), b"<html>Welcome</html>", b"{}", b"null", b"[]"] {
            assert_eq!(classify::<Receipt>(200, None, body), Answer::Unintelligible { status: 200 });
        }
    }

    #[test]
    fn a_proxy_that_imitates_a_refusal_under_another_status_is_not_believed() {
        let revoked = serde_json::to_vec(&Refusal::Revoked { proof: None }).unwrap();
        assert_eq!(classify::<Receipt>(404, None, &revoked), Answer::Unintelligible { status: 404 });
    }

    proptest! {
        #[test]
        fn no_status_but_200_is_ever_a_receipt(status in 100_u16..600, body in proptest::collection::vec(any::<u8>(), 0..200)) {
            if status != 200 {
                prop_assert!(!matches!(classify::<Receipt>(status, None, &body), Answer::Accepted(_)));
            }
        }
    }
}
