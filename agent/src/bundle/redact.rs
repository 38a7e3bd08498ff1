//! Decides what is blotted out of a line before it may leave: secrets that are known, and whatever looks like a person, an
//! address or a signed text. The log names nobody by rule; this holds when the rule was broken.

use std::collections::BTreeMap;

use serde_json::Value;

/// Blots out, and remembers how often and of what kind.
#[derive(Debug)]
pub struct Redactor {
    secrets: Vec<String>,
    removed: BTreeMap<String, u32>,
}

/// Shorter ones would blot out half of every line.
const SHORTEST_SECRET: usize = 4;
/// A signed text or a key in base64url; no word of a log is as long.
const LONGEST_WORD: usize = 64;

impl Redactor {
    pub fn new(secrets: Vec<String>) -> Self {
        let secrets = secrets.into_iter().filter(|secret| secret.len() >= SHORTEST_SECRET).collect();
        Self { secrets, removed: BTreeMap::new() }
    }

    /// Notes something that was left out whole.
    pub fn leave_out(&mut self, what: &str) {
        *self.removed.entry(what.to_owned()).or_default() += 1;
    }

    /// What was taken out, in words, for the list in the bundle.
    pub fn removed(&self) -> Vec<String> {
        self.removed.iter().map(|(what, times)| format!("{what} ({times}×)")).collect()
    }

    pub fn line(&mut self, line: &str) -> String {
        let mut text = line.to_owned();
        for secret in self.secrets.clone() {
            if text.contains(&secret) {
                text = text.replace(&secret, "(secret)");
                self.leave_out("a password or key");
            }
        }
        let text = self.names(&text);
        text.split_inclusive(char::is_whitespace).map(|word| self.word(word)).collect()
    }

    /// The same for every text in a JSON value; keys are our own words.
    pub fn json(&mut self, value: Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.line(&text)),
            Value::Array(items) => Value::Array(items.into_iter().map(|item| self.json(item)).collect()),
            Value::Object(fields) => fields.into_iter().map(|(key, value)| (key, self.json(value))).collect(),
            other @ (Value::Null | Value::Bool(_) | Value::Number(_)) => other,
        }
    }

    /// The first part of a distinguished name may be a person; units and domains are not.
    fn names(&mut self, text: &str) -> String {
        let mut out = String::new();
        let mut rest = text;
        while let Some(at) = find_name(rest) {
            let (before, name) = rest.split_at(at);
            out.push_str(before);
            out.push_str("CN=(name)");
            self.leave_out("a name in a distinguished name");
            rest = name.split_at(end_of_name(name)).1;
        }
        out.push_str(rest);
        out
    }

    fn word(&mut self, word: &str) -> String {
        let (text, end) = word.split_at(word.trim_end().len());
        let blotted = if text.contains('@') {
            self.leave_out("an address or account name");
            "(address)"
        } else if text.contains('\\') && text.split('\\').count() == 2 && !text.contains([':', '/']) {
            self.leave_out("an address or account name");
            "(account)"
        } else if is_signed_text(text) {
            self.leave_out("a signed text or key");
            "(signed text)"
        } else {
            text
        };
        [blotted, end].concat()
    }
}

fn find_name(text: &str) -> Option<usize> {
    let starts = text
        .char_indices()
        .filter(|(at, _)| text.get(*at..*at + 3).is_some_and(|start| start.eq_ignore_ascii_case("cn=")));
    let is_start =
        |at: &usize| text.get(..*at).and_then(|before| before.chars().next_back()).is_none_or(|c| !c.is_alphanumeric());
    starts
        .map(|(at, _)| at)
        .find(|at| is_start(at) && !text.get(*at..).is_some_and(|name| name.starts_with("CN=(name)")))
}

/// Up to the comma that ends it; an escaped one does not.
fn end_of_name(name: &str) -> usize {
    let mut is_escaped = false;
    for (at, c) in name.char_indices() {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            ',' | '"' | ';' | '\n' => return at,
            _ => {}
        }
    }
    name.len()
}

fn is_signed_text(word: &str) -> bool {
    let is_coded = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '+' | '/' | '=' | '"' | ',');
    let starts_as_jws = word.contains("eyJ") && word.len() > 20;
    starts_as_jws || (word.len() > LONGEST_WORD && word.chars().all(is_coded) && !word.contains('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blotted(line: &str) -> String {
        Redactor::new(vec!["hunter2!".into()]).line(line)
    }

    // proves: M-49
    #[test]
    fn secrets_people_and_signed_texts_are_blotted_out_of_a_line() {
        let cases = [
            ("bind with hunter2! failed", "bind with (secret) failed"),
            ("mail to ana.ruiz@lab.example now", "mail to (address) now"),
            ("at http://user:pw@proxy:3128 it ends", "at (address) it ends"),
            ("read CN=Ruiz\\, Ana María,OU=Staff,DC=lab", "read CN=(name),OU=Staff,DC=lab"),
            ("cn=ana ruiz and cn=ben", "CN=(name)"),
            ("as LAB\\ana it works", "as (account) it works"),
            ("jws eyJhbGciOiJFZERTQSJ9.e30.c2ln ok", "jws (signed text) ok"),
            ("[ OK ] disk space: 25083 MiB are free", "[ OK ] disk space: 25083 MiB are free"),
            ("OU=Staff,DC=lab,DC=example: 59 people", "OU=Staff,DC=lab,DC=example: 59 people"),
            ("C:\\ProgramData\\Rollcall is writable", "C:\\ProgramData\\Rollcall is writable"),
        ];

        for (line, expected) in cases {
            assert_eq!(blotted(line), expected);
        }
    }

    #[test]
    fn a_long_key_is_blotted_out_and_a_guid_is_not() {
        assert_eq!(blotted(&"A1b2".repeat(20)), "(signed text)");
        assert_eq!(blotted("agt_0197c0de-0000-7000-8000-000000000000"), "agt_0197c0de-0000-7000-8000-000000000000");
    }

    // proves: M-49
    #[test]
    fn what_was_taken_out_is_counted_by_kind() {
        let mut redactor = Redactor::new(vec!["hunter2!".into()]);

        redactor.line("hunter2! ana@lab.example");
        redactor.line("ben@lab.example");

        assert_eq!(redactor.removed(), ["a password or key (1×)", "an address or account name (2×)"]);
    }

    proptest::proptest! {
        #[test]
        fn no_line_makes_it_stumble_and_no_address_survives(start in "\\PC{0,30}", end in "\\PC{0,30}") {
            let line = format!("{start} canary@lab.example {end}");
            proptest::prop_assert!(!blotted(&line).contains("canary@"));
        }
    }
}
