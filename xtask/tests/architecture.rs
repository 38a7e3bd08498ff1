//! Holds the shape of the project: which crate may know which, what may be depended on, and that documents name only
//! what exists.

#![expect(clippy::unwrap_used, reason = "a test fails loudly")]

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

fn metadata(arguments: &[&str]) -> Value {
    let output = Command::new(env!("CARGO"))
        .current_dir(root())
        .args(["metadata", "--format-version", "1", "--locked"])
        .args(arguments)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Tracked files below `folder`, as paths relative to the root.
fn files(patterns: &[&str]) -> Vec<String> {
    let output = Command::new("git").current_dir(root()).arg("ls-files").args(patterns).output().unwrap();
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

/// Who may know whom. What is not here may not be.
fn allowed() -> BTreeMap<&'static str, BTreeSet<&'static str>> {
    BTreeMap::from([
        ("rollcall-protocol", BTreeSet::new()),
        ("rollcall-domain", BTreeSet::new()),
        ("rollcall-store", BTreeSet::from(["rollcall-domain"])),
        ("rollcall-connectors", BTreeSet::from(["rollcall-domain"])),
        ("rollcall", BTreeSet::from(["rollcall-protocol", "rollcall-domain", "rollcall-store", "rollcall-connectors"])),
        ("rollcall-agent", BTreeSet::from(["rollcall-protocol"])),
        // The lab is written from the vendors' documents, never from our own types: a mistake cannot hide by being shared.
        ("rollcall-lab", BTreeSet::new()),
        ("rollcall-e2e", BTreeSet::from(["rollcall-lab"])),
        // It signs releases, in the very form that agents read.
        ("xtask", BTreeSet::from(["rollcall-protocol"])),
    ])
}

#[test]
fn crates_know_only_whom_they_may() {
    let metadata = metadata(&["--no-deps"]);
    let allowed = allowed();
    let packages = metadata["packages"].as_array().unwrap();
    let ours: BTreeSet<&str> = packages.iter().map(|package| package["name"].as_str().unwrap()).collect();
    assert_eq!(ours, allowed.keys().copied().collect(), "every crate has its line in `allowed`");
    for package in packages {
        let name = package["name"].as_str().unwrap();
        for dependency in package["dependencies"].as_array().unwrap() {
            let known = dependency["name"].as_str().unwrap();
            let is_test_only = dependency["kind"].as_str() == Some("dev");
            // Tests may use the lab, and a crate may ask for its own test helpers.
            let may = allowed[name].contains(known) || (is_test_only && (known == "rollcall-lab" || known == name));
            assert!(!ours.contains(known) || may, "{name} must not know {known}");
        }
    }
}

#[test]
fn inside_the_server_the_four_surfaces_do_not_know_one_another() {
    let surfaces = ["ingest", "apply", "api", "portal"];
    for surface in surfaces {
        let folder = format!("cloud/server/src/{surface}");
        for file in files(&[&format!("{folder}.rs"), &format!("{folder}/*.rs")]) {
            let text = fs::read_to_string(root().join(&file)).unwrap();
            let known = modules_known(&text);
            for other in surfaces.iter().filter(|other| **other != surface) {
                assert!(!known.contains(*other), "{file} imports {other}");
            }
        }
    }
}

#[test]
fn inside_the_agent_each_module_knows_only_those_above_it() {
    let crate_root = fs::read_to_string(root().join("agent/src/lib.rs")).unwrap();
    let order: Vec<&str> =
        crate_root.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';')).collect();
    for (place, module) in order.iter().enumerate() {
        for file in files(&[&format!("agent/src/{module}.rs"), &format!("agent/src/{module}/*.rs")]) {
            let text = fs::read_to_string(root().join(&file)).unwrap();
            let known = modules_known(text.split("#[cfg(test)]").next().unwrap());
            let later = order[place + 1..].iter().find(|later| known.contains(**later));
            assert!(later.is_none(), "{file} knows {later:?}, which stands below it in agent/src/lib.rs");
        }
    }
}

/// The modules at the root of the crate that a file names: `crate::api::…` and `use crate::{api::…, portal}` alike.
fn modules_known(text: &str) -> BTreeSet<String> {
    let word = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let mut known = BTreeSet::new();
    for after in text.split("crate::").skip(1) {
        let Some(group) = after.strip_prefix('{') else {
            known.insert(word(after));
            continue;
        };
        let mut depth = 1;
        let mut start = 0;
        for (at, c) in group.char_indices() {
            if depth == 1 && matches!(c, ',' | '}') {
                known.insert(word(group[start..at].trim_start()));
                start = at + 1;
            }
            depth += i32::from(c == '{') - i32::from(c == '}');
            if depth == 0 {
                break;
            }
        }
    }
    // What follows a trailing comma.
    known.remove("");
    known
}

#[test]
fn a_module_is_seen_however_it_is_imported() {
    let text = "use crate::{\n    api::problem,\n    portal::{view::Frame, answer},\n    state,\n};\nlet x = crate::jobs::run();";

    let known = modules_known(text);

    assert_eq!(known, ["api", "jobs", "portal", "state"].map(str::to_owned).into());
}

#[test]
fn nothing_brings_another_tls_or_another_source() {
    let metadata = metadata(&[]);
    let banned = ["openssl", "openssl-sys", "native-tls", "aws-lc-rs", "aws-lc-sys"];
    for package in metadata["packages"].as_array().unwrap() {
        let name = package["name"].as_str().unwrap();
        assert!(!banned.contains(&name), "{name} is banned");
        let source = package["source"].as_str().unwrap_or("registry+");
        assert!(source.starts_with("registry+"), "{name} comes from {source}");
    }
}

#[test]
fn unsafe_code_stays_in_the_agents_platform_folder() {
    for file in files(&["*.rs"]) {
        let text = fs::read_to_string(root().join(&file)).unwrap();
        // Put together, so that this very line is no hit.
        let block = concat!("un", "safe {");
        let uses =
            text.lines().any(|line| line.trim_start().starts_with(concat!("un", "safe ")) || line.contains(block));
        assert!(!uses || file.starts_with("agent/src/platform/"), "{file} holds unsafe code");
    }
}

/// `path/with.ext` and `path/` in backticks or as a link's target, as far as it could be a path of ours.
fn named_paths(text: &str) -> BTreeSet<String> {
    let is_ours = |word: &str| {
        let tops = ["shared/", "agent/", "cloud/", "tests/", "xtask/", "docs/", "installer/", ".ci/", ".cargo/"];
        tops.iter().any(|top| word.starts_with(top)) && !word.contains(['*', '<', '{', ' ', '…', '$'])
    };
    let ticked = text.split('`').skip(1).step_by(2);
    let linked = text.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next());
    ticked
        .chain(linked)
        .map(|word| word.trim_start_matches("./"))
        .filter(|word| is_ours(word))
        .map(str::to_owned)
        .collect()
}

#[test]
fn documents_name_only_what_exists() {
    for file in files(&["*.md"]) {
        let text = fs::read_to_string(root().join(&file)).unwrap();
        for path in named_paths(&text) {
            let bare = path.split(':').next().unwrap();
            let beside = Path::new(&file).parent().unwrap().join(bare);
            assert!(
                root().join(bare).exists() || root().join(beside).exists(),
                "{file} names {path}, which does not exist"
            );
        }
        for link in text.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next()) {
            if link.is_empty() || link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            let beside = Path::new(&file).parent().unwrap().join(link);
            assert!(root().join(&beside).exists(), "{file} links to {link}, which does not exist");
        }
    }
}

#[test]
fn every_source_file_says_in_its_first_line_what_it_decides() {
    for file in files(&["shared/*.rs", "agent/*.rs", "cloud/*.rs", "tests/*.rs", "xtask/*.rs"]) {
        let text = fs::read_to_string(root().join(&file)).unwrap();
        let first = text.lines().find(|line| !line.is_empty()).unwrap_or_default();
        assert!(first.starts_with("//! "), "{file} does not open with a `//!` line");
    }
}

#[test]
fn no_file_of_ours_is_a_giant() {
    for file in files(&["shared/*.rs", "agent/*.rs", "cloud/*.rs", "tests/*.rs", "xtask/*.rs"]) {
        let text = fs::read_to_string(root().join(&file)).unwrap();
        let production = text.split("#[cfg(test)]").next().unwrap().lines().count();
        assert!(production <= 400, "{file} has {production} lines before its own tests: split it");
    }
}
