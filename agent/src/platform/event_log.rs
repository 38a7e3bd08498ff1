//! Decides how a line reaches the Windows event log: source "Rollcall Agent" in *Application*, ids 1 to 1000.
//!
//! The source names Windows' own `EventCreate.exe` as its message file, whose message for each of these ids is just
//! our text; so no message library of our own has to lie on the machine. The installer registers it.

#[cfg(windows)]
mod windows;

/// How serious Windows shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Error,
    Warning,
    Information,
}

/// The open log.
#[derive(Debug)]
pub struct EventLog {
    #[cfg(windows)]
    source: windows::Source,
}

impl EventLog {
    /// `None` where there is no such log.
    pub fn open() -> Option<Self> {
        #[cfg(windows)]
        return windows::Source::register("Rollcall Agent").map(|source| Self { source });
        #[cfg(not(windows))]
        None
    }

    /// Writes one event. A log that is full or gone is nothing to stop for.
    pub fn write(&self, kind: Kind, id: u16, text: &str) {
        #[cfg(windows)]
        self.source.report(kind, id, text);
        #[cfg(not(windows))]
        let _ = (kind, id, text);
    }
}
