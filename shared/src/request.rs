//! What an agent's signed request proves, and the checks that bind it to one agent, one cloud, one path and one body.

use crate::hash::BodyDigest;
use crate::{PROTO, limits};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Claims of every agent request. `L` is what a kind of request adds: nothing, an enrolment's token, a batch's link.
///
/// Scheme and host are not claimed: behind a TLS terminator the cloud cannot rebuild them. `aud` takes that place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequestClaims<L = ()> {
    pub proto: u16,
    /// The agent; nil in an enrolment, where the agent has no id yet.
    pub iss: Uuid,
    /// The cloud: its stable id, learned at enrolment.
    pub aud: Uuid,
    /// When it was signed, in seconds since 1970.
    pub iat: i64,
    /// Names this request; seen twice within the skew window it is refused.
    pub jti: Uuid,
    pub method: String,
    pub path: String,
    pub body: BodyDigest,
    pub link: L,
}

/// What the cloud knows of a request before it reads the claims.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    pub agent: Uuid,
    pub cloud: Uuid,
    pub method: &'a str,
    pub path: &'a str,
}

/// Why well-signed claims do not fit the request they came with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    #[error("another protocol version")]
    Proto,
    #[error("signed by another agent")]
    Agent,
    #[error("meant for another cloud")]
    Cloud,
    #[error("made for another method or path")]
    Route,
    #[error("the body is not the one that was signed")]
    Body,
    #[error("the clock of the signer is off")]
    Skew,
}

impl<L> RequestClaims<L> {
    /// Checks all but the body, which may still be on its way.
    pub fn check_route(&self, expected: &Expected<'_>) -> Result<(), Mismatch> {
        if self.proto != PROTO {
            return Err(Mismatch::Proto);
        }
        if self.iss != expected.agent {
            return Err(Mismatch::Agent);
        }
        if self.aud != expected.cloud {
            return Err(Mismatch::Cloud);
        }
        if self.method != expected.method || self.path != expected.path {
            return Err(Mismatch::Route);
        }
        Ok(())
    }

    pub fn check_body(&self, received: &BodyDigest) -> Result<(), Mismatch> {
        if self.body == *received { Ok(()) } else { Err(Mismatch::Body) }
    }

    /// Only for requests that carry no `seq`: a batch may be days old after an outage.
    pub fn check_fresh(&self, now: DateTime<Utc>) -> Result<(), Mismatch> {
        let skew = limits::SKEW.as_secs();
        if now.timestamp().abs_diff(self.iat) <= skew { Ok(()) } else { Err(Mismatch::Skew) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims() -> RequestClaims {
        RequestClaims {
            proto: PROTO,
            iss: Uuid::from_u128(1),
            aud: Uuid::from_u128(2),
            iat: 1_000_000,
            jti: Uuid::from_u128(3),
            method: "POST".into(),
            path: "/agent/v1/checkin".into(),
            body: BodyDigest::of(b"{}"),
            link: (),
        }
    }

    const EXPECTED: Expected<'static> =
        Expected { agent: Uuid::from_u128(1), cloud: Uuid::from_u128(2), method: "POST", path: "/agent/v1/checkin" };

    #[test]
    fn a_request_fits_only_its_own_agent_cloud_and_route() {
        assert_eq!(claims().check_route(&EXPECTED), Ok(()));
        let other = Uuid::from_u128(9);
        let cases = [
            (Expected { agent: other, ..EXPECTED }, Mismatch::Agent),
            (Expected { cloud: other, ..EXPECTED }, Mismatch::Cloud),
            (Expected { method: "GET", ..EXPECTED }, Mismatch::Route),
            (Expected { path: "/agent/v1/batches", ..EXPECTED }, Mismatch::Route),
        ];
        for (expected, mismatch) in cases {
            assert_eq!(claims().check_route(&expected), Err(mismatch));
        }
    }

    #[test]
    fn the_clock_may_be_off_by_a_quarter_of_an_hour_and_not_more() {
        let at = |seconds: i64| DateTime::from_timestamp(1_000_000 + seconds, 0).unwrap();
        assert_eq!(claims().check_fresh(at(900)), Ok(()));
        assert_eq!(claims().check_fresh(at(-900)), Ok(()));
        assert_eq!(claims().check_fresh(at(901)), Err(Mismatch::Skew));
        assert_eq!(claims().check_fresh(at(-901)), Err(Mismatch::Skew));
    }

    #[test]
    fn another_body_of_the_same_length_is_refused() {
        assert_eq!(claims().check_body(&BodyDigest::of(b"[]")), Err(Mismatch::Body));
    }
}
