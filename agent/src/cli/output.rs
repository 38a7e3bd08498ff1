//! Decides what a command prints and in which form. Results go to standard output, problems to standard error.

use std::fmt::Display;
use std::io::Write;

use serde_json::Value;

use crate::diagnostic::Diagnostic;

/// For people or for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Text,
    Json,
}

/// Where a command's words go.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    form: Form,
}

impl Output {
    pub fn new(form: Form) -> Self {
        Self { form }
    }

    pub fn form(&self) -> Form {
        self.form
    }

    /// One result in either form.
    pub fn result(&self, text: impl Display, json: &Value) {
        match self.form {
            Form::Text => self.line(text),
            Form::Json => self.line(json),
        }
    }

    /// One line. A reader that went away (`| head`) is no error.
    pub fn line(&self, line: impl Display) {
        let _ = writeln!(std::io::stdout().lock(), "{line}");
    }

    /// What goes on meanwhile, beside the results.
    pub fn notice(&self, line: impl Display) {
        let _ = writeln!(std::io::stderr().lock(), "{line}");
    }

    pub fn diagnostic(&self, diagnostic: &Diagnostic) {
        match self.form {
            Form::Text => {
                let _ = writeln!(std::io::stderr().lock(), "[FAIL] {diagnostic}");
            }
            Form::Json => self.line(serde_json::json!({ "problem": diagnostic.to_json() })),
        }
    }
}
