//! Decides whether a secret stands in anything that was said during a whole run of the tests: by programs, in their
//! logs, or by the tests themselves.
//!
//! The programs' words and the secrets they were given are kept by `tests/lab/src/witness.rs`, in the folder that this
//! names. What tests say is in nextest's report (`.config/nextest.toml`).

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use aho_corasick::AhoCorasick;
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD};

use crate::shell::{self, Outcome};

/// The variable by which the lab finds the folder.
pub const VARIABLE: &str = "ROLLCALL_WITNESS_DIR";

/// What every secret of a kind looks like, whoever made it: no test has to name it.
const SHAPES: [(&str, &str, usize); 2] =
    [("an API key", "rck_", 40), ("a private key", "-----BEGIN PRIVATE KEY-----", 0)];

/// An empty folder for one run.
pub fn begin(target: &Path) -> Outcome<PathBuf> {
    let folder = target.join("witness");
    let cannot = |error| format!("{}: {error}", folder.display());
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(cannot)?;
    }
    fs::create_dir_all(folder.join("said")).map_err(cannot)?;
    Ok(folder)
}

/// Searches everything that was said. `reports`: what tests said themselves, as far as it was kept.
pub fn check(folder: &Path, reports: &[PathBuf]) -> Outcome {
    let secrets = read_secrets(folder)?;
    let mut files: Vec<PathBuf> = list(&folder.join("said"))?;
    files.extend(reports.iter().filter(|report| report.is_file()).cloned());
    if secrets.is_empty() || files.is_empty() {
        return Err("leaks: no program said anything or was given a secret, so nothing was searched".to_owned());
    }
    let search = Search::of(&secrets)?;
    let (mut bytes, mut leaks) = (0, Vec::new());
    for file in &files {
        let text = fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?;
        bytes += text.len();
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        leaks.extend(search.find(&text).into_iter().map(|leak| format!("{name}, line {}: {}", leak.line, leak.of)));
    }
    println!("leaks: searched {} outputs ({} KiB) for {} secrets", files.len(), bytes / 1024, secrets.len());
    if leaks.is_empty() {
        let removed = fs::remove_dir_all(folder);
        return removed.map_err(|error| format!("{}: {error}", folder.display()));
    }
    Err(format!("a secret was said; {} has the outputs:\n  {}", folder.display(), leaks.join("\n  ")))
}

/// Where one stands, and what it is. Never the secret itself.
#[derive(Debug, PartialEq, Eq)]
struct Leak {
    line: usize,
    of: String,
}

/// Every secret in every form that a program may print it in.
struct Search {
    forms: AhoCorasick,
    /// Of each form, whose it is.
    of: Vec<String>,
}

impl Search {
    fn of(secrets: &BTreeMap<String, String>) -> Outcome<Self> {
        let (mut patterns, mut of) = (Vec::new(), Vec::new());
        for (secret, whose) in secrets {
            for (form, how) in forms(secret) {
                patterns.push(form);
                of.push(format!("{whose}{how}"));
            }
        }
        let forms = AhoCorasick::new(patterns).map_err(|error| format!("leaks: {error}"))?;
        Ok(Self { forms, of })
    }

    fn find(&self, text: &[u8]) -> Vec<Leak> {
        let named =
            self.forms.find_iter(text).map(|found| (found.start(), self.of[found.pattern().as_usize()].clone()));
        let mut leaks: Vec<(usize, String)> = named.chain(shaped(text)).collect();
        leaks.sort();
        leaks.dedup();
        leaks.into_iter().map(|(at, of)| Leak { line: line_of(text, at), of }).collect()
    }
}

fn forms(secret: &str) -> Vec<(Vec<u8>, &'static str)> {
    let digits = secret.bytes().flat_map(|byte| [byte >> 4, byte & 15]);
    let hex: String = digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect();
    let mut forms = vec![
        (secret.as_bytes().to_vec(), ""),
        (BASE64_STANDARD_NO_PAD.encode(secret).into_bytes(), ", in base64"),
        (hex.into_bytes(), ", in hexadecimal"),
    ];
    let url_safe = BASE64_URL_SAFE_NO_PAD.encode(secret).into_bytes();
    if forms.iter().all(|(form, _)| *form != url_safe) {
        forms.push((url_safe, ", in base64url"));
    }
    forms
}

/// Secrets known by how they look.
fn shaped(text: &[u8]) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (of, start, letters) in SHAPES {
        for at in positions(text, start.as_bytes()) {
            let rest = &text[at + start.len()..];
            let is_letter = |byte: &&u8| byte.is_ascii_alphanumeric() || **byte == b'-' || **byte == b'_';
            if rest.iter().take_while(is_letter).count() >= letters {
                found.push((at, of.to_owned()));
            }
        }
    }
    found
}

fn positions(text: &[u8], word: &[u8]) -> Vec<usize> {
    text.windows(word.len()).enumerate().filter(|(_, window)| *window == word).map(|(at, _)| at).collect()
}

fn line_of(text: &[u8], at: usize) -> usize {
    text[..at].split(|byte| *byte == b'\n').count()
}

/// Each secret once, with whose it is.
fn read_secrets(folder: &Path) -> Outcome<BTreeMap<String, String>> {
    let file = folder.join("secrets.jsonl");
    if !file.exists() {
        return Ok(BTreeMap::new());
    }
    let text = fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
    let mut secrets = BTreeMap::new();
    for line in text.lines() {
        let told: serde_json::Value = serde_json::from_str(line).map_err(|error| format!("secrets.jsonl: {error}"))?;
        let part = |name: &str| told[name].as_str().unwrap_or_default().to_owned();
        secrets.insert(part("secret"), part("of"));
    }
    Ok(secrets)
}

fn list(folder: &Path) -> Outcome<Vec<PathBuf>> {
    let cannot = |error: std::io::Error| format!("{}: {error}", folder.display());
    let entries = fs::read_dir(folder).map_err(cannot)?;
    entries.map(|entry| entry.map(|entry| entry.path()).map_err(cannot)).collect()
}

/// Where cargo builds, and nextest leaves its report.
pub fn target_folder() -> Outcome<PathBuf> {
    let metadata = shell::output(shell::cargo().args([
        "metadata",
        "--no-deps",
        "--format-version",
        "1",
        "--locked",
        "--offline",
    ]))?;
    let metadata: serde_json::Value = serde_json::from_str(&metadata).map_err(|error| format!("metadata: {error}"))?;
    metadata["target_directory"].as_str().map(PathBuf::from).ok_or_else(|| "metadata: no target folder".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "canary-of-the-token";

    /// A run as the lab writes it down.
    fn run(said: &[(&str, String)]) -> (PathBuf, PathBuf) {
        let root = std::env::temp_dir().join(format!("leaks-{}-{}", std::process::id(), rand::random::<u64>()));
        let folder = begin(&root).unwrap();
        let line = serde_json::json!({ "of": "an enrolment token", "secret": TOKEN });
        fs::write(folder.join("secrets.jsonl"), format!("{line}\n{line}\n")).unwrap();
        for (name, text) in said {
            fs::write(folder.join("said").join(name), text).unwrap();
        }
        (root, folder)
    }

    fn checked(said: &[(&str, String)]) -> Outcome {
        let (root, folder) = run(said);
        let checked = check(&folder, &[]);
        fs::remove_dir_all(root).unwrap();
        checked
    }

    #[test]
    fn a_planted_secret_is_found_in_every_form_and_not_repeated() {
        let forms = forms(TOKEN).into_iter().map(|(form, _)| String::from_utf8(form).unwrap());
        for form in forms {
            let told = checked(&[("agent.log", format!("INFO well\nERROR refused token={form}\n"))]).unwrap_err();

            assert!(told.contains("agent.log, line 2: an enrolment token"), "{told}");
            assert!(!told.contains(&form), "{told}");
        }
    }

    #[test]
    fn secrets_that_nobody_named_are_known_by_their_look() {
        let key = format!("rck_{}", "k".repeat(43));
        let pem = "-----BEGIN PRIVATE KEY-----\nMC4C";

        let told = checked(&[("serve.log", format!("a\nb {key}")), ("x.log", pem.to_owned())]).unwrap_err();

        assert!(
            told.contains("serve.log, line 2: an API key") && told.contains("x.log, line 1: a private key"),
            "{told}"
        );
    }

    #[test]
    fn what_tests_say_themselves_is_searched_too() {
        let (root, folder) = run(&[("agent.log", "well".to_owned())]);
        let report = root.join("junit.xml");
        fs::write(&report, format!("<system-out>{TOKEN}</system-out>")).unwrap();

        let told = check(&folder, std::slice::from_ref(&report)).unwrap_err();

        fs::remove_dir_all(root).unwrap();
        assert!(told.contains("junit.xml, line 1"), "{told}");
    }

    #[test]
    fn words_that_only_resemble_a_secret_are_none() {
        let said = "the key begins with rck_ and is shown once; rck_short; canary-of-the-toke".to_owned();
        assert_eq!(checked(&[("a.log", said)]), Ok(()));
    }

    #[test]
    fn a_run_in_which_nothing_was_kept_has_not_been_searched() {
        assert!(checked(&[]).is_err());
    }
}
