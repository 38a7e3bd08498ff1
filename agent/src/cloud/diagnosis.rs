//! Says which fault it is that the cloud could not be reached, or what it refused.

use rollcall_protocol::answer::{Refusal, TokenFault};
use rollcall_protocol::catalogue;
use rollcall_protocol::desired::Disobey;

use super::link::LinkError;
use crate::diagnostic::Diagnostic;
use crate::exit::Exit;

impl From<&LinkError> for Diagnostic {
    fn from(error: &LinkError) -> Self {
        let fault = match error {
            LinkError::NameUnknown { .. } => catalogue::CLOUD_NAME,
            LinkError::Tls { .. } => catalogue::CLOUD_TLS,
            LinkError::Proxy { .. } => catalogue::PROXY_REFUSED,
            LinkError::Unreachable { .. } | LinkError::Broken { .. } | LinkError::TimedOut { .. } => {
                catalogue::CLOUD_UNREACHABLE
            }
            LinkError::TooLong | LinkError::Odd { .. } => catalogue::CLOUD_ODD_ANSWER,
            LinkError::Refused(refusal) => return refusal.into(),
            LinkError::Setup(_) => catalogue::CONFIG_UNREADABLE,
            LinkError::Signing(_) => catalogue::UNEXPECTED,
        };
        Self::new(fault, error, Exit::CloudUnreachable)
    }
}

impl From<&Refusal> for Diagnostic {
    fn from(refusal: &Refusal) -> Self {
        let (fault, detail, exit) = match refusal {
            Refusal::Fork | Refusal::Quarantined => {
                (catalogue::AGENT_CLONED, "the cloud holds other batches at this place".to_owned(), Exit::Failed)
            }
            Refusal::Gap { expected } => {
                (catalogue::CLOUD_UNREACHABLE, format!("the cloud misses batch {expected}"), Exit::CloudUnreachable)
            }
            Refusal::Epoch => (catalogue::CLOUD_UNREACHABLE, "the epoch is over".to_owned(), Exit::CloudUnreachable),
            Refusal::Unauthorized => (catalogue::SIGNATURE_REFUSED, "status 401".to_owned(), Exit::Failed),
            Refusal::Revoked { .. } => (catalogue::AGENT_REVOKED, "status 410".to_owned(), Exit::NotEnrolled),
            Refusal::Skew { server_time } => {
                (catalogue::CLOCK_OFF, format!("the cloud says it is {}", server_time.to_rfc3339()), Exit::Failed)
            }
            Refusal::TooLarge { limit } => {
                (catalogue::BATCH_POISONED, format!("a request was over {limit} bytes"), Exit::Failed)
            }
            Refusal::Malformed => (catalogue::BATCH_POISONED, "status 400".to_owned(), Exit::Failed),
            Refusal::Token { reason } => (catalogue::TOKEN_REFUSED, token_fault(*reason).to_owned(), Exit::Failed),
            Refusal::Busy { retry_after_seconds } => {
                (catalogue::CLOUD_UNREACHABLE, format!("busy for {retry_after_seconds} s"), Exit::CloudUnreachable)
            }
            Refusal::Unavailable { retry_after_seconds } => (
                catalogue::CLOUD_UNREACHABLE,
                format!("unavailable for {retry_after_seconds} s"),
                Exit::CloudUnreachable,
            ),
        };
        Self::new(fault, detail, exit)
    }
}

fn token_fault(reason: TokenFault) -> &'static str {
    match reason {
        TokenFault::Expired => "the token has expired",
        TokenFault::Used => "the token was used before",
        TokenFault::Revoked => "the token was revoked",
        TokenFault::Unknown => "the cloud does not know the token",
    }
}

impl From<&Disobey> for Diagnostic {
    fn from(error: &Disobey) -> Self {
        Self::new(catalogue::DESIRED_REFUSED, error, Exit::Failed)
    }
}
