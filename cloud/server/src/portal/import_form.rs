//! The form of one import: units and groups to choose from the live structure, with a count that follows every tick.

use askama::Template;

use super::{
    customer::CustomerHead,
    tree::TreeNode,
    view::{FieldError, Frame, Moment},
};

#[derive(Debug, Clone)]
pub struct GroupChoice {
    pub guid: String,
    pub name: String,
    pub people: i64,
    pub chosen: bool,
    pub why_not: Option<&'static str>,
    pub note: String,
}

#[derive(Debug, Clone)]
pub struct Interval {
    pub value: u32,
    pub label: String,
}

/// What the present ticks would bring.
#[derive(Debug, Clone)]
pub struct ScopeCount {
    pub people: String,
    pub sentence: String,
}

#[derive(Debug, Template)]
#[template(path = "import_form.html")]
pub struct ImportFormPage {
    pub frame: Frame,
    pub customer: CustomerHead,
    pub action: String,
    pub errors: Vec<FieldError>,
    pub structure_at: Option<Moment>,
    pub tree: Vec<TreeNode>,
    pub group_q: String,
    pub groups: Vec<GroupChoice>,
    pub groups_left_out: usize,
    pub name: String,
    pub minutes: u32,
    pub intervals: Vec<Interval>,
    pub removal: &'static str,
    pub grace_days: String,
    pub may_delete: bool,
    pub count: ScopeCount,
    pub save_label: &'static str,
}
