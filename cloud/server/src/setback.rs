//! What is written beside a job that failed: a fault of the catalogue, and what else is known. A page reads it back.

use std::fmt;

use rollcall_protocol::catalogue::{self, Fault};

/// Why a job did not do its work. Its text names nobody: a page shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setback {
    pub fault: &'static Fault,
    pub detail: Option<String>,
}

impl Setback {
    pub fn new(fault: &'static Fault, detail: impl Into<String>) -> Self {
        Self { fault, detail: Some(detail.into()) }
    }

    /// As it was written. What is not spelled so comes from a program before this one, and is not known any more.
    pub fn read(written: &str) -> Self {
        let (code, detail) = written.split_once(": ").map_or((written, None), |(code, detail)| (code, Some(detail)));
        let fault = catalogue::find(code).unwrap_or(&catalogue::UNEXPECTED);
        Self { fault, detail: detail.map(str::to_owned) }
    }
}

impl From<&'static Fault> for Setback {
    fn from(fault: &'static Fault) -> Self {
        Self { fault, detail: None }
    }
}

impl fmt::Display for Setback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.detail {
            Some(detail) => write!(f, "{}: {detail}", self.fault.code),
            None => f.write_str(self.fault.code),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        for setback in [
            Setback::new(&catalogue::MAIL_RELAY, "the relay answered 550: never"),
            Setback::from(&catalogue::APPLY_FAILED),
        ] {
            assert_eq!(Setback::read(&setback.to_string()), setback);
        }
        assert_eq!(Setback::read("the disk was full").fault.code, "RC-9001");
    }
}
