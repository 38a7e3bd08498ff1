//! Runs the tests that are too long for every change: ignored ones whose name begins with `soak_`.

use crate::setup;
use crate::shell::{self, Outcome};
use clap::Args as ClapArgs;

#[derive(ClapArgs)]
pub struct Args {
    /// Only those whose name contains this.
    name: Option<String>,
}

/// Where such tests are, so that a soak does not build every other test as well.
const HOMES: [(&str, &str); 2] = [("rollcall-agent", "directory"), ("rollcall-e2e", "kerberos")];

/// Release builds: these tests repeat much, and what they measure is told.
pub fn run(args: &Args) -> Outcome {
    match setup::run() {
        Err(error) if shell::is_ci() => return Err(error),
        Err(error) => println!("setup: {error}; tests that need it will say so"),
        Ok(()) => {}
    }
    let programs = ["--package", "rollcall", "--package", "rollcall-agent"];
    shell::run(shell::cargo().args(["build", "--locked", "--release", "--bins"]).args(programs))?;
    let filter = args.name.as_deref().unwrap_or("soak_");
    for (package, test) in HOMES {
        let mut tests = shell::cargo();
        tests.args(["test", "--locked", "--release", "--package", package, "--test", test, filter, "--"]);
        shell::run(tests.args(["--ignored", "--nocapture", "--test-threads=1"]))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    /// `directory` of `rollcall-agent` is `agent/tests/directory/`, `kerberos` of `rollcall-e2e` is one file.
    const PLACES: [&str; 2] = ["agent/tests/directory/", "tests/e2e/tests/kerberos.rs"];

    #[test]
    fn every_soak_is_where_the_command_looks() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let mut found = Vec::new();
        for top in ["agent/tests", "cloud", "shared", "tests"] {
            collect(&root.join(top), &mut found);
        }
        assert!(!found.is_empty());
        for file in found {
            let path = file.strip_prefix(root).unwrap().to_string_lossy().into_owned();
            assert!(PLACES.iter().any(|place| path.starts_with(place)), "{path} has a soak that nothing runs");
        }
    }

    fn collect(folder: &Path, found: &mut Vec<std::path::PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(&path, found);
            } else if path.extension().is_some_and(|end| end == "rs")
                && fs::read_to_string(&path).unwrap().contains("fn soak_")
            {
                found.push(path);
            }
        }
    }
}
