//! Decides whether a domain controller's certificate lasts long enough to be left alone.

use chrono::{DateTime, TimeDelta, Utc};
use rollcall_protocol::catalogue;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::finding::Finding;
use crate::diagnostic::Diagnostic;
use crate::exit::Exit;

/// Long enough to renew it in office hours.
const SOON: TimeDelta = TimeDelta::days(30);

/// When a certificate ends; `None` if it cannot be read, though TLS already believed it.
pub fn ends_at(der: &[u8]) -> Option<DateTime<Utc>> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    DateTime::from_timestamp(certificate.validity().not_after.timestamp(), 0)
}

pub fn judge(ends_at: DateTime<Utc>, now: DateTime<Utc>) -> Finding {
    let left = ends_at - now;
    let words = format!("it ends on {}, in {} days", ends_at.format("%Y-%m-%d"), left.num_days());
    if left <= SOON {
        return Finding::Warn(Diagnostic::new(catalogue::CERT_EXPIRING, words, Exit::Attention));
    }
    Finding::Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_warned_of_thirty_days_before_its_end() {
        let now = DateTime::from_timestamp(1_760_000_000, 0).unwrap();

        assert!(matches!(judge(now + TimeDelta::days(31), now), Finding::Ok(_)));
        let told = judge(now + TimeDelta::days(30), now);
        assert!(matches!(&told, Finding::Warn(told) if told.fault.code == "RC-2121"), "{told:?}");
    }

    #[test]
    fn what_is_no_certificate_has_no_end() {
        assert_eq!(ends_at(b"not a certificate"), None);
    }
}
