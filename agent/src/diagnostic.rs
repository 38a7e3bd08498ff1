//! What is told to a person: one fault of the catalogue, with the facts of this case.

use std::fmt;
use std::path::Path;

use chrono::{DateTime, Utc};
use rollcall_protocol::catalogue::{self, Fault};
use rollcall_protocol::ceiling::Ceiling;
use rollcall_protocol::checkin::Problem;

use crate::exit::Exit;
use crate::platform::reason;

/// Something wrong: which fault it is, and the facts of this case (a host, a page, a result code; never people).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    pub fault: Fault,
    pub detail: String,
    pub exit: Exit,
}

impl Diagnostic {
    pub fn new(fault: Fault, detail: impl fmt::Display, exit: Exit) -> Self {
        Self { fault, detail: detail.to_string(), exit }
    }

    /// A place of the local ceiling that the last reading did not find.
    pub fn of_lost_place(ceiling: &Ceiling) -> Option<Self> {
        let lost = ceiling.never_read.iter().find(|told| told.guid.is_none())?;
        Some(Self::new(catalogue::CEILING_LOST, &lost.place, Exit::Attention))
    }

    /// A file or folder of ours that cannot be read or written.
    pub fn not_writable(path: &Path, error: &std::io::Error) -> Self {
        Self::new(catalogue::NOT_WRITABLE, format!("{}: {}", path.display(), reason::of(error)), Exit::Failed)
    }

    /// What nobody foresaw.
    pub fn unexpected(detail: impl fmt::Display) -> Self {
        Self::new(catalogue::UNEXPECTED, detail, Exit::Failed)
    }

    /// The form in which a check-in carries it.
    pub fn to_problem(&self, since: DateTime<Utc>) -> Problem {
        Problem { code: self.fault.code.to_owned(), detail: self.detail.clone(), since }
    }

    /// As one JSON object.
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::json!({
            "code": self.fault.code,
            "title": self.fault.title,
            "cause": self.fault.cause,
            "detail": self.detail,
            "fix": self.fault.fix,
        })
    }

    /// Whether trying again before the next cycle could do harm: repeated wrong passwords lock an account. A ticket that
    /// has expired or a clock that is off locks nothing, and is often mended within minutes.
    pub fn must_not_be_retried(&self) -> bool {
        is_of_the_account(self.fault.code)
    }
}

/// Whether a code says that the directory judged the account that signs in.
pub fn is_of_the_account(code: &str) -> bool {
    [
        catalogue::BIND_REFUSED,
        catalogue::BIND_LOCKED,
        catalogue::BIND_DISABLED,
        catalogue::BIND_PASSWORD_EXPIRED,
        catalogue::BIND_ANONYMOUS,
        catalogue::KERBEROS_REFUSED,
    ]
    .iter()
    .any(|fault| fault.code == code)
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}) — Fix: {}", self.fault, self.detail, self.fault.fix.join(" "))
    }
}
