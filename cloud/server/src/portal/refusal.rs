//! The pages that say no: not found, not allowed, gone, or our own mistake. Each with code, sentence and a way on.

use askama::Template;

use super::view::{Frame, Link};

/// For people who are not signed in.
#[derive(Debug, Template)]
#[template(path = "dead_end.html")]
pub struct DeadEndPage {
    pub code: &'static str,
    pub title: &'static str,
    pub detail: &'static str,
    pub action: Link,
}

/// For people who are.
#[derive(Debug, Template)]
#[template(path = "refused.html")]
pub struct RefusedPage {
    pub frame: Frame,
    pub icon: &'static str,
    pub code: &'static str,
    pub heading: &'static str,
    pub detail: &'static str,
    pub action: Link,
}
