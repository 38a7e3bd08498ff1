//! Decides what a vendor's answer means for the item that was sent and for the connection it was sent over.

use chrono::TimeDelta;

/// What came back for one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// An HTTP status, and the wait of `Retry-After` where there is one.
    Status { code: u16, retry_after: Option<TimeDelta> },
    /// No whole answer: refused, cut, or timed out. The vendor may have acted all the same.
    Nothing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Done,
    /// Passing: try again after the wait. It never counts against the connection.
    Later(TimeDelta),
    /// The credentials were refused: the connection pauses and the MSP is told. Never retried by itself, because some
    /// vendors lock an account that keeps failing.
    CredentialsRefused,
    /// This item will not pass as it is; a human looks at it. The connection is fine.
    ItemRefused,
}

/// Waited where the vendor names no time.
const DEFAULT_WAIT: TimeDelta = TimeDelta::seconds(30);
/// No `Retry-After` is believed beyond this.
const LONGEST_WAIT: TimeDelta = TimeDelta::hours(1);

pub fn classify(answer: Answer) -> Verdict {
    match answer {
        Answer::Nothing => Verdict::Later(DEFAULT_WAIT),
        Answer::Status { code, retry_after } => match code {
            200..=299 => Verdict::Done,
            401 | 403 => Verdict::CredentialsRefused,
            408 | 425 | 429 | 500..=599 => Verdict::Later(retry_after.unwrap_or(DEFAULT_WAIT).min(LONGEST_WAIT)),
            // Redirects are not followed: the credentials would go along.
            _ => Verdict::ItemRefused,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(code: u16) -> Verdict {
        classify(Answer::Status { code, retry_after: None })
    }

    #[test]
    fn an_outage_never_counts_against_a_connection() {
        for code in [408, 425, 429, 500, 502, 503, 504, 520] {
            assert_eq!(status(code), Verdict::Later(DEFAULT_WAIT), "{code}");
        }
        assert_eq!(classify(Answer::Nothing), Verdict::Later(DEFAULT_WAIT));
    }

    #[test]
    fn refused_credentials_are_never_tried_again_by_themselves() {
        assert_eq!(status(401), Verdict::CredentialsRefused);
        assert_eq!(status(403), Verdict::CredentialsRefused);
    }

    #[test]
    fn a_refused_item_and_a_redirect_wait_for_a_human() {
        for code in [301, 302, 307, 400, 404, 409, 422] {
            assert_eq!(status(code), Verdict::ItemRefused, "{code}");
        }
    }

    #[test]
    fn the_vendor_names_the_wait_within_reason() {
        let told = |seconds| classify(Answer::Status { code: 429, retry_after: Some(TimeDelta::seconds(seconds)) });
        assert_eq!(told(7), Verdict::Later(TimeDelta::seconds(7)));
        assert_eq!(told(1_000_000), Verdict::Later(LONGEST_WAIT));
    }
}
