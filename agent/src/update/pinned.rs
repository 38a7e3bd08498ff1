//! Decides whose releases this program believes: those of the root that was built in.

/// `agent/update-root.json`; a release puts its own there before it is built.
pub const ROOT: &str = include_str!("../../update-root.json");

/// The root whose private keys everybody knows.
const TEST_ROOT: &str = include_str!("../../../shared/testdata/update/1.root.json");

/// Whether this build takes updates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trustworthy {
    Yes,
    /// A release build that was pinned to the test keys by mistake: anybody could sign for it.
    TestKeys,
}

pub fn judge() -> Trustworthy {
    if ROOT == TEST_ROOT && !cfg!(debug_assertions) { Trustworthy::TestKeys } else { Trustworthy::Yes }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rollcall_protocol::update::trust::Trust;

    #[test]
    fn the_pinned_root_is_one_that_updates_can_begin_with() {
        assert!(Trust::begin(ROOT, None).is_ok());
    }
}
