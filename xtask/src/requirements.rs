//! Decides which requirements are covered: holds the marks in `docs/requirements.md` against what tests say they prove.

use crate::shell::{self, Outcome};
use clap::Args as ClapArgs;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

const LIST: &str = "docs/requirements.md";
const COVERED: &str = "covered";
const NOT_YET: &str = "not yet";

#[derive(ClapArgs)]
pub struct Args {
    /// Set the marks to what the tests prove.
    #[arg(long)]
    write: bool,
}

pub fn run(args: &Args) -> Outcome {
    let list = read_list()?;
    let proofs = find_proofs()?;
    if args.write {
        let marked = list.lines().map(|line| mark(line, &proofs)).collect::<Vec<_>>().join("\n");
        fs::write(shell::root().join(LIST), marked + "\n").map_err(|error| format!("{LIST}: {error}"))?;
    }
    for line in read_list()?.lines() {
        if let Some(row) = Row::parse(line) {
            println!("{:<8} {} {}", row.state, row.id, proofs.get(row.id).map_or("", String::as_str));
        }
    }
    check()
}

/// Fails when a mark and the tests disagree, or a test cites an id that does not exist.
pub fn check() -> Outcome {
    let list = read_list()?;
    let proofs = find_proofs()?;
    let rows: Vec<Row<'_>> = list.lines().filter_map(Row::parse).collect();
    let faults = judge(&rows, &proofs);
    let covered = rows.iter().filter(|row| row.state == COVERED).count();
    println!("requirements: {covered} covered, {} not yet, of {}", rows.len() - covered, rows.len());
    if faults.is_empty() { Ok(()) } else { Err(faults.join("\n")) }
}

fn judge(rows: &[Row<'_>], proofs: &BTreeMap<String, String>) -> Vec<String> {
    let known: BTreeSet<&str> = rows.iter().map(|row| row.id).collect();
    let unknown = proofs
        .iter()
        .filter(|(id, _)| !known.contains(id.as_str()))
        .map(|(id, place)| format!("{place} proves {id}, which is not in {LIST}"));
    let wrong = rows.iter().filter_map(|row| match (row.state, proofs.contains_key(row.id)) {
        (COVERED, true) | (NOT_YET, false) => None,
        (COVERED, false) => Some(format!("{} is marked covered, but no test proves it any more", row.id)),
        (NOT_YET, true) => Some(format!("{} is proved, but marked not yet: cargo xtask requirements --write", row.id)),
        (state, _) => Some(format!("{} has the unknown mark {state:?}", row.id)),
    });
    unknown.chain(wrong).collect()
}

struct Row<'a> {
    id: &'a str,
    state: &'a str,
}

impl<'a> Row<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let cells: Vec<&str> = line.strip_prefix("| ")?.strip_suffix(" |")?.split(" | ").collect();
        let (id, state) = (*cells.first()?, *cells.last()?);
        let (family, number) = id.rsplit_once('-')?;
        let is_id = !family.is_empty() && number.parse::<u32>().is_ok();
        is_id.then_some(Self { id, state })
    }
}

fn mark(line: &str, proofs: &BTreeMap<String, String>) -> String {
    let Some(row) = Row::parse(line) else { return line.to_owned() };
    let state = if proofs.contains_key(row.id) { COVERED } else { NOT_YET };
    let rest = line.trim_end_matches(" |").trim_end_matches(row.state);
    format!("{rest}{state} |")
}

fn read_list() -> Outcome<String> {
    fs::read_to_string(shell::root().join(LIST)).map_err(|error| format!("{LIST}: {error}"))
}

/// Every cited id with the first place that cites it.
fn find_proofs() -> Outcome<BTreeMap<String, String>> {
    let files =
        shell::output(shell::command("git").args(["ls-files", "--cached", "--others", "--exclude-standard", "*.rs"]))?;
    let mut proofs = BTreeMap::new();
    for file in files.lines() {
        // A file that is deleted but not yet committed is still listed.
        let Ok(text) = fs::read_to_string(shell::root().join(Path::new(file))) else { continue };
        for (number, line) in text.lines().enumerate() {
            let Some((_, ids)) = line.split_once("// proves:") else { continue };
            for id in ids.split(',').map(str::trim).filter(|id| id.contains('-')) {
                proofs.entry(id.to_owned()).or_insert_with(|| format!("{file}:{}", number + 1));
            }
        }
    }
    Ok(proofs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proofs(ids: &[&str]) -> BTreeMap<String, String> {
        ids.iter().map(|id| ((*id).to_owned(), "a.rs:1".to_owned())).collect()
    }

    #[test]
    fn a_requirement_that_lost_its_test_is_a_fault() {
        let rows = [Row { id: "R-1", state: COVERED }];
        assert_eq!(judge(&rows, &proofs(&["R-1"])), Vec::<String>::new());
        assert_eq!(judge(&rows, &proofs(&[])).len(), 1);
    }

    #[test]
    fn a_test_that_cites_no_requirement_of_ours_is_a_fault() {
        assert_eq!(judge(&[], &proofs(&["R-99"])).len(), 1);
    }

    #[test]
    fn a_mark_is_rewritten_and_the_rest_of_the_line_stays() {
        assert_eq!(mark("| R-1 | reads | not yet |", &proofs(&["R-1"])), "| R-1 | reads | covered |");
        assert_eq!(mark("| R-1 | reads | covered |", &proofs(&[])), "| R-1 | reads | not yet |");
        assert_eq!(mark("text", &proofs(&[])), "text");
    }
}
