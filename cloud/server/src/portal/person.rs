//! One person: what the directory says, which imports hold them and why, and every change that was ever made.

use askama::Template;

use super::{
    customer::CustomerHead,
    view::{Frame, Moment, Pill, Tone, Trouble},
};

/// A labelled fact.
#[derive(Debug, Clone)]
pub struct Fact {
    pub label: &'static str,
    pub value: String,
    pub mono: bool,
}

impl Fact {
    pub fn new(label: &'static str, value: impl Into<String>) -> Self {
        Self { label, value: value.into(), mono: false }
    }

    pub fn mono(self) -> Self {
        Self { mono: true, ..self }
    }
}

#[derive(Debug, Clone)]
pub struct FieldChange {
    pub label: String,
    pub before: String,
    pub after: String,
}

#[derive(Debug, Clone)]
pub struct HistoryLine {
    pub at: Moment,
    pub what: String,
    pub tone: Tone,
    pub icon: &'static str,
    pub by: String,
    pub run: Option<String>,
    pub why: String,
    pub fields: Vec<FieldChange>,
}

#[derive(Debug, Clone)]
pub struct MembershipLine {
    pub import: String,
    pub href: String,
    pub why: String,
    pub state: Pill,
}

#[derive(Debug, Template)]
#[template(path = "person.html")]
pub struct PersonPage {
    pub frame: Frame,
    pub customer: CustomerHead,
    pub state: Pill,
    pub troubles: Vec<Trouble>,
    pub facts: Vec<Fact>,
    pub memberships: Vec<MembershipLine>,
    pub history: Vec<HistoryLine>,
    pub history_goes_on: bool,
}
