//! Builds the agent's unit tests as a Windows program and says where it lies; the whole-product tests run it in Wine.

use std::path::PathBuf;

use super::compiler::{self, Library};
use crate::shell::{self, Outcome};

/// Without optimisation, as the same tests run elsewhere.
const WANTED: [&str; 7] =
    ["test", "--locked", "--package=rollcall-agent", "--lib", "--no-run", "--message-format=json", "--quiet"];

pub fn build() -> Outcome<PathBuf> {
    let told = shell::output(&mut compiler::cargo(&WANTED, Library::Testing)?)?;
    find_program(&told).ok_or_else(|| "cargo names no program of the agent's unit tests".to_owned())
}

/// Cargo tells one thing a line; of those that are programs only the tests were asked for.
fn find_program(told: &str) -> Option<PathBuf> {
    let things = told.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let is_test = |thing: &serde_json::Value| thing["profile"]["test"] == true;
    things.filter(is_test).find_map(|thing| thing["executable"].as_str().map(PathBuf::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_the_one_that_was_built_as_a_test() {
        let told = "noise\n{\"executable\":\"/t/build\",\"profile\":{\"test\":false}}\n\
                    {\"executable\":null,\"profile\":{\"test\":true}}\n\
                    {\"executable\":\"/t/tests.exe\",\"profile\":{\"test\":true}}\n";
        assert_eq!(find_program(told), Some(PathBuf::from("/t/tests.exe")));
    }
}
