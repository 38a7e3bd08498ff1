//! Why the program cannot start: always a code of the catalogue, what happened here, and how to mend it.

use std::fmt;

use rollcall_protocol::catalogue::Fault;

/// Shown on the terminal; the program then ends with status 1.
#[derive(Debug)]
pub struct StartError {
    pub fault: &'static Fault,
    /// What exactly: the variable, the address, the file.
    pub detail: String,
}

impl StartError {
    pub fn new(fault: &'static Fault, detail: impl Into<String>) -> Self {
        Self { fault, detail: detail.into() }
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[FAIL] {} {}: {}", self.fault.code, self.fault.title, self.detail)?;
        write!(f, "\n       {}", self.fault.cause)?;
        for fix in self.fault.fix {
            write!(f, "\n       Fix: {fix}")?;
        }
        Ok(())
    }
}

impl std::error::Error for StartError {}
