//! Decides whose releases this program believes: those of the root that stands in it.

use crate::stamp::Stamp;

/// The root whose private keys everybody knows. Every build begins with it; a release gets its own before it is signed.
const TEST_ROOT: &str = include_str!("../../../shared/testdata/update/1.root.json");

#[used]
static STAMP: Stamp<8192> = Stamp::new(b"rollcall-agent-update-root:", TEST_ROOT.as_bytes());

/// The root; what is none is refused where it is read.
pub fn root() -> &'static str {
    STAMP.text().unwrap_or_default()
}

/// Whether this build takes updates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trustworthy {
    Yes,
    /// A release that was left with the test keys by mistake: anybody could sign for it.
    TestKeys,
}

pub fn judge() -> Trustworthy {
    if root() == TEST_ROOT && !cfg!(debug_assertions) { Trustworthy::TestKeys } else { Trustworthy::Yes }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rollcall_protocol::update::trust::Trust;

    #[test]
    fn the_pinned_root_is_one_that_updates_can_begin_with() {
        assert!(Trust::begin(root(), None).is_ok());
    }
}
