//! The one list of everything that can be wrong: code, title, cause, what mends it. The portal, the API's problems, the
//! agent's terminal and its event log all take their words from here.
//!
//! A code never changes its meaning: monitoring keys on it. `docs/help/codes.md` has a section for each.

/// Writes faults as rows: name = code, title, cause, [steps], and the event's id where there is one.
macro_rules! faults {
    ($($name:ident = $code:literal, $title:literal, $cause:literal, [$($fix:literal),+ $(,)?] $(, event $event:literal)?;)+) => {
        $(pub const $name: $crate::catalogue::Fault = $crate::catalogue::Fault {
            code: $code,
            title: $title,
            cause: $cause,
            fix: &[$($fix),+],
            event: faults!(@event $($event)?),
        };)+
        pub(super) const ALL: &[$crate::catalogue::Fault] = &[$($name),+];
    };
    (@event) => { None };
    (@event $event:literal) => { Some($event) };
}

mod area;
mod agent;
mod directory;
mod cloud;
mod import;
mod vendor;
mod request;
mod operation;

use std::fmt;

/// Something that can be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// `RC-` and four digits.
    pub code: &'static str,
    /// A few words, as a heading.
    pub title: &'static str,
    /// One sentence: why it is so.
    pub cause: &'static str,
    /// What to do, in order. Never empty: "nothing" is said in words.
    pub fix: &'static [&'static str],
    /// Id in the Windows event log (1 to 1000), for faults of the agent.
    pub event: Option<u16>,
}

impl Fault {
    pub fn area(&self) -> Area {
        Area::of(self.code)
    }

    /// Address of its section in the help, below the cloud's public address.
    pub fn help_path(&self) -> String {
        format!("/docs/codes#{}", self.code.to_lowercase())
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code, self.title)
    }
}

/// Every fault, in the order of the codes.
pub fn all() -> impl Iterator<Item = &'static Fault> {
    [agent::ALL, directory::ALL, cloud::ALL, import::ALL, vendor::ALL, request::ALL, operation::ALL]
        .into_iter()
        .flatten()
}

pub fn find(code: &str) -> Option<&'static Fault> {
    all().find(|fault| fault.code == code)
}

pub use area::Area;

pub use agent::*;
pub use cloud::*;
pub use directory::*;
pub use import::*;
pub use operation::*;
pub use request::*;
pub use vendor::*;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_ordered_and_well_formed() {
        let codes: Vec<&str> = all().map(|fault| fault.code).collect();
        assert!(codes.windows(2).all(|pair| pair[0] < pair[1]), "{codes:?}");
        for code in codes {
            let digits = code.strip_prefix("RC-").unwrap();
            assert!(digits.len() == 4 && digits.bytes().all(|byte| byte.is_ascii_digit()), "{code}");
        }
    }

    #[test]
    fn every_fault_says_why_and_what_to_do() {
        for fault in all() {
            assert!(!fault.title.ends_with('.'), "{fault}");
            assert!(fault.cause.ends_with('.'), "{fault}");
            assert!(!fault.fix.is_empty() && fault.fix.iter().all(|step| step.ends_with('.')), "{fault}");
            assert!(fault.event.is_none_or(|event| (1..=1000).contains(&event)), "{fault}");
        }
    }
}
