//! The audit log: who did what, when and from where.

use askama::Template;

use super::view::{Frame, Moment, Pager};

#[derive(Debug, Clone)]
pub struct AuditRow {
    pub at: Moment,
    pub actor: String,
    pub action: String,
    pub customer: String,
    pub object: String,
    pub detail: String,
    pub source: String,
    pub ip: String,
}

#[derive(Debug, Template)]
#[template(path = "audit.html")]
pub struct AuditPage {
    pub frame: Frame,
    pub rows: Vec<AuditRow>,
    pub pager: Pager,
}
