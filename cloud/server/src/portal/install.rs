//! The page that installs an agent: a one-time token, the line to run, and a panel that turns green by itself.

use askama::Template;

use super::{
    customer::CustomerHead,
    view::{Frame, Moment, Pill, Step, Trouble},
};

/// A token that was made just now; it is shown once.
#[derive(Debug, Clone)]
pub struct NewToken {
    pub expires: Moment,
}

/// One way to install, as a command to copy.
#[derive(Debug, Clone)]
pub struct Way {
    pub label: &'static str,
    pub command: String,
    pub hint: &'static str,
}

#[derive(Debug, Clone)]
pub struct TokenRow {
    pub id: String,
    pub created: Moment,
    pub by: String,
    pub state: Pill,
    pub note: String,
    pub can_revoke: bool,
}

#[derive(Debug, Template)]
#[template(path = "install.html")]
pub struct InstallPage {
    pub frame: Frame,
    pub customer: CustomerHead,
    pub token: Option<NewToken>,
    pub ways: Vec<Way>,
    pub may_install: bool,
    pub open_tokens: Vec<TokenRow>,
    pub live_title: &'static str,
    pub steps: Vec<Step>,
    pub trouble: Option<Trouble>,
    pub public_host: String,
}
