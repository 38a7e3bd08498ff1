//! Which version this program is.

use std::sync::LazyLock;

use rollcall_protocol::update::Version;

use crate::stamp::Stamp;

#[used]
static STAMP: Stamp<64> = Stamp::new(b"rollcall-agent-version:", env!("CARGO_PKG_VERSION").as_bytes());

static NUMBER: LazyLock<Version> = LazyLock::new(|| text().parse().unwrap_or(Version::new(0, 0, 0)));

/// As people read it.
pub fn text() -> &'static str {
    STAMP.text().unwrap_or("0.0.0")
}

/// To compare.
pub fn number() -> &'static Version {
    &NUMBER
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_is_the_version_of_its_package() {
        assert_eq!(text(), env!("CARGO_PKG_VERSION"));
        assert_eq!(number().to_string(), text());
    }
}
