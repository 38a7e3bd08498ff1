//! Removals that wait for a human: the exact list with its evidence, approved by typing its number, or rejected.

use askama::Template;

use super::{
    customer::CustomerHead,
    view::{FieldError, Frame, Moment},
};

#[derive(Debug, Clone)]
pub struct HeldRow {
    pub href: String,
    pub name: String,
    pub account: String,
    pub evidence: String,
    pub since: Moment,
}

#[derive(Debug, Clone)]
pub struct HeldImport {
    pub id: String,
    pub name: String,
    pub why: String,
    pub cause: String,
    pub since: Moment,
    /// Hash of exactly this list: a decision covers what was seen and nothing that came later.
    pub list: String,
    pub rows: Vec<HeldRow>,
}

#[derive(Debug, Template)]
#[template(path = "held.html")]
pub struct HeldPage {
    pub frame: Frame,
    pub customer: CustomerHead,
    pub errors: Vec<FieldError>,
    pub imports: Vec<HeldImport>,
    pub may_decide: bool,
}
