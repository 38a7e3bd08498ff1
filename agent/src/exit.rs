//! Decides what the program's exit status says; monitoring and scripts key on it.

use std::process::ExitCode;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    Ok,
    Failed,
    Usage,
    NotEnrolled,
    CloudUnreachable,
    DirectoryUnreachable,
    /// Done, and a human should look: removals held, a selection missing, somebody to be looked for a second time.
    Attention,
    /// A newer version lies ready; whoever started this one starts that one.
    Updated,
}

impl Exit {
    pub const fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::NotEnrolled => 3,
            Self::CloudUnreachable => 4,
            Self::DirectoryUnreachable => 5,
            Self::Attention => 10,
            Self::Updated => 20,
        }
    }

    pub fn from_code(code: u8) -> Option<Self> {
        let all = [
            Self::Ok,
            Self::Failed,
            Self::Usage,
            Self::NotEnrolled,
            Self::CloudUnreachable,
            Self::DirectoryUnreachable,
            Self::Attention,
            Self::Updated,
        ];
        all.into_iter().find(|exit| exit.code() == code)
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
