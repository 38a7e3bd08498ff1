//! Which version this program is.
//!
//! It stands in the program between two marks, so that a test can turn one build into several versions that differ in
//! nothing else. What is installed is decided by the hash of the whole file, never by this text.

use std::sync::LazyLock;

use rollcall_protocol::update::Version;

const MARK: &[u8] = b"rollcall-agent-version:";
const LENGTH: usize = 64;

#[used]
static STAMP: [u8; LENGTH] = stamp(env!("CARGO_PKG_VERSION").as_bytes());

/// Mark, version, and zeros to the end.
const fn stamp(version: &[u8]) -> [u8; LENGTH] {
    let mut stamp = [0; LENGTH];
    let mut at = 0;
    while at < MARK.len() {
        stamp[at] = MARK[at];
        at += 1;
    }
    let mut digit = 0;
    while digit < version.len() {
        stamp[at + digit] = version[digit];
        digit += 1;
    }
    stamp
}

static NUMBER: LazyLock<Version> = LazyLock::new(|| text().parse().unwrap_or(Version::new(0, 0, 0)));

/// As people read it.
pub fn text() -> &'static str {
    // Read where it stands, not as the compiler remembers it.
    let stamp: &'static [u8; LENGTH] = std::hint::black_box(&STAMP);
    let version = stamp.get(MARK.len()..).unwrap_or_default();
    let end = version.iter().position(|byte| *byte == 0).unwrap_or(version.len());
    std::str::from_utf8(&version[..end]).unwrap_or("0.0.0")
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
