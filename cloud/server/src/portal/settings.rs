//! Settings: API keys, operators, and the reader's own sign-ins.

use askama::Template;

use super::view::{FieldError, Frame, Moment, Pill};

#[derive(Debug, Clone)]
pub struct KeyRow {
    pub id: String,
    pub name: String,
    pub prefix: String,
    pub role: String,
    pub reach: String,
    pub created: Moment,
    pub by: String,
    pub last_used: Option<Moment>,
    pub state: Pill,
    pub can_revoke: bool,
}

#[derive(Debug, Clone)]
pub struct OperatorRow {
    pub id: String,
    pub name: String,
    pub email: String,
    pub role: String,
    pub reach: String,
    pub state: Pill,
    pub can_link: bool,
    pub can_disable: bool,
}

#[derive(Debug, Clone)]
pub struct SessionRow {
    pub id: String,
    pub device: String,
    pub ip: String,
    pub created: Moment,
    pub seen: Moment,
    pub is_this: bool,
}

#[derive(Debug, Clone)]
pub struct Named {
    pub id: String,
    pub name: String,
}

/// A one-time sign-in link, shown once.
#[derive(Debug, Clone)]
pub struct NewLink {
    pub to: String,
    pub address: String,
    pub expires: Moment,
}

#[derive(Debug, Template)]
#[template(path = "settings.html")]
pub struct SettingsPage {
    pub frame: Frame,
    pub errors: Vec<FieldError>,
    pub new_key: Option<String>,
    pub new_link: Option<NewLink>,
    pub may_manage_keys: bool,
    pub keys: Vec<KeyRow>,
    pub customers: Vec<Named>,
    pub may_manage_operators: bool,
    pub operators: Vec<OperatorRow>,
    pub sessions: Vec<SessionRow>,
}
