//! The imports of a customer: who is chosen, how often the directory is read, and what happens to people who leave.

use askama::Template;

use super::{
    customer::CustomerHead,
    view::{Frame, Pill},
};

#[derive(Debug, Clone)]
pub struct ImportCard {
    pub name: String,
    pub href: String,
    pub state: Pill,
    pub is_paused: bool,
    pub pause_note: String,
    pub people: i64,
    pub held: i64,
    pub chosen: String,
    pub schedule: String,
    pub removal: String,
}

#[derive(Debug, Template)]
#[template(path = "imports.html")]
pub struct ImportsPage {
    pub frame: Frame,
    pub customer: CustomerHead,
    pub may_edit: bool,
    pub has_directory: bool,
    pub imports: Vec<ImportCard>,
}
