//! The page that says no: not found, not allowed, gone, or our own mistake. Always with code, sentence and a way on.

use askama::Template;

use super::view::Link;

#[derive(Debug, Template)]
#[template(path = "dead_end.html")]
pub struct DeadEndPage {
    pub code: &'static str,
    pub title: &'static str,
    pub detail: String,
    pub fix: &'static str,
    pub action: Link,
}
