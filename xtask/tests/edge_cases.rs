//! Holds the list of edge cases: thirty of them, each with its tests, and every test that it names exists.

#![expect(clippy::unwrap_used, reason = "a test fails loudly")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// The names of all tests in the agent's sources.
fn tests() -> BTreeSet<String> {
    let listed = Command::new("git").current_dir(root()).args(["ls-files", "agent/*.rs"]).output().unwrap();
    let files = String::from_utf8(listed.stdout).unwrap();
    let texts = files.lines().map(|file| fs::read_to_string(root().join(file)).unwrap_or_default());
    let name_of = |line: &str| {
        let (_, rest) = line.trim_start().split_once("fn ")?;
        rest.split_once('(').map(|(name, _)| name.to_owned())
    };
    texts.flat_map(|text| text.lines().filter_map(name_of).collect::<Vec<_>>()).collect()
}

/// Number and named tests of each row of the table.
fn cases() -> Vec<(u32, Vec<String>)> {
    let text = fs::read_to_string(root().join("docs/edge-cases.md")).unwrap();
    let row = |line: &str| {
        let cells: Vec<&str> = line.split(" | ").collect();
        let number = cells.first()?.trim_start_matches("| ").parse().ok()?;
        let named = cells.last()?.split('`').skip(1).step_by(2).map(str::to_owned).collect();
        Some((number, named))
    };
    text.lines().filter_map(row).collect()
}

#[test]
fn each_of_the_thirty_cases_has_a_test_that_exists() {
    let (tests, cases) = (tests(), cases());

    assert_eq!(cases.iter().map(|(number, _)| *number).collect::<Vec<_>>(), (1..=30).collect::<Vec<_>>());
    for (number, named) in &cases {
        assert!(!named.is_empty(), "case {number} names no test");
        for name in named {
            assert!(tests.contains(name), "case {number} names {name}, which does not exist");
        }
    }
}

#[test]
fn every_test_that_carries_a_number_is_in_the_list_under_it() {
    let cases = cases();
    let is_unlisted = |test: &String| {
        let digits = test.strip_prefix("case_").and_then(|rest| rest.get(..3)).and_then(|rest| rest.strip_suffix('_'));
        let number = digits.and_then(|digits| digits.parse::<u32>().ok());
        number.is_some_and(|number| !cases.iter().any(|(listed, named)| *listed == number && named.contains(test)))
    };

    let unlisted: Vec<String> = tests().into_iter().filter(is_unlisted).collect();

    assert!(unlisted.is_empty(), "not in the row of their case: {unlisted:?}");
}
