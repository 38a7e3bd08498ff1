//! How the files of a publication are called, in its folder and below the cloud's address for updates.
//!
//! A name with a number or a hash never changes its content, so a publication can be copied while agents read; only
//! `timestamp.json` is replaced, last.

use crate::hash::Hash;

pub const TIMESTAMP: &str = "timestamp.json";

pub fn root(version: u64) -> String {
    format!("{version}.root.json")
}

pub fn snapshot(version: u64) -> String {
    format!("{version}.snapshot.json")
}

pub fn targets(version: u64) -> String {
    format!("{version}.targets.json")
}

/// A release's program.
pub fn file(sha256: &Hash) -> String {
    format!("{sha256}.bin")
}

/// Whether a publication can have a file of this name. Nothing else in the folder is handed out.
pub fn is_of_publication(name: &str) -> bool {
    let is_number = |text: &str| {
        !text.is_empty() && text.len() <= 20 && !text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    let numbered = [".root.json", ".snapshot.json", ".targets.json"]
        .iter()
        .find_map(|end| name.strip_suffix(end))
        .is_some_and(is_number);
    numbered || name == TIMESTAMP || name.strip_suffix(".bin").is_some_and(|hash| hash.parse::<Hash>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_a_publication_are_handed_out() {
        for good in ["timestamp.json", &root(1), &snapshot(12), &targets(3), &file(&Hash::of(b"x"))] {
            assert!(is_of_publication(good), "{good}");
        }
        for bad in
            ["", "keys.json", "../1.root.json", "0.root.json", "x.root.json", ".root.json", "master.key", "a.bin"]
        {
            assert!(!is_of_publication(bad), "{bad}");
        }
    }
}
